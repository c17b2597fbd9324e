// What the scripts of several pages share: the page's own data and words, and asking the server.

/** What the template put into the page for its script. */
export interface PageData {
  readonly words: Readonly<Record<string, string>>;
  readonly urls: Readonly<Record<string, string>>;
  readonly language: string;
  readonly opened?: boolean;
  /** Why nobody can jump to a client, by its state. */
  readonly refusals?: Readonly<Record<string, string>>;
}

export function pageData(): PageData {
  return JSON.parse(element("page-data").textContent ?? "{}") as PageData;
}

const data = pageData();

/** Return words of the page, with {names} replaced. */
export function say(name: string, values: Record<string, string | number> = {}): string {
  const text = data.words[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_all, key: string) => String(values[key] ?? ""));
}

export function url(name: string): string {
  const found = data.urls[name];
  if (found === undefined) throw new Error(`the page has no address ${name}`);
  return found;
}

export const language = data.language;
export const refusals = data.refusals ?? {};
export const openedBefore = data.opened ?? false;

export function element<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as E;
}

/** A page of a session carries this while its session runs, for the console around it. */
export const RUNS = "data-runs";

export function runs(yes: boolean): void {
  document.documentElement.toggleAttribute(RUNS, yes);
}

/** Make an element with properties and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What the server refused, in the reader's language. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export const csrfToken =
  document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";

/** Return the error that an answer of the server tells. */
export function refusal(status: number, text: string): Refused {
  try {
    const body = JSON.parse(text) as {
      code?: string;
      message?: string;
      errors?: Record<string, string[]>;
    };
    const fields = Object.values(body.errors ?? {}).flat();
    const told = fields.length ? fields.join(" ") : body.message;
    if (told) return new Refused(body.code ?? "", sentence(told), status);
  } catch {
    // An answer that is no JSON comes from something in between.
  }
  return new Refused("", say("failed", { status }), status);
}

export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…)]$/.test(first) ? first : `${first}.`;
}

/** Ask the server; throws Refused, or TypeError when it cannot be reached. */
export async function ask<T>(address: string, form?: Record<string, string>): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const options: RequestInit = { headers };
  if (form) {
    headers["X-CSRFToken"] = csrfToken;
    options.method = "POST";
    options.body = new URLSearchParams(form);
  }
  const answer = await fetch(address, options);
  // Whoever is signed out by now is sent to the sign-in page.
  if (answer.redirected) location.reload();
  const text = await answer.text();
  if (!answer.ok) throw refusal(answer.status, text);
  return JSON.parse(text || "{}") as T;
}

/** Return what to tell about something that went wrong. */
export function reason(error: unknown): string {
  if (error instanceof Refused) return error.message;
  return error instanceof TypeError ? say("unreachable") : String(error);
}

/** Whether a start was refused for what was asked before it, which can be asked again. */
export function mayAskAgain(code: string): boolean {
  return code === "jump.policy" || code === "request.invalid";
}

/** Return what was typed into a form before a session, and forget the code, good once. */
export function typedInto(form: HTMLFormElement): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of new FormData(form)) found[name] = String(value);
  const code = form.elements.namedItem("code");
  if (code instanceof HTMLInputElement) code.value = "";
  return found;
}

/** Whether a session may start without another look at its form: nothing is asked there. */
export function mayStart(form: HTMLFormElement): boolean {
  return form.checkValidity() && !form.querySelector("[data-hold]");
}
