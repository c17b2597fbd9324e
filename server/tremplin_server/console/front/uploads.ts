// Uploads: a queue with progress, two at a time.

import { csrfToken, element, make, reason, Refused, refusal, say, url } from "./page";
import { bytes } from "./show";

const AT_ONCE = 2;
const GONE_MS = 4000;

export interface Upload {
  readonly file: File;
  /** Where it goes, in the form that travels. */
  readonly path: string;
}

/** Asks whether a file that is there may be replaced. */
export type Confirm = (name: string) => Promise<boolean>;

export class Uploads {
  private readonly waiting: { upload: Upload; row: Row }[] = [];
  private running = 0;

  constructor(
    private readonly confirm: Confirm,
    private readonly done: () => void,
  ) {
    addEventListener("beforeunload", (event) => {
      if (this.running) event.preventDefault();
    });
  }

  add(upload: Upload): void {
    const row = new Row(upload.file);
    this.waiting.push({ upload, row });
    row.onCancel = () => {
      const at = this.waiting.findIndex((one) => one.row === row);
      if (at < 0) return;
      this.waiting.splice(at, 1);
      row.end(say("cancelled"), "quiet");
    };
    this.next();
  }

  private next(): void {
    while (this.running < AT_ONCE) {
      const first = this.waiting.shift();
      if (!first) return;
      this.running += 1;
      void this.run(first.upload, first.row).finally(() => {
        this.running -= 1;
        this.next();
        if (!this.running) this.done();
      });
    }
  }

  private async run(upload: Upload, row: Row, overwrite = false): Promise<void> {
    try {
      await send(upload, row, overwrite);
      row.end(say("uploaded"), "good");
    } catch (error) {
      if (error instanceof Refused && error.code === "files.exists" && !overwrite) {
        if (await this.confirm(upload.file.name)) return this.run(upload, row, true);
        row.end(say("skipped"), "quiet");
        return;
      }
      if (error instanceof DOMException) row.end(say("cancelled"), "quiet");
      else row.end(reason(error), "wrong");
    }
  }
}

/** `fetch` tells no progress, so this is an XMLHttpRequest. */
function send({ file, path }: Upload, row: Row, overwrite: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ path, overwrite: overwrite ? "1" : "0" });
    request.open("PUT", `${url("content")}?${query}`);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRFToken", csrfToken);
    request.upload.addEventListener("progress", ({ loaded }) => row.progress(loaded));
    request.addEventListener("load", () => {
      if (request.status === 200) resolve();
      else reject(refusal(request.status, request.responseText));
    });
    request.addEventListener("error", () => reject(new TypeError("network")));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    row.onCancel = () => request.abort();
    request.send(file);
  });
}

/** What shows one upload. */
class Row {
  onCancel = (): void => undefined;
  private readonly bar = make("progress", { max: 1, value: 0 });
  private readonly text = make("span", { className: "upload-text number" });
  private readonly cancel = make("button", {
    type: "button",
    className: "btn btn-sm",
    textContent: say("cancel"),
  });
  private readonly element: HTMLElement;
  private readonly began = performance.now();

  constructor(private readonly file: File) {
    const name = make("span", { className: "upload-name", textContent: file.name });
    this.bar.setAttribute("aria-label", file.name);
    this.text.textContent = say("waiting");
    this.element = make("li", {}, name, this.bar, this.text, this.cancel);
    this.cancel.addEventListener("click", () => this.onCancel());
    element("uploads").hidden = false;
    element("uploads-list").append(this.element);
  }

  progress(loaded: number): void {
    this.bar.value = this.file.size ? loaded / this.file.size : 1;
    const seconds = (performance.now() - this.began) / 1000;
    const speed = seconds > 0.5 ? ` · ${bytes(loaded / seconds)}/s` : "";
    this.text.textContent = `${bytes(loaded)} / ${bytes(this.file.size)}${speed}`;
  }

  end(text: string, kind: "good" | "wrong" | "quiet"): void {
    this.element.className = kind;
    this.text.textContent = kind === "good" ? `${bytes(this.file.size)} · ${text}` : text;
    this.bar.value = kind === "good" ? 1 : this.bar.value;
    this.bar.hidden = kind !== "good";
    this.cancel.textContent = say("dismiss");
    const forget = (): void => {
      this.element.remove();
      element("uploads").hidden = !element("uploads-list").childElementCount;
    };
    this.onCancel = forget;
    if (kind !== "wrong") setTimeout(forget, GONE_MS);
  }
}
