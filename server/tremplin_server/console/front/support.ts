// A support session: terminal and files in frames that stay alive, and the chat.

import "./support.css";

const place = document.getElementById("support-frames");
const tabs = [...document.querySelectorAll<HTMLButtonElement>("[data-frame]")];
const frames = new Map<HTMLButtonElement, HTMLIFrameElement>();

function show(tab: HTMLButtonElement): void {
  if (!place) return;
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
  }
  place.setAttribute("aria-labelledby", tab.id);
  place.querySelector(".empty")?.remove();
  if (!frames.has(tab)) {
    const frame = document.createElement("iframe");
    frame.src = tab.dataset["frame"] ?? "";
    frame.title = tab.textContent?.trim() ?? "";
    frame.allow = "clipboard-read; clipboard-write; fullscreen";
    frames.set(tab, frame);
    place.append(frame);
  }
  for (const [owner, frame] of frames) frame.hidden = owner !== tab;
}

for (const tab of tabs) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next?.focus();
    event.preventDefault();
  });
}

function toTheEnd(): void {
  const chat = document.getElementById("support-chat");
  if (chat) chat.scrollTop = chat.scrollHeight;
}

document.body.addEventListener("htmx:afterRequest", (event) => {
  const { detail } = event as CustomEvent<{ successful: boolean; elt: Element }>;
  if (detail.successful && detail.elt.id === "support-say") {
    (detail.elt as HTMLFormElement).reset();
  }
});
document.body.addEventListener("htmx:afterSettle", toTheEnd);
// The customer has come: the page has terminal and files from now on.
document.body.addEventListener("htmx:afterSettle", () => {
  if (!place && document.querySelector("[data-inside]")) location.reload();
});
toTheEnd();
