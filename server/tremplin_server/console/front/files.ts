// The files tab of a Jump Client.

import { confirmed, typed } from "./dialogs";
import { dropped } from "./dropped";
import {
  ask,
  element,
  make,
  mayStart,
  openedBefore,
  reason,
  Refused,
  runs,
  say,
  typedInto,
  url,
} from "./page";
import "./files.css";
import "./sessions.css";
import { bytes, localTimes, moment } from "./show";
import { Uploads } from "./uploads";

interface Entry {
  /** Of the host, percent-encoded: names are bytes there. */
  path: string;
  name: string;
  kind: "file" | "directory" | "link" | "other";
  leads_to?: Entry["kind"];
  size: number;
  modified: number | null;
  mode: string;
  owner: string;
}

interface Listing {
  path: string;
  name: string;
  truncated: boolean;
  entries: Entry[];
}

type Column = "name" | "size" | "modified";

const HIDDEN_KEY = "files-hidden";
const panel = element("files-panel");
const form = element<HTMLFormElement>("files-form");
const browser = element("files-browser");
const rows = element("files-rows");
const crumbs = element("files-crumbs");
const message = element("files-message");
const chooser = element<HTMLInputElement>("files-chooser");
const hidden = element<HTMLInputElement>("files-hidden");

let shown: Listing | null = null;
let sortedBy: Column = "name";
let descending = false;
let asked = 0;

const uploads = new Uploads(
  (name) =>
    confirmed({
      title: say("replace_title"),
      text: say("replace_text", { name }),
      action: say("replace"),
      danger: true,
    }),
  () => void refresh(),
);

// --- opening and closing ----------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = typedInto(form);
  void attempt(() => begin(() => ask<Listing>(url("open"), asked)));
});

element("files-close").addEventListener("click", () => {
  void attempt(async () => {
    await ask(url("close"), {});
    closed();
  });
});

async function begin(opening: () => Promise<Listing>): Promise<void> {
  const button = form.querySelector("button");
  button?.setAttribute("disabled", "");
  try {
    show(await opening());
    runs(true);
    panel.hidden = true;
    browser.hidden = false;
  } finally {
    button?.removeAttribute("disabled");
  }
}

function closed(): void {
  runs(false);
  shown = null;
  browser.hidden = true;
  panel.hidden = false;
}

/** Do something and show what is wrong with it, if anything is. */
async function attempt(act: () => Promise<void>): Promise<void> {
  message.hidden = true;
  try {
    await act();
  } catch (error) {
    if (error instanceof Refused && /^(files\.closed|session\..*)$/.test(error.code)) closed();
    message.textContent = reason(error);
    message.hidden = false;
    message.scrollIntoView({ block: "nearest" });
  }
}

// --- showing ----------------------------------------------------------------------------

async function enter(path: string): Promise<void> {
  const mine = ++asked;
  browser.setAttribute("aria-busy", "true");
  try {
    const found = await ask<Listing>(`${url("list")}?${new URLSearchParams({ path })}`);
    // Somebody who clicks on has no use for an answer that comes late.
    if (mine === asked) show(found);
  } finally {
    if (mine === asked) browser.removeAttribute("aria-busy");
  }
}

async function refresh(): Promise<void> {
  const path = shown?.path;
  if (path !== undefined) await attempt(() => enter(path));
}

function show(listing: Listing): void {
  shown = listing;
  history.replaceState(null, "", `#${listing.path}`);
  showCrumbs(listing);
  const entries = listing.entries
    .filter((entry) => hidden.checked || !entry.name.startsWith("."))
    .sort(order);
  rows.replaceChildren(...entries.map(row));
  element("files-empty").hidden = entries.length > 0;
  const hiddenOnes = listing.entries.length - entries.length;
  element("files-count").textContent = say(hiddenOnes ? "count_hidden" : "count", {
    count: entries.length,
    hidden: hiddenOnes,
  });
  element("files-truncated").hidden = !listing.truncated;
}

function order(one: Entry, other: Entry): number {
  const directories = Number(isDirectory(other)) - Number(isDirectory(one));
  if (directories) return directories;
  const names = one.name.localeCompare(other.name, undefined, { numeric: true });
  const by = { name: names, size: one.size - other.size, modified: age(one) - age(other) }[sortedBy];
  return (descending ? -by : by) || names;
}

function age(entry: Entry): number {
  return entry.modified ?? 0;
}

function isDirectory(entry: Entry): boolean {
  return (entry.leads_to ?? entry.kind) === "directory";
}

function isFile(entry: Entry): boolean {
  return (entry.leads_to ?? entry.kind) === "file";
}

function showCrumbs({ path, name }: Listing): void {
  const keys = path.split("/").filter(Boolean);
  const names = name.split("/").filter(Boolean);
  const links = [link("/", "/")];
  keys.forEach((_key, at) => {
    links.push(link(`/${keys.slice(0, at + 1).join("/")}`, names[at] ?? ""));
  });
  links.at(-1)?.setAttribute("aria-current", "page");
  crumbs.replaceChildren(...links.map((one) => make("li", {}, one)));
  element<HTMLButtonElement>("files-up").disabled = keys.length === 0;
}

function link(path: string, text: string): HTMLAnchorElement {
  const made = make("a", { href: `#${path}`, textContent: text });
  made.addEventListener("click", (event) => {
    event.preventDefault();
    void attempt(() => enter(path));
  });
  return made;
}

function row(entry: Entry): HTMLTableRowElement {
  const kind = isDirectory(entry) ? "directory" : isFile(entry) ? "file" : "other";
  const name = make("td", { className: `files-name ${kind}` }, named(entry));
  if (entry.kind === "link") name.append(make("span", { className: "second" }, say("link")));
  const size = isDirectory(entry) ? "" : bytes(entry.size);
  const made = make(
    "tr",
    {},
    name,
    make("td", { className: "number files-size", textContent: size }),
    make("td", { className: "number tight files-time", textContent: moment(entry.modified) }),
    make("td", { className: "files-mode" }, make("code", {}, entry.mode), " ", entry.owner),
    make("td", { className: "files-actions" }, ...actions(entry)),
  );
  return made;
}

function named(entry: Entry): Node {
  if (isDirectory(entry)) return link(entry.path, entry.name);
  if (isFile(entry)) return download(entry, entry.name);
  return make("span", {}, entry.name);
}

function download(entry: Entry, text: string): HTMLAnchorElement {
  const query = new URLSearchParams({ path: entry.path });
  return make("a", { href: `${url("content")}?${query}`, download: entry.name, textContent: text });
}

function actions(entry: Entry): HTMLElement[] {
  const made: HTMLElement[] = [];
  if (isFile(entry)) {
    const button = download(entry, say("download"));
    button.className = "btn btn-sm";
    made.push(button);
  }
  made.push(button(say("rename"), entry, () => rename(entry)));
  const remove = button(say("delete"), entry, () => destroy(entry));
  remove.classList.add("btn-outline-danger");
  return [...made, remove];
}

function button(text: string, entry: Entry, act: () => Promise<void>): HTMLButtonElement {
  const made = make("button", { type: "button", className: "btn btn-sm", textContent: text });
  made.setAttribute("aria-label", `${text}: ${entry.name}`);
  made.addEventListener("click", () => void attempt(act));
  return made;
}

// --- changing ---------------------------------------------------------------------------

/** Return the path of a name in the directory that is shown. */
function below(name: string, directory = shown?.path ?? "/"): string {
  return `${directory.replace(/\/$/, "")}/${encodeURIComponent(name)}`;
}

async function rename(entry: Entry): Promise<void> {
  const name = await typed({
    title: say("rename_title", { name: entry.name }),
    field: say("new_name"),
    value: entry.name,
    action: say("rename"),
  });
  if (!name || name === entry.name) return;
  const target = name.startsWith("/") ? encodeURI(name) : below(name);
  await ask(url("rename"), { path: entry.path, target });
  await refresh();
}

async function destroy(entry: Entry): Promise<void> {
  const directory = entry.kind === "directory";
  const sure = await confirmed({
    title: say("delete_title", { name: entry.name }),
    text: say(directory ? "delete_directory" : "delete_file"),
    action: say("delete"),
    danger: true,
  });
  if (!sure) return;
  await ask(url("delete"), { path: entry.path });
  await refresh();
}

async function makeDirectory(): Promise<void> {
  const name = await typed({
    title: say("mkdir_title"),
    field: say("directory_name"),
    action: say("create"),
  });
  if (!name) return;
  await ask(url("mkdir"), { path: below(name) });
  await refresh();
}

/** Upload files, with the directories that they stand in. */
async function upload(files: AsyncIterable<{ file: File; within: string[] }>): Promise<void> {
  const made = new Set<string>();
  const start = shown?.path;
  for await (const { file, within } of files) {
    let directory = start ?? "/";
    for (const name of within) {
      directory = below(name, directory);
      if (made.has(directory)) continue;
      made.add(directory);
      await madeOrThere(directory);
    }
    uploads.add({ file, path: below(file.name, directory) });
  }
}

async function madeOrThere(directory: string): Promise<void> {
  try {
    await ask(url("mkdir"), { path: directory });
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "files.exists") throw error;
  }
}

async function* chosen(files: FileList): AsyncIterable<{ file: File; within: string[] }> {
  for (const file of files) yield { file, within: [] };
}

// --- the page ---------------------------------------------------------------------------

element("files-up").addEventListener("click", () => {
  const parent = (shown?.path ?? "/").replace(/\/[^/]*$/, "") || "/";
  void attempt(() => enter(parent));
});
element("files-refresh").addEventListener("click", () => void refresh());
element("files-mkdir").addEventListener("click", () => void attempt(makeDirectory));
element("files-upload").addEventListener("click", () => chooser.click());
chooser.addEventListener("change", () => {
  const { files } = chooser;
  if (files) void attempt(() => upload(chosen(files))).then(() => (chooser.value = ""));
});
hidden.checked = localStorage.getItem(HIDDEN_KEY) === "1";
hidden.addEventListener("change", () => {
  localStorage.setItem(HIDDEN_KEY, hidden.checked ? "1" : "0");
  if (shown) show(shown);
});

for (const head of document.querySelectorAll<HTMLButtonElement>("[data-sort]")) {
  head.addEventListener("click", () => {
    const column = head.dataset["sort"] as Column;
    descending = column === sortedBy && !descending;
    sortedBy = column;
    for (const cell of document.querySelectorAll("th[aria-sort]")) cell.ariaSort = "none";
    const cell = head.closest("th");
    if (cell) cell.ariaSort = descending ? "descending" : "ascending";
    if (shown) show(shown);
  });
}

let over = 0;
browser.addEventListener("dragenter", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  over += 1;
  browser.classList.add("over");
});
browser.addEventListener("dragleave", () => {
  over = Math.max(0, over - 1);
  if (!over) browser.classList.remove("over");
});
browser.addEventListener("dragover", (event) => event.preventDefault());
browser.addEventListener("drop", (event) => {
  event.preventDefault();
  over = 0;
  browser.classList.remove("over");
  const items = event.dataTransfer;
  if (items) void attempt(() => upload(dropped(items)));
});

localTimes();
// A page that is loaded again goes on where it was.
if (openedBefore) {
  void attempt(() => begin(() => ask<Listing>(`${url("list")}?path=${encodeURIComponent(location.hash.slice(1))}`)));
} else if (new URLSearchParams(location.search).has("start") && mayStart(form)) {
  // A Jump from the console asks for no reason first, unless the Jump Policy wants something.
  form.requestSubmit();
}
