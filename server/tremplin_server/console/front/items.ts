// The console: the list of Jump Items, their groups, the panel, and the sessions in tabs.

import htmx from "htmx.org";
import "./items.css";
import { ContextMenu } from "./context-menu";
import { Grid, type Row } from "./grid";
import { tell } from "./messages";
import { element, say, url } from "./page";
import { startTree } from "./tree";
import { WorkTabs } from "./work-tabs";

const PANEL_DELAY_MS = 120;

const panel = element("panel");
const box = element<HTMLDialogElement>("box");
const tabs = new WorkTabs();
const grid = new Grid({ selected, show, open: jump, menu: (at) => menu.open(at), act });
const menu = new ContextMenu(act, () => grid.focus());

/** The item whose buttons in the panel were pressed, instead of the selected ones. */
let asked: string[] = [];
let panelTimer = 0;

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
  panel.dataset["key"] = key;
  void htmx.ajax("get", url("panel").replace("KEY", encodeURIComponent(key)), {
    source: "#panel",
    target: "#panel",
    swap: "innerHTML",
  });
  const address = new URL(location.href);
  address.searchParams.set("item", key);
  history.replaceState(history.state, "", address);
}

function act(name: string): void {
  const whole = !asked.length && grid.whole;
  const keys = asked.length ? asked : grid.keys();
  asked = [];
  if (whole && (name === "properties" || name === "delete")) {
    openBox(`${url(`all_${name}`)}${location.search}`);
    return;
  }
  if (!keys.length) return;
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
  if (first) tell(`${first.name}: ${say("not_here", { state: first.stateWord })}`, "danger");
  if (refused.length < keys.length) tabs.showLast();
}

// --- dialogues ----------------------------------------------------------------------------

function openBox(address: string): void {
  void htmx.ajax("get", address, { source: "#box-content", target: "#box-content", swap: "innerHTML" }).then(() => {
    if (!element("box-content").childElementCount) return;
    box.classList.toggle("wide", Boolean(box.querySelector(".fields")));
    if (!box.open) box.showModal();
    box.querySelector<HTMLElement>("input:not([type=hidden]), select, textarea")?.focus();
  });
}

box.addEventListener("close", () => {
  element("box-content").replaceChildren();
  grid.focus();
});

document.body.addEventListener("items-done", (event) => {
  box.close();
  tell((event as CustomEvent<{ value: string }>).detail.value, "success");
  again();
});

function again(): void {
  htmx.trigger("#rows", "again");
  htmx.trigger(document.body, "counts");
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
  delete panel.dataset["key"];
  panel.replaceChildren();
  grid.clear();
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
  if (target.id === "list" || target.id === "rows") grid.refreshed(target.id === "list");
});

startTree();
grid.refreshed(true);
