// Short messages in the corner; screen readers hear them.

const SHOWN_MS = 9000;

type Kind = "danger" | "success" | "info";

/** Show a message; one that tells of trouble stays until it is dismissed. */
export function tell(text: string, kind: Kind): void {
  const place = document.getElementById("messages");
  if (!place || !text) return;
  withdraw(text);
  const message = document.createElement("div");
  message.className = `alert alert-${kind} alert-dismissible`;
  const words = document.createElement("div");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.setAttribute("aria-label", place.dataset["close"] ?? "");
  close.addEventListener("click", () => message.remove());
  message.append(words, close);
  standAbove(place);
  place.append(message);
  if (kind !== "danger") setTimeout(() => message.remove(), SHOWN_MS);
}

/** Take a message away that is true no more. */
export function withdraw(text: string): void {
  const shown = document.getElementById("messages")?.children ?? [];
  for (const one of [...shown]) if (one.firstChild?.textContent === text) one.remove();
}

/** Put the place of the messages into the dialogue that is open: it covers everything else. */
function standAbove(place: HTMLElement): void {
  const dialogue = [...document.querySelectorAll("dialog")].filter((one) => one.matches(":modal")).at(-1);
  if (!dialogue || dialogue.contains(place)) return;
  dialogue.append(place);
  dialogue.addEventListener("close", () => document.body.append(place), { once: true });
}
