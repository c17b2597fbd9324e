// Questions in a dialogue of the page.

import { element } from "./page";

const dialog = element<HTMLDialogElement>("dialog");
const title = element("dialog-title");
const text = element("dialog-text");
const field = element("dialog-field");
const label = element("dialog-label");
const input = element<HTMLInputElement>("dialog-input");
const action = element<HTMLButtonElement>("dialog-action");

let waiting: Promise<unknown> = Promise.resolve();

interface Question {
  title: string;
  text?: string;
  /** Label of a field, when something is to be typed. */
  field?: string;
  value?: string;
  action: string;
  danger?: boolean;
}

/** Show a question; returns what was typed (empty without a field), or null for no. */
function ask(question: Question): Promise<string | null> {
  const asked = waiting.then(() => show(question));
  waiting = asked;
  return asked;
}

function show(question: Question): Promise<string | null> {
  title.textContent = question.title;
  text.textContent = question.text ?? "";
  text.hidden = !question.text;
  field.hidden = !question.field;
  label.textContent = question.field ?? "";
  input.value = question.value ?? "";
  input.required = Boolean(question.field);
  action.textContent = question.action;
  action.className = question.danger ? "btn btn-danger" : "btn btn-primary";
  dialog.returnValue = "";
  dialog.showModal();
  if (question.field) {
    input.focus();
    const dot = input.value.lastIndexOf(".");
    input.setSelectionRange(0, dot > 0 ? dot : input.value.length);
  }
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? input.value.trim() : null),
      { once: true },
    );
  });
}

export async function confirmed(question: Question): Promise<boolean> {
  return (await ask(question)) !== null;
}

export async function typed(question: Question & { field: string }): Promise<string | null> {
  return (await ask(question)) || null;
}
