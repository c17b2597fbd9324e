// The terminal's WebSocket: lossless over broken links, and never more on its way than shown.

import { ask, language, reason, Refused, say, url } from "./page";

const CONFIRM_BYTES = 32 * 1024;
const PIECE = 32 * 1024;
const PING_MS = 10_000;
const SILENT_MS = 22_000;
const GIVE_UP_MS = 60_000;
const SLOWEST_RETRY_MS = 5_000;

export interface Size {
  columns: number;
  rows: number;
}

export interface Ending {
  /** Of the catalogue of errors; empty for a plain end. */
  code: string;
  message: string;
  status: number | null;
  signal: string;
}

export interface Listener {
  opened(returned: boolean): void;
  /** Show bytes and call `done` once they are on the screen. */
  output(data: Uint8Array, done: () => void): void;
  broken(seconds: number): void;
  ended(ending: Ending): void;
}

interface Ticket {
  session_id: string;
  ticket: string;
}

type Message =
  | { type: "opened" | "attached"; taken: number }
  | { type: "taken"; bytes: number }
  | { type: "pong" | "moved" }
  | { type: "refused"; code: string; message: string }
  | ({ type: "ended" } & Ending);

export class Link {
  private socket: WebSocket | null = null;
  private sessionId = "";
  private received = 0;
  private shown = 0;
  private confirmed = 0;
  private typed: Uint8Array<ArrayBuffer>[] = [];
  private taken = 0;
  private ready = false;
  private over = false;
  private heardAt = 0;
  private brokenAt = 0;
  private attempts = 0;
  private retry = 0;

  constructor(
    private readonly listener: Listener,
    private readonly size: () => Size,
  ) {
    setInterval(() => this.watch(), PING_MS);
    addEventListener("online", () => this.retryNow());
    addEventListener("offline", () => this.lose());
  }

  get live(): boolean {
    return this.ready && !this.over;
  }

  /** Start a session. asked: what was typed before it. */
  async open(asked: Record<string, string>): Promise<void> {
    this.received = this.shown = this.confirmed = this.taken = 0;
    this.typed = [];
    this.over = this.ready = false;
    this.brokenAt = 0;
    try {
      const ticket = await ask<Ticket>(url("open"), asked);
      this.sessionId = ticket.session_id;
      this.connect({ type: "open", ...ticket });
    } catch (error) {
      this.finish({ code: error instanceof Refused ? error.code : "", message: reason(error) });
    }
  }

  /** Send what was typed; it is kept until the server has taken it. */
  type(data: Uint8Array<ArrayBuffer>): void {
    if (this.over) return;
    for (let start = 0; start < data.length; start += PIECE) {
      const piece = data.slice(start, start + PIECE);
      this.typed.push(piece);
      if (this.ready) this.socket?.send(piece);
    }
  }

  resize(size: Size): void {
    this.tell({ type: "resize", ...size });
  }

  /** End the session: the page leaves. */
  close(): void {
    this.socket?.close(1000);
    this.finish({ code: "", message: "" });
  }

  private tell(message: object): void {
    if (this.ready) this.socket?.send(JSON.stringify(message));
  }

  private connect(hello: object): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${url("socket")}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardAt = performance.now();
    socket.addEventListener("open", () =>
      socket.send(JSON.stringify({ ...hello, ...this.size(), language })),
    );
    socket.addEventListener("message", ({ data }) => {
      if (this.socket !== socket) return;
      this.heardAt = performance.now();
      if (typeof data === "string") this.hear(JSON.parse(data) as Message);
      else this.take(new Uint8Array(data as ArrayBuffer));
    });
    socket.addEventListener("close", () => this.socket === socket && this.lose());
  }

  private take(data: Uint8Array): void {
    this.received += data.length;
    this.listener.output(data, () => {
      this.shown += data.length;
      if (this.shown - this.confirmed < CONFIRM_BYTES && this.shown < this.received) return;
      this.confirmed = this.shown;
      this.tell({ type: "received", bytes: this.shown });
    });
  }

  private hear(message: Message): void {
    switch (message.type) {
      case "opened":
      case "attached":
        this.begin(message.type === "attached", message.taken);
        break;
      case "taken":
        this.drop(message.bytes);
        break;
      case "refused":
        this.finish({ code: message.code, message: message.message });
        break;
      case "ended":
        this.finish(message);
        break;
      case "moved":
        this.finish({ code: "moved", message: "" });
        break;
      case "pong":
        break;
    }
  }

  private begin(returned: boolean, taken: number): void {
    this.ready = true;
    this.brokenAt = this.attempts = 0;
    this.drop(taken);
    for (const piece of this.typed) this.socket?.send(piece);
    if (returned) this.resize(this.size());
    this.listener.opened(returned);
  }

  /** Forget what the server has taken, which is counted from the start of the session. */
  private drop(taken: number): void {
    while (this.typed[0] && this.taken + this.typed[0].length <= taken) {
      this.taken += this.typed.shift()?.length ?? 0;
    }
    if (this.typed[0] && taken > this.taken) {
      this.typed[0] = this.typed[0].slice(taken - this.taken);
      this.taken = taken;
    }
  }

  private watch(): void {
    const silent = performance.now() - this.heardAt;
    if (this.brokenAt && this.socket && silent > PING_MS) this.lose();
    else if (this.ready && silent > SILENT_MS) this.lose();
    else this.tell({ type: "ping" });
  }

  private lose(): void {
    if (this.over || (!this.ready && !this.brokenAt)) {
      if (!this.over) this.finish({ code: "", message: say("unreachable") });
      return;
    }
    const socket = this.socket;
    this.socket = null;
    this.ready = false;
    socket?.close();
    this.brokenAt ||= performance.now();
    const spent = performance.now() - this.brokenAt;
    if (spent > GIVE_UP_MS) {
      this.finish({ code: "session.host_lost", message: "" });
      return;
    }
    this.listener.broken(Math.max(1, Math.round((GIVE_UP_MS - spent) / 1000)));
    clearTimeout(this.retry);
    const wait = Math.min(SLOWEST_RETRY_MS, 250 * 2 ** this.attempts++);
    this.retry = setTimeout(() => void this.comeBack(), wait);
  }

  private retryNow(): void {
    if (!this.brokenAt || this.over) return;
    clearTimeout(this.retry);
    this.attempts = 0;
    void this.comeBack();
  }

  private async comeBack(): Promise<void> {
    try {
      const address = url("return").replace("SESSION", this.sessionId);
      const ticket = await ask<Ticket>(address, {});
      if (!this.over) this.connect({ type: "attach", ...ticket, received: this.received });
    } catch (error) {
      if (error instanceof Refused && error.code) {
        this.finish({ code: error.code, message: error.message });
      } else {
        this.lose();
      }
    }
  }

  private finish(how: { code: string; message: string; status?: number | null; signal?: string }) {
    if (this.over) return;
    this.over = true;
    this.ready = false;
    this.brokenAt = 0;
    clearTimeout(this.retry);
    const { code, message, status = null, signal = "" } = how;
    this.listener.ended({ code, message, status, signal });
  }
}
