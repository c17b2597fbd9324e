// Sessions in tabs of the console: each with shell, files, system and recordings, in frames
// that stay alive while another tab is shown.

import { confirmed } from "./dialogs";
import type { Row } from "./grid";
import { element, make, RUNS, say, url } from "./page";

const PARTS = ["shell", "files", "system", "recordings"] as const;
type Part = (typeof PARTS)[number];

interface Work {
  readonly row: Row;
  readonly tab: HTMLElement;
  readonly panel: HTMLElement;
  readonly frames: Map<Part, HTMLIFrameElement>;
}

export class WorkTabs {
  private readonly bar = element("work-tabs");
  private readonly items = element("items");
  private readonly itemsTab = element("tab-items");
  private readonly works: Work[] = [];
  private number = 0;

  constructor() {
    this.itemsTab.addEventListener("click", () => this.show(null));
    this.bar.addEventListener("keydown", (event) => this.pressed(event));
    addEventListener("beforeunload", (event) => {
      if (this.works.some(runs)) event.preventDefault();
    });
  }

  /** Open a session with an item, or show the one that is open. */
  open(row: Row): void {
    const known = this.works.find((work) => work.row.key === row.key);
    if (known) this.show(known);
    else this.works.push(this.make(row));
  }

  showLast(): void {
    this.show(this.works.at(-1) ?? null);
  }

  private make(row: Row): Work {
    this.number += 1;
    const id = `work-${this.number}`;
    const words = make("span", { textContent: row.name, dir: "auto" });
    const tab = make("button", { type: "button", id: `tab-${id}`, title: row.name }, words);
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", id);
    const close = make("button", { type: "button", className: "btn-close" });
    close.setAttribute("aria-label", say("close", { name: row.name }));
    const holder = make("span", { className: "work-tab" }, tab, close);
    holder.setAttribute("role", "presentation");
    const panel = make("section", { id, className: "work" });
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", say("session_with", { name: row.name }));
    const work: Work = { row, tab: holder, panel, frames: new Map() };
    tab.addEventListener("click", () => this.show(work));
    close.addEventListener("click", () => void this.close(work));
    panel.append(this.parts(work));
    this.bar.append(holder);
    element("sessions").append(panel);
    this.part(work, "shell");
    return work;
  }

  private parts(work: Work): HTMLElement {
    const bar = make("div", { className: "work-parts" });
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", work.row.name);
    for (const part of PARTS) {
      const button = make("button", { type: "button", textContent: say(part) });
      button.dataset["part"] = part;
      button.addEventListener("click", () => this.part(work, part));
      bar.append(button);
    }
    return bar;
  }

  /** Show a part of a session; its frame is made when it is wanted first. */
  private part(work: Work, part: Part): void {
    let frame = work.frames.get(part);
    if (!frame) {
      frame = make("iframe", { title: `${work.row.name} · ${say(part)}` });
      frame.allow = "clipboard-read; clipboard-write; fullscreen";
      frame.src = url(part).replace("ID", work.row.id);
      work.frames.set(part, frame);
      work.panel.append(frame);
    }
    // The browser's own page about a server that was away is nobody's document.
    else if (!frame.contentDocument) frame.src = url(part).replace("ID", work.row.id);
    for (const [name, other] of work.frames) other.hidden = name !== part;
    for (const button of work.panel.querySelectorAll<HTMLElement>("[data-part]")) {
      button.setAttribute("aria-pressed", String(button.dataset["part"] === part));
    }
    frame.focus();
  }

  private show(shown: Work | null): void {
    this.bar.hidden = !this.works.length;
    this.items.hidden = shown !== null;
    this.itemsTab.setAttribute("aria-selected", String(shown === null));
    this.itemsTab.tabIndex = shown === null ? 0 : -1;
    for (const work of this.works) {
      work.panel.hidden = work !== shown;
      const tab = work.tab.querySelector<HTMLElement>("[role=tab]");
      tab?.setAttribute("aria-selected", String(work === shown));
      if (tab) tab.tabIndex = work === shown ? 0 : -1;
    }
    document.title = `${shown?.row.name ?? say("title")} · Tremplin`;
    document.body.classList.toggle("working", shown !== null);
  }

  private async close(work: Work): Promise<void> {
    const name = work.row.name;
    const question = {
      title: say("close_title"),
      text: say("close_text", { name }),
      action: say("close_action"),
    };
    if (runs(work) && !(await confirmed(question))) return;
    const at = this.works.indexOf(work);
    this.works.splice(at, 1);
    work.tab.remove();
    // A frame that would ask before it leaves was just answered for.
    for (const frame of work.frames.values()) frame.remove();
    work.panel.remove();
    this.show(this.works[Math.min(at, this.works.length - 1)] ?? null);
    this.bar.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
  }

  private pressed(event: KeyboardEvent): void {
    const tabs = [...this.bar.querySelectorAll<HTMLElement>("[role=tab]")];
    const at = tabs.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    const steps: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 };
    const step = steps[event.key];
    if (step !== undefined) {
      const to = tabs.at(step % tabs.length);
      to?.focus();
      to?.click();
      to?.focus();
    } else if (event.key === "Delete" && at > 0) {
      tabs[at]?.parentElement?.querySelector<HTMLElement>(".btn-close")?.click();
    } else return;
    event.preventDefault();
  }
}

/** Whether something is lost with a tab: a frame says so once its session runs. */
function runs(work: Work): boolean {
  return [...work.frames.values()].some(({ contentDocument }) =>
    Boolean(contentDocument?.documentElement.hasAttribute(RUNS)),
  );
}
