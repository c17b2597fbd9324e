// The terminal tab of a Jump Client.

import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { type Ending, Link } from "./link";
import { element, mayAskAgain, mayStart, runs, say, sentence, typedInto } from "./page";
import { localTimes } from "./show";
import "./sessions.css";
import "./terminal.css";

const SCROLLBACK_LINES = 10_000;
const SIZES = [11, 12, 13, 14, 16, 18, 20, 24];
const SIZE_KEY = "terminal-font-size";

allowStyles();

const panel = element("terminal-panel");
const form = element<HTMLFormElement>("terminal-form");
const notice = element("terminal-notice");
const stage = element("terminal-stage");
const screen = element("terminal-screen");
const state = element("terminal-state");
const overlay = element("terminal-overlay");
const overlayText = element("terminal-overlay-text");
const again = element<HTMLButtonElement>("terminal-again");
const encoder = new TextEncoder();

const terminal = new Terminal({
  allowProposedApi: true,
  cursorBlink: true,
  fontFamily: '"Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSize: savedSize(),
  macOptionIsMeta: true,
  minimumContrastRatio: 4.5,
  scrollback: SCROLLBACK_LINES,
  theme: {
    background: "#0d1719",
    foreground: "#dfe9e9",
    cursor: "#6fcfd0",
    cursorAccent: "#0d1719",
    selectionBackground: "#2b6b70",
    scrollbarSliderBackground: "#34494d",
    scrollbarSliderHoverBackground: "#4a656a",
  },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.loadAddon(new Unicode11Addon());
terminal.loadAddon(new WebLinksAddon());
terminal.unicode.activeVersion = "11";

const link = new Link(
  {
    opened(returned) {
      overlay.hidden = true;
      show("open", say(returned ? "returned" : "connected"));
      terminal.options.disableStdin = false;
      terminal.focus();
    },
    output: (data, done) => terminal.write(data, done),
    broken(seconds) {
      show("broken", say("broken"));
      cover(say("reconnecting", { seconds }), false);
    },
    ended(ending) {
      terminal.options.disableStdin = true;
      if (mayAskAgain(ending.code)) {
        askAgain(ending.message);
        return;
      }
      show("ended", say("ended"));
      cover(farewell(ending), true);
    },
  },
  () => ({ columns: terminal.cols, rows: terminal.rows }),
);

function farewell(ending: Ending): string {
  if (ending.message) return sentence(ending.message);
  if (ending.code === "moved") return say("moved");
  if (ending.code) return say("lost");
  if (ending.signal) return say("signal", { signal: ending.signal });
  return ending.status === null ? say("over") : say("exited", { status: ending.status });
}

function show(kind: string, text: string): void {
  state.dataset["link"] = kind;
  state.textContent = text;
  const over = kind === "ended";
  runs(!over);
  for (const id of ["terminal-close", "terminal-paste"]) element<HTMLButtonElement>(id).disabled = over;
}

function cover(text: string, final: boolean): void {
  overlayText.textContent = text;
  again.hidden = !final;
  overlay.classList.toggle("final", final);
  overlay.hidden = false;
  if (final) again.focus();
}

function start(): void {
  panel.hidden = true;
  stage.hidden = false;
  notice.hidden = true;
  if (!terminal.element) terminal.open(screen);
  terminal.reset();
  fit.fit();
  overlay.hidden = true;
  show("starting", say("starting"));
  void link.open(typedInto(form));
}

/** Ask for what the Jump Policy wants: the start was refused. */
function askAgain(why: string): void {
  runs(false);
  stage.hidden = true;
  panel.hidden = false;
  notice.textContent = why && sentence(why);
  notice.hidden = !why;
  const empty = form.querySelector<HTMLInputElement>("input:invalid");
  (empty ?? form.querySelector("input"))?.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
again.addEventListener("click", () => (form.checkValidity() ? start() : askAgain("")));
element("terminal-close").addEventListener("click", () => link.close());

// --- typing, copying, pasting -----------------------------------------------------------

terminal.onData((text) => link.type(encoder.encode(text)));
terminal.onBinary((text) => link.type(Uint8Array.from(text, (one) => one.charCodeAt(0))));

async function copy(): Promise<void> {
  const text = terminal.getSelection();
  if (!text) return;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the right to the clipboard the browser's own menu still copies.
    document.execCommand("copy");
  }
  terminal.focus();
}

async function paste(): Promise<void> {
  try {
    terminal.paste(await navigator.clipboard.readText());
  } catch {
    show("open", say("paste_with_keys"));
  }
  terminal.focus();
}

terminal.attachCustomKeyEventHandler((event) => {
  if (event.type !== "keydown" || !event.ctrlKey || event.altKey || event.metaKey) return true;
  if (event.key === "Insert" || (event.shiftKey && event.code === "KeyC")) {
    event.preventDefault();
    void copy();
    return false;
  }
  // The browser pastes by itself, and xterm takes it.
  return !(event.shiftKey && event.code === "KeyV");
});
element("terminal-copy").addEventListener("click", () => void copy());
element("terminal-paste").addEventListener("click", () => void paste());

// --- size -------------------------------------------------------------------------------

function savedSize(): number {
  const saved = Number(localStorage.getItem(SIZE_KEY));
  return SIZES.includes(saved) ? saved : 14;
}

function step(by: number): void {
  const at = SIZES.indexOf(terminal.options.fontSize ?? 14) + by;
  const size = SIZES[at];
  if (size === undefined) return;
  terminal.options.fontSize = size;
  localStorage.setItem(SIZE_KEY, String(size));
  fit.fit();
}

let resizing = 0;
new ResizeObserver(() => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => terminal.element && fit.fit());
}).observe(screen);
terminal.onResize(({ cols, rows }) => link.resize({ columns: cols, rows }));
element("terminal-smaller").addEventListener("click", () => step(-1));
element("terminal-larger").addEventListener("click", () => step(1));
element("terminal-full").addEventListener("click", () => {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void stage.requestFullscreen().then(() => terminal.focus());
});

// Leaving the page ends the shell: ask before that.
addEventListener("beforeunload", (event) => {
  if (link.live) event.preventDefault();
});

/** xterm.js adds sheets and style attributes; the page's policy wants a nonce on the
    former and takes the latter from scripts only through the style object. */
function allowStyles(): void {
  const nonce = element("terminal-stage").dataset["nonce"] ?? "";
  const create = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const made = create(name, options);
    if (made instanceof HTMLStyleElement) made.nonce = nonce;
    return made;
  }) as typeof document.createElement;
  HTMLElement.prototype.setAttribute = function (name: string, value: string): void {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

localTimes();
// A Jump from the console asks for no reason first, unless the Jump Policy wants something.
if (new URLSearchParams(location.search).has("start") && mayStart(form)) start();
