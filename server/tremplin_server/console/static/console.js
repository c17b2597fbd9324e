// Everything here is an addition: each page works without it.

const POLL_MS = 10000;
const SETTLE_MS = 400;
const RETRY_MS = 15000;

/** Keep the page's parts marked data-live up to date: their markup comes from the server. */
class Live {
  constructor(parts) {
    this.parts = parts;
    this.open = false;
    this.timer = null;
    this.label = document.querySelector("[data-live-label]");
    setInterval(() => this.open || this.refreshSoon(), POLL_MS);
    document.addEventListener("visibilitychange", () => this.refreshSoon());
    this.connect();
  }

  async connect() {
    try {
      const answer = await fetch("/console/live-ticket", {
        method: "POST",
        headers: { "X-CSRFToken": csrfToken() },
      });
      if (!answer.ok) throw new Error(answer.statusText);
      const { ticket } = await answer.json();
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(
        `${scheme}//${location.host}/console/live?ticket=${encodeURIComponent(ticket)}`,
      );
      socket.addEventListener("open", () => this.mark(true));
      socket.addEventListener("message", () => this.refreshSoon());
      socket.addEventListener("close", () => this.retry());
    } catch {
      this.retry();
    }
  }

  retry() {
    this.mark(false);
    setTimeout(() => this.connect(), RETRY_MS);
  }

  mark(open) {
    this.open = open;
    if (this.label) {
      this.label.dataset.link = open ? "open" : "closed";
      this.label.textContent = open ? this.label.dataset.textOpen : this.label.dataset.textClosed;
    }
    if (open) this.refreshSoon();
  }

  // Many changes may come at once: one look at the server shows them all.
  refreshSoon() {
    if (this.timer || document.hidden) return;
    this.timer = setTimeout(async () => {
      await Promise.all([...this.parts].map((part) => this.refresh(part)));
      this.timer = null;
    }, SETTLE_MS);
  }

  async refresh(part) {
    try {
      const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const text = await answer.text();
      if (text === part.dataset.shown) return;
      part.dataset.shown = text;
      const focused = part.contains(document.activeElement)
        ? document.activeElement.getAttribute("href")
        : null;
      part.innerHTML = text;
      if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    } catch {
      // The next poll tries again.
    }
  }
}

function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = button.dataset.done;
  } catch {
    // Without the right to the clipboard, selecting the text is the next best thing.
    getSelection().selectAllChildren(source);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

const parts = document.querySelectorAll("[data-live]");
if (parts.length) new Live(parts);
