// Hints over one WebSocket that something changed. Parts of a page that want to know carry
// hx-trigger="live from:body" and ask the server for their markup again.

const POLL_MS = 10_000;
const RETRY_MS = 15_000;
const SETTLE_MS = 400;
/** The server's code for a browser that is signed in no more; the page then leads to /login. */
const SIGNED_OUT = 4401;
/** How much of the time a page may spend on refreshing itself: one part in so many. */
const SHARE = 10;

export function startLive(): void {
  if (document.querySelector('[hx-trigger*="live from:body"]')) new Live();
}

class Live {
  private open = false;
  private timer = 0;
  private notBefore = 0;

  constructor() {
    setInterval(() => this.open || this.tellSoon(), POLL_MS);
    document.addEventListener("visibilitychange", () => this.tellSoon());
    document.body.addEventListener("htmx:afterSettle", () => this.label());
    void this.connect();
  }

  private async connect(): Promise<void> {
    try {
      const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
      const answer = await fetch("/console/live-ticket", {
        method: "POST",
        headers: { "X-CSRFToken": token?.content ?? "" },
      });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      const { ticket } = (await answer.json()) as { ticket: string };
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(
        `${scheme}//${location.host}/console/live?ticket=${encodeURIComponent(ticket)}`,
      );
      socket.addEventListener("open", () => this.mark(true));
      socket.addEventListener("message", () => this.tellSoon());
      socket.addEventListener("close", ({ code }) => {
        if (code === SIGNED_OUT) location.reload();
        else this.retry();
      });
    } catch {
      this.retry();
    }
  }

  private retry(): void {
    this.mark(false);
    setTimeout(() => void this.connect(), RETRY_MS);
  }

  private mark(open: boolean): void {
    const before = this.open;
    this.open = open;
    this.label();
    if (open && !before) this.tellSoon();
  }

  /** Say in the page whether it is live; the words may have been replaced with its parts. */
  private label(): void {
    const label = document.querySelector<HTMLElement>("[data-live-label]");
    if (!label) return;
    label.dataset["link"] = this.open ? "open" : "closed";
    label.textContent = label.dataset[this.open ? "textOpen" : "textClosed"] ?? "";
  }

  /** Many changes may come at once: one look at the server shows them all. */
  private tellSoon(): void {
    if (this.timer || document.hidden) return;
    const wait = Math.max(SETTLE_MS, this.notBefore - performance.now());
    this.timer = setTimeout(() => this.tell(), wait);
  }

  private tell(): void {
    this.timer = 0;
    const began = performance.now();
    const settled = (): void => {
      this.notBefore = performance.now() + (performance.now() - began) * SHARE;
    };
    document.body.addEventListener("htmx:afterSettle", settled, { once: true });
    document.body.dispatchEvent(new CustomEvent("live"));
  }
}
