/**
 * Keeps the way to each registered phone open and finds out when it is dead, for phones that do nothing for
 * it themselves (RFC 5626 asks the phone to; most do not). One wheel of seconds for all flows; a flow is
 * looked at when something is due for it, and not at all while the phone speaks by itself.
 *
 * A phone need not answer CRLF, so only OPTIONS count: after a few without any answer a UDP flow is dead
 * until the phone is heard again, and a connection is closed.
 */
import type { Limits } from "../config/limits.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import type { SipRequest } from "../sip/message.ts";
import type { TransactionTable } from "../sip/transaction-table.ts";
import type { Binding, Bindings } from "./bindings.ts";

export type KeepAliveOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly bindings: Pick<Bindings, "onFlow">;
  table(): Pick<TransactionTable, "ask" | "flowsLost">;
  limits(): Limits;
  /** The flow as it can be sent to now; null: it is closed. */
  present(flow: Flow): Flow | null;
  /** The OPTIONS for a phone. */
  question(binding: Binding, flow: Flow): SipRequest;
  /** Ends a connection whose phone is dead. */
  close(flow: Flow): void;
  /** Between 0 and 1. */
  random(): number;
  count(reason: string): void;
};

type Watched = {
  flow: Flow;
  /** When the phone last sent anything. */
  heardAtMs: number;
  /** When we last sent a keep-alive. */
  sentAtMs: number;
  askedAtMs: number;
  isAsked: boolean;
  unanswered: number;
  /**
   * The part of the interval that is waited, drawn anew each time (80 to 100 %, RFC 5626 §4.4.1): phones that
   * all came in one second, after a power cut or our restart, are not spoken to in one second for ever.
   */
  share: number;
};

const TICK_MS = 1000;
/** Where everything is switched off: a reload may switch it on. */
const IDLE_MS = 60_000;
/** The last OPTIONS is still under way. */
const BUSY_MS = 5000;
/** On UDP four bytes, which every phone ignores; on a stream what an answer to its own ping looks like. */
const DATAGRAM_PING = Buffer.from("\r\n\r\n");
const STREAM_PING = Buffer.from("\r\n");

export class KeepAlive {
  readonly #o: KeepAliveOptions;
  readonly #watched = new Map<string, Watched>();
  /** Ids of the flows to be looked at, by second. */
  readonly #wheel = new Map<number, string[]>();
  #nextSecond: number;
  #timer: Timer | null = null;
  #asking = 0;
  readonly #sent = { crlf: 0, options: 0 };
  #lost = new Set<string>();

  constructor(o: KeepAliveOptions) {
    this.#o = o;
    this.#nextSecond = secondOf(o.clock.now());
  }

  start(): void {
    this.#timer = this.#o.clock.after(TICK_MS, () => {
      this.start();
      this.#tick();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** A phone has registered over this flow. */
  watch(flow: Flow): void {
    const known = this.#watched.get(flow.id);
    if (known !== undefined) {
      known.flow = flow;
      return;
    }
    const now = this.#o.clock.now();
    const times = { heardAtMs: now, sentAtMs: now, askedAtMs: now };
    const fresh = { flow, ...times, isAsked: false, unanswered: 0, share: this.#share() };
    this.#watched.set(flow.id, fresh);
    this.#lookAgain(fresh, now);
  }

  #share(): number {
    return 0.8 + this.#o.random() / 5;
  }

  /** Whatever a phone sends is life. */
  heard(flow: Flow): void {
    const watched = this.#watched.get(flow.id);
    if (watched === undefined) return;
    watched.heardAtMs = this.#o.clock.now();
    watched.unanswered = 0;
  }

  /** No answer to our OPTIONS and not heard since. */
  isDead(flow: Flow): boolean {
    const watched = this.#watched.get(flow.id);
    return watched !== undefined && this.#hasFailed(watched);
  }

  /** Keep-alives sent since the start. */
  get sent(): { readonly crlf: number; readonly options: number } {
    return this.#sent;
  }

  /** Flows to registered phones that answer nothing. */
  get dead(): number {
    let count = 0;
    for (const watched of this.#watched.values()) if (this.#hasFailed(watched)) count++;
    return count;
  }

  #hasFailed(watched: Watched): boolean {
    return watched.unanswered >= this.#o.limits().optionsUnanswered;
  }

  #tick(): void {
    const now = this.#o.clock.now();
    const present = secondOf(now);
    if (present + 1 < this.#nextSecond) this.#setBack(now);
    this.#nextSecond = present + 1;
    // By what is in the wheel, not second by second: the clock may learn the year after our start.
    const passed = [...this.#wheel.keys()].filter((second) => second <= present);
    for (const second of passed.sort((a, b) => a - b)) {
      const due = this.#wheel.get(second) ?? [];
      this.#wheel.delete(second);
      for (const id of due) this.#look(id, now);
    }
    if (this.#lost.size === 0) return;
    this.#o.table().flowsLost(this.#lost);
    this.#lost = new Set();
  }

  /** The clock was: what lies in its future would wait until it is there again. */
  #setBack(now: number): void {
    this.#wheel.clear();
    for (const watched of this.#watched.values()) {
      watched.heardAtMs = Math.min(watched.heardAtMs, now);
      watched.sentAtMs = Math.min(watched.sentAtMs, now);
      watched.askedAtMs = Math.min(watched.askedAtMs, now);
      this.#lookAgain(watched, now);
    }
  }

  #lookAgain(watched: Watched, now: number): void {
    const { askAtMs, pingAtMs } = this.#due(watched);
    const nextAskMs = watched.isAsked ? Math.max(askAtMs, now + BUSY_MS) : askAtMs;
    const atMs = Math.min(nextAskMs, pingAtMs, now + IDLE_MS);
    // The present second has had its turn.
    const second = Math.max(secondOf(now) + 1, Math.ceil(atMs / 1000));
    const beside = this.#wheel.get(second);
    if (beside === undefined) this.#wheel.set(second, [watched.flow.id]);
    else beside.push(watched.flow.id);
  }

  #look(id: string, now: number): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    const [binding] = this.#o.bindings.onFlow(id);
    const flow = binding === undefined ? null : this.#o.present(watched.flow);
    if (binding === undefined || flow === null) {
      this.#watched.delete(id);
      return;
    }
    const { askAtMs, pingAtMs } = this.#due(watched);
    if (askAtMs <= now && !watched.isAsked) this.#ask(watched, binding, flow, now);
    else if (pingAtMs <= now) this.#ping(watched, flow, now);
    this.#lookAgain(watched, now);
  }

  #due({ flow, heardAtMs, askedAtMs, sentAtMs, share }: Watched): {
    readonly askAtMs: number;
    readonly pingAtMs: number;
  } {
    const { keepAliveUdp, keepAliveTls, optionsUdp, optionsTls } = this.#o.limits();
    const isUdp = flow.transport === "udp";
    const after = (atMs: number, seconds: number): number =>
      seconds === 0 ? Number.POSITIVE_INFINITY : atMs + seconds * 1000 * share;
    return {
      askAtMs: after(Math.max(heardAtMs, askedAtMs), isUdp ? optionsUdp : optionsTls),
      pingAtMs: after(Math.max(heardAtMs, sentAtMs), isUdp ? keepAliveUdp : keepAliveTls),
    };
  }

  #ping(watched: Watched, flow: Flow, now: number): void {
    watched.sentAtMs = now;
    watched.share = this.#share();
    const bytes = flow.transport === "udp" ? DATAGRAM_PING : STREAM_PING;
    if (flow.send(bytes)) this.#sent.crlf++;
    else this.#o.count("keep-alive-not-sent");
  }

  #ask(watched: Watched, binding: Binding, flow: Flow, now: number): void {
    const { limits, table, question, count } = this.#o;
    watched.askedAtMs = now;
    watched.sentAtMs = now;
    watched.share = this.#share();
    if (this.#asking >= limits().optionsPending) return count("keep-alive-busy");
    this.#asking++;
    this.#sent.options++;
    watched.isAsked = true;
    table().ask(question(binding, flow), flow, {
      // 404, 405, 500: there is somebody.
      response: ({ status }) => {
        this.heard(watched.flow);
        if (status >= 200) this.#answered(watched);
      },
      timeout: () => {
        this.#answered(watched);
        this.#unanswered(watched);
      },
      // Our own network, or the connection is closed, which is known by itself.
      failed: () => this.#answered(watched),
    });
  }

  #answered(watched: Watched): void {
    this.#asking--;
    watched.isAsked = false;
  }

  #unanswered(watched: Watched): void {
    const { limits, count, log, close } = this.#o;
    const { flow } = watched;
    watched.unanswered++;
    const isForgotten = this.#watched.get(flow.id) !== watched;
    if (isForgotten || watched.unanswered !== limits().optionsUnanswered) return;
    count("flow-dead");
    log.info("flow-dead", { remote: flow.remote.address, transport: flow.transport });
    if (flow.transport === "udp") this.#lost.add(flow.id);
    else close(flow);
  }
}

function secondOf(ms: number): number {
  return Math.floor(ms / 1000);
}
