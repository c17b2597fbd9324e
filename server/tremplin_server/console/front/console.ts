// Every page: the framework's sheet, htmx, menus, messages, copying. Each page works without it.

import "@tabler/core/dist/css/tabler.css";
import "./console.css";
import htmx from "htmx.org";
import { startLive } from "./live";
import { morphing } from "./morphing";
import { startMenus } from "./menus";
import { tell, withdraw } from "./messages";

// Filters with a condition in hx-trigger and hx-on would need eval, which the policy refuses.
Object.assign(htmx.config, {
  allowEval: false,
  allowScriptTags: false,
  // Copying style attributes is what the policy refuses too.
  attributesToSettle: ["class"],
  includeIndicatorStyles: false,
  historyCacheSize: 0,
  refreshOnHistoryMiss: true,
  scrollBehavior: "auto",
  selfRequestsOnly: true,
});

htmx.defineExtension("morph", morphing);

const csrfToken =
  document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
const words = document.body.dataset;

addEventListener("htmx:configRequest", (event) => {
  (event as CustomEvent<{ headers: Record<string, string> }>).detail.headers["X-CSRFToken"] =
    csrfToken;
});

addEventListener("htmx:responseError", (event) => {
  const { xhr } = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail;
  tell(refusal(xhr.responseText) ?? words["failed"] ?? "", "danger");
});

addEventListener("htmx:sendError", () => tell(words["unreachable"] ?? "", "danger"));
addEventListener("htmx:afterOnLoad", () => withdraw(words["unreachable"] ?? ""));

/** Return what the server says about a refusal, in the reader's language. */
function refusal(text: string): string | null {
  try {
    const { message } = JSON.parse(text) as { message?: string };
    if (!message) return null;
    const first = message.charAt(0).toUpperCase() + message.slice(1);
    return /[.!?…)]$/.test(first) ? first : `${first}.`;
  } catch {
    return null;
  }
}

async function copy(button: HTMLElement): Promise<void> {
  const source = document.getElementById(button.dataset["copy"] ?? "");
  if (!source) return;
  try {
    await navigator.clipboard.writeText((source.textContent ?? "").trim());
    button.textContent = button.dataset["done"] ?? "";
  } catch {
    // Without the right to the clipboard, selecting the text is the next best thing.
    getSelection()?.selectAllChildren(source);
  }
}

document.addEventListener("click", (event) => {
  const target = event.target as Element;
  const button = target.closest<HTMLElement>("button[data-copy]");
  if (button) void copy(button);
  const opener = target.closest<HTMLElement>("[data-dialog]");
  if (opener) openDialog(opener.dataset["dialog"] ?? "");
  if (target.closest("[data-close]")) target.closest("dialog")?.close();
  // A click beside a dialogue closes it: the backdrop is the dialogue's own.
  if (target instanceof HTMLDialogElement && target.matches("[data-light]")) target.close();
});

function openDialog(id: string): void {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

document.addEventListener("change", (event) => {
  const target = event.target as HTMLElement;
  if (target.matches("[data-submit]")) (target as HTMLInputElement).form?.requestSubmit();
});

// Rows of tabs slide where they do not fit: the one that is open must not be out of sight.
for (const tab of document.querySelectorAll(".tabs [aria-current], .parts [aria-current]")) {
  tab.scrollIntoView({ block: "nearest", inline: "center" });
}

startMenus();
startLive();
