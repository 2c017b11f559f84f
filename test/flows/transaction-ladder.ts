/**
 * A conversation at the transaction table on a hand-driven clock: flows that write down what is sent to
 * them, and one ladder of everything that happened with its time ("500 pbx <- INVITE").
 * Answers are cut out of the text that was really sent, so the product's own formatter is not trusted.
 */

import type { Flow } from "../../src/sip/flow.ts";
import type { SipRequest, SipResponse } from "../../src/sip/message.ts";
import { parseMessage } from "../../src/sip/parse-message.ts";
import {
  type ClientEvents,
  type ServerTransaction,
  type TransactionOptions,
  TransactionTable,
} from "../../src/sip/transaction-table.ts";
import { HandClock } from "./hand-clock.ts";

export class LadderFlow implements Flow {
  readonly id: string;
  readonly side: Flow["side"];
  readonly transport: Flow["transport"];
  readonly local: Flow["local"];
  readonly remote: Flow["remote"];
  readonly sentBy: string;
  isOpen = true;
  /** False: each send fails, as on a dead connection. */
  canSend = true;
  /** Whole texts, oldest first. */
  readonly sent: string[] = [];
  readonly #note: (text: string) => void;

  constructor(flow: Omit<Flow, "send" | "isOpen">, note: (text: string) => void) {
    this.id = flow.id;
    this.side = flow.side;
    this.transport = flow.transport;
    this.local = flow.local;
    this.remote = flow.remote;
    this.sentBy = flow.sentBy;
    this.#note = note;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.canSend) return false;
    const text = Buffer.from(bytes).toString("latin1");
    this.sent.push(text);
    this.#note(`${this.id} <- ${summary(text)}`);
    return true;
  }

  /** The newest text whose summary is `what`, e.g. "INVITE" or "200 BYE". */
  last(what: string): string {
    const text = this.sent.findLast((sent) => summary(sent) === what);
    if (text === undefined) throw new Error(`nothing like ${what} was sent to ${this.id}`);
    return text;
  }
}

/** "INVITE" of a request, "180 INVITE" of a response to it. */
export function summary(text: string): string {
  const [first = ""] = text.split(" ", 1);
  if (first !== "SIP/2.0") return first;
  return `${text.split(" ", 2)[1]} ${/^CSeq: \d+ (\S+)/im.exec(text)?.[1]}`;
}

export function toText(...lines: string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

export type RequestText = {
  readonly method: string;
  readonly branch?: string;
  readonly cseq?: number;
  readonly toTag?: string;
  readonly more?: readonly string[];
  readonly via?: string;
};

/** A request as a phone at 198.51.100.7 writes it. */
export function phoneRequest(request: RequestText): string {
  const { method, branch = "z9hG4bKphone", cseq = 1, toTag, more = [] } = request;
  return toText(
    `${method} sip:600@mycompany SIP/2.0`,
    request.via ?? `Via: SIP/2.0/UDP 198.51.100.7:5060;branch=${branch}`,
    "Max-Forwards: 70",
    "From: <sip:100@mycompany>;tag=alice",
    `To: <sip:600@mycompany>${toTag === undefined ? "" : `;tag=${toTag}`}`,
    "Call-ID: call-1",
    `CSeq: ${cseq} ${method}`,
    ...more,
    "Content-Length: 0",
  );
}

/** What the far end answers to a request it was sent: its Via, From, To, Call-ID and CSeq lines. */
export function answer(
  request: string,
  status: number,
  o: { readonly toTag?: string; readonly more?: readonly string[] } = {},
): string {
  const lines = request.split("\r\n");
  const named = (name: string) => lines.filter((line) => line.startsWith(`${name}: `));
  const [to = ""] = named("To");
  const tag = to.includes(";tag=") || status === 100 ? "" : `;tag=${o.toTag ?? "bob"}`;
  return toText(
    `SIP/2.0 ${status} Status ${status}`,
    ...named("Via"),
    ...named("From"),
    `${to}${tag}`,
    ...named("Call-ID"),
    ...named("CSeq"),
    ...(o.more ?? []),
    "Content-Length: 0",
  );
}

export function requestOf(text: string): SipRequest {
  const message = parseMessage(Buffer.from(text, "latin1"));
  if (message.kind !== "request") throw new Error("not a request");
  return message;
}

export function responseOf(text: string): SipResponse {
  const message = parseMessage(Buffer.from(text, "latin1"));
  if (message.kind !== "response") throw new Error("not a response");
  return message;
}

export type LadderOptions = Partial<Omit<TransactionOptions, "clock" | "count">>;

/** The table between a phone (outer) and a telephone system (inner), both by UDP unless told otherwise. */
export class TransactionLadder {
  readonly clock = new HandClock();
  readonly table: TransactionTable;
  readonly phone: LadderFlow;
  readonly pbx: LadderFlow;
  /** Every server transaction the table handed over, oldest first. */
  readonly servers: ServerTransaction[] = [];
  readonly #startMs = this.clock.now();
  #steps: string[] = [];
  #ids = 0;

  constructor(options: LadderOptions & { readonly transport?: Flow["transport"] } = {}) {
    const { transport = "udp", request, ...rest } = options;
    this.phone = this.flow("phone", "outer", transport, "198.51.100.7");
    this.pbx = this.flow("pbx", "inner", transport, "10.0.3.150");
    this.table = new TransactionTable({
      maxTransactions: 1000,
      randomId: () => `-${++this.#ids}`,
      ack: (ack) => this.note(`owner: ACK ${ack.headers.get("call-id")}`),
      strayResponse: (stray) => this.note(`owner: stray ${stray.status}`),
      ...rest,
      clock: this.clock,
      count: (reason) => this.note(`count ${reason}`),
      request: (server) => {
        this.servers.push(server);
        this.note(`owner: ${server.request.method}`);
        request?.(server);
      },
    });
  }

  flow(id: string, side: Flow["side"], transport: Flow["transport"], address: string): LadderFlow {
    const local = { address: side === "outer" ? "192.0.2.1" : "10.0.3.1", port: 5060 };
    const remote = { address, port: 5060 };
    const sentBy = `${local.address}:5060`;
    return new LadderFlow({ id, side, transport, local, remote, sentBy }, (text) => {
      this.note(text);
    });
  }

  note(text: string): void {
    this.#steps.push(`${this.clock.now() - this.#startMs} ${text}`);
  }

  /** What happened since the last look. */
  steps(): string[] {
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }

  /** `text` comes in on that flow. */
  says(flow: Flow, text: string): void {
    this.table.receive(parseMessage(Buffer.from(text, "latin1")), flow);
  }

  /** Events that go onto the ladder under `name`. */
  events(name = "owner"): ClientEvents {
    return {
      response: (response) => this.note(`${name}: ${response.status}`),
      timeout: () => this.note(`${name}: timeout`),
      failed: (reason) => this.note(`${name}: failed ${reason}`),
    };
  }

  /** The newest server transaction. */
  get server(): ServerTransaction {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error("no request came");
    return server;
  }

  /** Lets every timer run out; then nothing may be left. Returns [transactions, timers]. */
  leftOver(): [number, number] {
    this.clock.advance(3_600_000);
    return [this.table.size, this.clock.pending];
  }
}
