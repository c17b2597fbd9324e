// Selecting rows of the list with mouse and keyboard, as lists of files have taught everybody.

import { element, say } from "./page";

export interface Row {
  readonly key: string;
  readonly id: string;
  readonly method: string;
  readonly name: string;
  readonly state: string;
  readonly stateWord: string;
}

interface Listener {
  selected(keys: readonly string[]): void;
  /** One item alone was selected. */
  show(key: string): void;
  open(keys: readonly string[]): void;
  menu(at: { x: number; y: number }): void;
  act(name: string): void;
}

const PAGE_ROWS = 10;

export class Grid {
  private readonly chosen = new Set<string>();
  private current: string | null = null;
  private anchor: string | null = null;
  private beyond = false;

  constructor(private readonly listener: Listener) {
    const list = element("list");
    list.addEventListener("click", (event) => this.clicked(event));
    list.addEventListener("dblclick", (event) => this.doubled(event));
    list.addEventListener("keydown", (event) => this.pressed(event));
    list.addEventListener("contextmenu", (event) => this.asked(event));
    list.addEventListener("focusin", (event) => {
      const row = (event.target as Element).closest<HTMLElement>("tr[data-key]");
      if (row && row === event.target) this.point(row.dataset["key"] ?? null, false);
    });
  }

  keys(): string[] {
    return this.all()
      .map((row) => row.dataset["key"] ?? "")
      .filter((key) => this.chosen.has(key));
  }

  rows(keys: readonly string[]): Row[] {
    return keys.flatMap((key) => {
      const row = this.row(key) ?? document.querySelector<HTMLElement>(`[data-key="${key}"]`);
      const { id, method, name, state, stateWord } = row?.dataset ?? {};
      if (id === undefined || method === undefined) return [];
      return [{ key, id, method, name: name ?? "", state: state ?? "", stateWord: stateWord ?? "" }];
    });
  }

  focus(): void {
    (this.row(this.current) ?? this.all()[0])?.focus();
  }

  /** Whether everything that the list finds is selected, on all its pages. */
  get whole(): boolean {
    return this.beyond;
  }

  clear(): void {
    this.begin();
    this.paint();
  }

  /** The rows were replaced. anew: by another view, where nothing stays selected. */
  refreshed(anew: boolean): void {
    const known = new Set(this.all().map((row) => row.dataset["key"] ?? ""));
    for (const key of [...this.chosen]) if (anew || !known.has(key)) this.chosen.delete(key);
    if (anew) this.beyond = false;
    if (this.beyond) for (const key of known) this.chosen.add(key);
    if (this.current && !known.has(this.current)) this.current = null;
    this.point(this.current, document.activeElement === document.body && !anew && !!this.current);
    this.paint();
  }

  private all(): HTMLElement[] {
    return [...document.querySelectorAll<HTMLElement>("#grid tbody tr")];
  }

  private row(key: string | null): HTMLElement | null {
    return key ? document.querySelector<HTMLElement>(`#grid tr[data-key="${CSS.escape(key)}"]`) : null;
  }

  // --- mouse ----------------------------------------------------------------------------

  private clicked(event: MouseEvent): void {
    const target = event.target as Element;
    if (target instanceof HTMLInputElement && target.id === "select-all") {
      this.everything(target.checked);
      return;
    }
    if (target.closest("#select-search")) {
      this.everything(true);
      this.beyond = true;
      this.paint();
      this.focus();
      return;
    }
    const row = target.closest<HTMLElement>("#grid tbody tr");
    const key = row?.dataset["key"];
    if (!row || !key) return;
    const link = target.closest("a");
    if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
    if (link) event.preventDefault();
    if (event.shiftKey) this.extend(key);
    else if (event.ctrlKey || event.metaKey || target.closest(".c-box")) this.toggle(key);
    else this.only(key);
    this.point(key, true);
  }

  private doubled(event: MouseEvent): void {
    const row = (event.target as Element).closest<HTMLElement>("#grid tbody tr");
    if (!row || (event.target as Element).closest(".c-box")) return;
    this.listener.open(this.keys());
  }

  private asked(event: MouseEvent): void {
    const row = (event.target as Element).closest<HTMLElement>("#grid tbody tr");
    const key = row?.dataset["key"];
    if (!key) return;
    event.preventDefault();
    if (!this.chosen.has(key)) this.only(key);
    this.point(key, true);
    this.listener.menu({ x: event.clientX, y: event.clientY });
  }

  // --- keyboard -------------------------------------------------------------------------

  private pressed(event: KeyboardEvent): void {
    const row = event.target as HTMLElement;
    if (!row.matches("#grid tbody tr")) return;
    if (this.commanded(event, row)) {
      event.preventDefault();
      return;
    }
    const rows = this.all();
    const to = rows[aim(event.key, rows.indexOf(row), rows.length)];
    const key = to?.dataset["key"];
    if (!to || !key || to === row) return;
    event.preventDefault();
    if (event.shiftKey) this.extend(key);
    else if (!event.ctrlKey && !event.metaKey) this.only(key);
    this.point(key, true);
  }

  private commanded(event: KeyboardEvent, row: HTMLElement): boolean {
    const key = row.dataset["key"] ?? "";
    const control = event.ctrlKey || event.metaKey;
    if (event.key === " ") this.toggle(key);
    else if (control && event.key.toLowerCase() === "a") this.everything(true);
    else if (event.key === "Escape") this.everything(false);
    else if (event.key === "Enter" && event.altKey) this.on(key, () => this.listener.act("properties"));
    else if (event.key === "Enter") this.on(key, () => this.listener.open(this.keys()));
    else if (event.key === "Delete") this.on(key, () => this.listener.act("delete"));
    else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      const { left, bottom } = row.getBoundingClientRect();
      this.on(key, () => this.listener.menu({ x: left + 48, y: bottom }));
    } else return false;
    return true;
  }

  /** Do something with what is selected, or with the row that has the focus. */
  private on(key: string, act: () => void): void {
    if (!this.chosen.has(key)) this.only(key);
    act();
  }

  // --- what is selected -------------------------------------------------------------------

  private begin(): void {
    this.chosen.clear();
    this.beyond = false;
  }

  private only(key: string): void {
    this.begin();
    this.chosen.add(key);
    this.anchor = key;
    this.paint();
    this.listener.show(key);
  }

  private toggle(key: string): void {
    this.beyond = false;
    if (!this.chosen.delete(key)) this.chosen.add(key);
    this.anchor = key;
    this.paint();
  }

  private extend(key: string): void {
    const keys = this.all().map((row) => row.dataset["key"] ?? "");
    const ends = [keys.indexOf(this.anchor ?? key), keys.indexOf(key)].sort((a, b) => a - b);
    this.begin();
    for (const one of keys.slice(Math.max(0, ends[0] ?? 0), (ends[1] ?? 0) + 1)) this.chosen.add(one);
    this.paint();
  }

  private everything(yes: boolean): void {
    this.begin();
    if (yes) for (const row of this.all()) this.chosen.add(row.dataset["key"] ?? "");
    this.paint();
  }

  /** One row at a time takes part in the order of the Tab key. */
  private point(key: string | null, focus: boolean): void {
    const row = this.row(key) ?? this.all()[0];
    for (const other of document.querySelectorAll<HTMLElement>('#grid tbody tr[tabindex="0"]')) {
      if (other !== row) other.tabIndex = -1;
    }
    if (!row) return;
    row.tabIndex = 0;
    this.current = key;
    if (focus && document.activeElement !== row) row.focus();
  }

  private paint(): void {
    const rows = this.all();
    for (const row of rows) {
      const yes = this.chosen.has(row.dataset["key"] ?? "");
      row.setAttribute("aria-selected", String(yes));
      const box = row.querySelector<HTMLInputElement>(".c-box input");
      if (box) box.checked = yes;
    }
    const all = document.querySelector<HTMLInputElement>("#select-all");
    if (all) {
      all.checked = this.chosen.size > 0 && this.chosen.size === rows.length;
      all.indeterminate = this.chosen.size > 0 && !all.checked;
    }
    const more = document.getElementById("select-search");
    if (more) more.hidden = this.beyond || !all?.checked;
    const count = this.beyond && more ? (more.dataset["total"] ?? "") : this.chosen.size;
    element("said").textContent = this.chosen.size > 1 ? say("selected", { count }) : "";
    this.listener.selected(this.keys());
  }
}

function aim(key: string, at: number, count: number): number {
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + PAGE_ROWS,
    PageUp: at - PAGE_ROWS,
    Home: 0,
    End: count - 1,
  };
  const to = steps[key];
  return to === undefined ? at : Math.max(0, Math.min(count - 1, to));
}
