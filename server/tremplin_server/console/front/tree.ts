// The groups beside the list: unfolding their tags, and showing a group's items.

import htmx from "htmx.org";
import { element } from "./page";

/** Below this width the groups fold away over the list. */
const NARROW = "(max-width: 61.99rem)";

export function startTree(): void {
  const fold = element<HTMLDetailsElement>("tree-fold");
  const narrow = matchMedia(NARROW);
  const fit = (): void => {
    fold.open = !narrow.matches;
  };
  fit();
  narrow.addEventListener("change", fit);
  element("tree").addEventListener("click", (event) => {
    const target = event.target as Element;
    const arrow = target.closest<HTMLElement>("button.tree-arrow");
    if (arrow) unfold(arrow);
    const link = target.closest<HTMLAnchorElement>("a[data-group]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      show(link);
      if (narrow.matches) fold.open = false;
    }
  });
  element("tree").addEventListener("keydown", arrows);
  element("tree").addEventListener("focusin", (event) => {
    if ((event.target as Element).matches("a")) rove(event.target as HTMLElement);
  });
  element("tree").addEventListener("htmx:configRequest", (event) => {
    if (event.target === event.currentTarget) keepUnfolded(event as CustomEvent);
  });
  rove();
  document.body.addEventListener("htmx:pushedIntoHistory", mark);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if ((event.target as Element).closest("#tree")) mark();
  });
}

function unfold(arrow: HTMLElement): void {
  const open = arrow.getAttribute("aria-expanded") !== "true";
  arrow.setAttribute("aria-expanded", String(open));
  const tags = element(arrow.getAttribute("aria-controls") ?? "");
  tags.hidden = !open;
  if (open) htmx.trigger(arrow, "unfold");
}

/** What is unfolded comes unfolded when the groups are asked for again. */
function keepUnfolded(event: CustomEvent<{ parameters: FormData }>): void {
  const open = element("tree").querySelectorAll<HTMLElement>('button[aria-expanded="true"]');
  for (const { dataset } of open) {
    event.detail.parameters.append("unfolded", dataset["unfolds"] ?? "");
  }
}

function show(link: HTMLAnchorElement): void {
  void htmx
    .ajax("get", link.href, { source: "#list", target: "#list", swap: "innerHTML" })
    .then(
      () => {
        history.pushState({ htmx: true }, "", link.href);
        mark();
      },
      () => undefined, // A message has told that the server is away.
    );
}

/** Mark the group, or the tag, that the address names. */
function mark(): void {
  const { searchParams } = new URL(location.href);
  const group = searchParams.get("group") ?? "";
  const tag = searchParams.get("tag") ?? "";
  for (const link of document.querySelectorAll<HTMLElement>("#tree a[data-group]")) {
    const here = link.dataset["group"] === group && (link.dataset["tag"] ?? "") === tag;
    if (here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  rove();
}

/** Leave one stop for the Tab key in all the groups; the arrow keys go on from there. */
function rove(to?: HTMLElement): void {
  const tree = element("tree");
  const stop =
    to ?? tree.querySelector<HTMLElement>("a[aria-current]") ?? tree.querySelector<HTMLElement>("a");
  for (const one of tree.querySelectorAll<HTMLElement>("a, button.tree-arrow")) {
    one.tabIndex = one === stop ? 0 : -1;
  }
}

function arrows(event: KeyboardEvent): void {
  const at = document.activeElement as HTMLElement;
  const row = at.closest("li");
  const arrow = row?.querySelector<HTMLElement>(":scope > .tree-row > button.tree-arrow");
  const open = arrow?.getAttribute("aria-expanded") === "true";
  if (arrow && ((event.key === "ArrowRight" && !open) || (event.key === "ArrowLeft" && open))) {
    unfold(arrow);
    event.preventDefault();
    return;
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...element("tree").querySelectorAll<HTMLElement>("a")].filter((a) => a.offsetParent);
  const link = row?.querySelector<HTMLElement>("a");
  const to = link ? links.indexOf(link) + (event.key === "ArrowDown" ? 1 : -1) : 0;
  links[Math.max(0, Math.min(links.length - 1, to))]?.focus();
  event.preventDefault();
}
