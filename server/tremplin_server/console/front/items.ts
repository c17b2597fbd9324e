// The console: the list of Jump Items, their groups, the panel, and the sessions in tabs.

import htmx from "htmx.org";
import "./items.css";
import { ContextMenu } from "./context-menu";
import { Grid, type Row } from "./grid";
import { tell } from "./messages";
import { element, language, refusals, url } from "./page";
import { startTree } from "./tree";
import { WorkTabs } from "./work-tabs";

const PANEL_DELAY_MS = 120;
/** How old the counts of the groups may become while the list changes. */
const COUNTS_MS = 10_000;
/** French puts a space that does not break in front of a colon. */
const COLON = language === "fr" ? "\u00a0: " : ": ";

const panel = element("panel");
const box = element<HTMLDialogElement>("box");
const tabs = new WorkTabs();
const grid = new Grid({ selected, show, open: jump, menu: (at) => menu.open(at), act });
const menu = new ContextMenu(act, () => grid.focus());

/** The item whose buttons in the panel were pressed, instead of the selected ones. */
let asked: string[] = [];
let panelTimer = 0;
/** The item whose panel could not be fetched. */
let missed = "";
let countTimer = 0;
let countedAt = 0;
let countedTotal = "";
/** What the person deletes with the dialogue that is open. */
let deleting: string[] = [];

function selected(keys: readonly string[]): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("#list [data-act]")) {
    button.disabled = !keys.length;
  }
  element("selected-count").textContent =
    keys.length > 1 ? ` · ${element("said").textContent ?? ""}` : "";
}

/** Show an item in the panel, unless the next one is chosen at once. */
function show(key: string): void {
  clearTimeout(panelTimer);
  if (panel.dataset["key"] === key) return;
  panelTimer = setTimeout(() => showPanel(key), PANEL_DELAY_MS);
}

function showPanel(key: string): void {
  missed = "";
  const address = url("panel").replace("KEY", encodeURIComponent(key));
  const asking = htmx.ajax("get", address, { source: "#panel", target: "#panel", swap: "innerHTML" });
  // The server is away: what was asked for comes with its return.
  void asking.then(
    () => (panel.dataset["key"] = key),
    () => (missed = key),
  );
  const here = new URL(location.href);
  here.searchParams.set("item", key);
  history.replaceState(history.state, "", here);
}

document.body.addEventListener("live", () => {
  if (grid.keys().includes(missed)) showPanel(missed);
});

function act(name: string): void {
  const whole = !asked.length && grid.whole;
  const keys = asked.length ? asked : grid.keys();
  asked = [];
  deleting = [];
  if (whole && (name === "properties" || name === "delete")) {
    openBox(`${url(`all_${name}`)}${location.search}`);
    return;
  }
  if (!keys.length) return;
  if (name === "delete") deleting = keys;
  if (name === "jump") jump(keys);
  else openBox(`${url(name)}?${new URLSearchParams(keys.map((key) => ["item", key]))}`);
}

function jump(keys: readonly string[]): void {
  const refused: Row[] = [];
  for (const row of grid.rows(keys)) {
    if (row.method === "rdp") location.assign(`/console/shortcuts/${row.id}`);
    else if (row.state === "online" || row.state === "resting") tabs.open(row);
    else refused.push(row);
  }
  const first = refused[0];
  if (first) tell(`${first.name}${COLON}${refusals[first.state] ?? first.stateWord}.`, "danger");
  if (refused.length < keys.length) tabs.showLast();
}

// --- dialogues ----------------------------------------------------------------------------

function openBox(address: string): void {
  void htmx.ajax("get", address, { source: "#box-content", target: "#box-content", swap: "innerHTML" }).then(
    showBox,
    () => undefined, // A message has told that the server is away.
  );
}

function showBox(): void {
  if (!element("box-content").childElementCount) return;
  box.classList.toggle("wide", Boolean(box.querySelector(".fields")));
  if (!box.open) box.showModal();
  box.querySelector<HTMLElement>("input:not([type=hidden]), select, textarea")?.focus();
}

box.addEventListener("close", () => {
  element("box-content").replaceChildren();
  grid.focus();
});

// Somebody else was quicker: what the dialogue is about is gone. The message tells so.
document.body.addEventListener("htmx:responseError", (event) => {
  const { xhr, target } = (event as CustomEvent<{ xhr: XMLHttpRequest; target: Element }>).detail;
  if (xhr.status !== 404 || !box.contains(target)) return;
  if (box.open) box.close();
  again();
});

document.body.addEventListener("items-done", (event) => {
  box.close();
  // Whoever deleted it need not be told that somebody did.
  if (deleting.includes(panel.dataset["key"] ?? "")) emptyPanel();
  deleting = [];
  tell((event as CustomEvent<{ value: string }>).detail.value, "success");
  again();
});

function again(): void {
  htmx.trigger("#rows", "again");
  recount();
}

function recount(): void {
  clearTimeout(countTimer);
  countTimer = 0;
  countedAt = performance.now();
  countedTotal = total();
  htmx.trigger(document.body, "counts");
}

/** Let the groups follow the list: at once when it has become longer or shorter, else late. */
function countsSoon(): void {
  if (total() !== countedTotal) recount();
  else countTimer ||= setTimeout(recount, Math.max(0, countedAt + COUNTS_MS - performance.now()));
}

function total(): string {
  return document.getElementById("grid")?.getAttribute("aria-rowcount") ?? "";
}

// --- the list and the panel in step ---------------------------------------------------------

document.addEventListener("click", (event) => {
  const target = event.target as Element;
  const button = target.closest<HTMLElement>("[data-act]");
  if (button && !button.closest("#context-menu")) {
    const key = button.dataset["for"];
    asked = key ? [key] : [];
    act(button.dataset["act"] ?? "");
  }
  if (target.closest("#refresh")) again();
  if (target.closest("[data-panel-close]")) closePanel();
});

function closePanel(): void {
  emptyPanel();
  grid.clear();
}

function emptyPanel(): void {
  clearTimeout(panelTimer);
  delete panel.dataset["key"];
  panel.replaceChildren(element<HTMLTemplateElement>("panel-nothing").content.cloneNode(true));
  const address = new URL(location.href);
  address.searchParams.delete("item");
  history.replaceState(history.state, "", address);
}

// What is empty in the form need not stand in the address.
document.body.addEventListener("htmx:configRequest", (event) => {
  const { detail } = event as CustomEvent<{ elt: Element; parameters: FormData }>;
  if (detail.elt.id !== "list-search") return;
  for (const name of ["state", "method", "q"]) {
    if (!detail.parameters.get(name)) detail.parameters.delete(name);
  }
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  const target = event.target as HTMLElement;
  if (target.id !== "list" && target.id !== "rows") return;
  grid.refreshed(target.id === "list");
  // What the menu was about has gone meanwhile: somebody deleted it.
  if (!grid.keys().length) menu.close();
  if (target.id === "rows") countsSoon();
});

startTree();
grid.refreshed(true);
countedTotal = total();
