// The player of a recording.

import { create } from "asciinema-player";
import "asciinema-player/dist/bundle/asciinema-player.css";
import { element, pageData, url } from "./page";
import "./player.css";

const place = element("player");

/** The player speaks English only: put the page's words in place of its own. */
function translate(root: Node, words: Readonly<Record<string, string>>): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    const found = words[node.data.trim()];
    if (found !== undefined) node.data = node.data.replace(node.data.trim(), found);
  }
  if (!(root instanceof Element)) return;
  for (const named of [root, ...root.querySelectorAll("[aria-label]")]) {
    const found = words[named.getAttribute("aria-label") ?? ""];
    if (found !== undefined) named.setAttribute("aria-label", found);
  }
}

const { words } = pageData();
new MutationObserver((changes) => {
  for (const change of changes) {
    if (change.type === "attributes") translate(change.target, words);
    for (const node of change.addedNodes) translate(node, words);
  }
}).observe(place, { childList: true, subtree: true, attributeFilter: ["aria-label"] });

create(url("cast"), place, {
  fit: "width",
  idleTimeLimit: 2,
  preload: true,
  terminalFontFamily: '"Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  theme: "asciinema",
});
