// Menus are <details class="menu">: they open without script. Here they learn to close.

export function startMenus(): void {
  document.addEventListener("click", (event) => close(event.target as Element));
  document.addEventListener("focusin", (event) => close(event.target as Element));
  document.addEventListener("keydown", (event) => {
    const menu = (event.target as Element).closest<HTMLDetailsElement>("details.menu[open]");
    if (!menu) return;
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary")?.focus();
      event.stopPropagation();
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") move(menu, event);
  });
}

/** Close every menu that `kept` is not in. */
function close(kept: Element): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!menu.contains(kept)) menu.open = false;
  }
}

function move(menu: HTMLDetailsElement, event: KeyboardEvent): void {
  const items = [...menu.querySelectorAll<HTMLElement>("a, button, input, select")];
  if (!items.length) return;
  const at = items.indexOf(document.activeElement as HTMLElement);
  const step = event.key === "ArrowDown" ? 1 : -1;
  const next = at < 0 && step < 0 ? items.length - 1 : at + step;
  items[(next + items.length) % items.length]?.focus();
  event.preventDefault();
}
