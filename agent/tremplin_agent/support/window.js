"use strict";
// The page of a customer's client: it shows what /state says, and posts what is clicked.
const by = (id) => document.getElementById(id);
let number = "", count = 0, question = null, over = false;

async function act(body) {
  await fetch("/do", { method: "POST", body: JSON.stringify(body) }).catch(() => {});
}

function addLine({ text, author }) {
  const line = document.createElement("p");
  if (author) {
    const name = document.createElement("b");
    name.textContent = author;
    line.append(name);
  }
  line.append(text);
  by("lines").append(line);
  by("lines").scrollTop = by("lines").scrollHeight;
}

function render(state) {
  document.documentElement.lang = state.language;
  document.title = state.labels.title;
  for (const part of document.querySelectorAll("[data-label]")) {
    part.textContent = state.labels[part.dataset.label];
  }
  state.lines.forEach(addLine);
  number = state.number;
  count = state.count;
  by("people").textContent = state.people.join(", ") || "–";
  by("granted").textContent = state.granted.join(", ") || state.nothing;
  question = state.question;
  by("question").hidden = !question;
  by("asked").textContent = question ? question.text : "";
  if (state.over) finish(state.labels.close_page);
  lost = state.labels.lost_page;
}

let lost = "";

function finish(words) {
  over = true;
  for (const part of document.querySelectorAll("button, input")) part.disabled = true;
  by("question").hidden = true;
  by("notice").textContent = words;
  by("notice").hidden = false;
}

async function follow() {
  while (!over) {
    try {
      const answer = await fetch(`/state?${number}-${count}`);
      if (!answer.ok) throw new Error(answer.status);
      render(await answer.json());
    } catch {
      finish(lost);
    }
  }
}

by("yes").addEventListener("click", () => question && act({ what: "reply", id: question.id, yes: true }));
by("no").addEventListener("click", () => question && act({ what: "reply", id: question.id, yes: false }));
for (const what of ["allow", "stop", "end"]) by(what).addEventListener("click", () => act({ what }));
by("chat").addEventListener("submit", (event) => {
  event.preventDefault();
  act({ what: "say", text: by("text").value });
  by("text").value = "";
});
follow();
