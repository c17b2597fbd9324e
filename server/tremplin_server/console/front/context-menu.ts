// The menu at a row of the list.

import { element } from "./page";

export class ContextMenu {
  private readonly menu = element("context-menu");

  constructor(
    private readonly act: (name: string) => void,
    private readonly leave: () => void,
  ) {
    this.menu.addEventListener("click", (event) => {
      const item = (event.target as Element).closest<HTMLElement>("[data-act]");
      if (!item) return;
      this.close();
      this.act(item.dataset["act"] ?? "");
    });
    this.menu.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.contains(event.target as Node)) this.close();
    });
    addEventListener("blur", () => this.close());
    addEventListener("resize", () => this.close());
  }

  open(at: { x: number; y: number }): void {
    this.menu.hidden = false;
    const { width, height } = this.menu.getBoundingClientRect();
    this.menu.style.left = `${Math.max(4, Math.min(at.x, innerWidth - width - 4))}px`;
    this.menu.style.top = `${Math.max(4, Math.min(at.y, innerHeight - height - 4))}px`;
    this.items()[0]?.focus();
  }

  close(): void {
    this.menu.hidden = true;
  }

  private items(): HTMLElement[] {
    return [...this.menu.querySelectorAll<HTMLElement>("[data-act]")];
  }

  private pressed(event: KeyboardEvent): void {
    const items = this.items();
    const at = items.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const step = steps[event.key];
    if (step !== undefined) items.at(step % items.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") {
      this.close();
      this.leave();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
