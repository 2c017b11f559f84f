/**
 * Asks each target of each instance for life by OPTIONS. Any answer is life, also 401, 404 and 405: an
 * instance need not know us. Its own OPTIONS to us is none, since it proves no way to it.
 */
import type { Timer } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { formatEndpoint, uriHost } from "./addresses.ts";
import { retryAfter } from "./attempts.ts";
import type { Core } from "./core.ts";
import type { Instance } from "./instances.ts";
import type { Target } from "./targets.ts";

/** How often it looks whether somebody's time has come. */
const STEP_MS = 1000;
/** Of the interval, either way: not all at once, and not at the same moment as others do. */
const JITTER = 0.1;

export class HealthChecks {
  readonly #coreNow: () => Core;
  readonly #random: (lengthBytes: number) => Uint8Array;
  /** Ends the questions that are open. */
  readonly #waiting = new Set<() => void>();
  #timer: Timer | null = null;

  constructor(core: () => Core, random: (lengthBytes: number) => Uint8Array) {
    this.#coreNow = core;
    this.#random = random;
  }

  get #core(): Core {
    return this.#coreNow();
  }

  /** Also after a reload: without an instance that wants it nothing runs. */
  start(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#core.instances.all.some(isWanted)) this.#step();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const end of [...this.#waiting]) end();
  }

  #step(): void {
    const { clock, instances } = this.#core;
    this.#timer = clock.after(STEP_MS, () => this.#step());
    const now = clock.now();
    for (const instance of instances.all.filter(isWanted)) {
      for (const target of instance.targets.listed) {
        if (target.insideAddress === null || target.checkAtMs > now) continue;
        target.checkAtMs = now + this.#nextMs();
        void this.#check(instance, target);
      }
    }
  }

  #nextMs(): number {
    const draw = (this.#random(1)[0] ?? 0) / 255;
    return this.#core.limits().healthInterval * 1000 * (1 - JITTER + 2 * JITTER * draw);
  }

  async #check(instance: Instance, target: Target): Promise<void> {
    const { instances, inner } = this.#core;
    try {
      const flow = await inner.flowTo(instance, target);
      const { status, headers } = await this.#ask(target, flow);
      instances.answered(instance, target);
      if (status === 503) instances.busy(target, retryAfter(headers));
    } catch (error) {
      instances.failed(instance, target, error instanceof Error ? error.message : String(error));
    }
  }

  #ask(target: Target, flow: Flow): Promise<SipResponse> {
    const { clock, limits, table } = this.#core;
    return new Promise((settle, fail) => {
      const over = (): void => {
        deadline.cancel();
        client.abandon();
        this.#waiting.delete(over);
      };
      const failed = (reason: string): void => {
        over();
        fail(new Error(reason));
      };
      const client = table.send(this.#question(target, flow.sentBy), flow, {
        response(response) {
          over();
          settle(response);
        },
        timeout: () => failed("no answer to OPTIONS"),
        failed: () => failed("the connection broke"),
      });
      const patienceMs = limits().healthTimeout * 1000;
      const deadline = clock.after(patienceMs, () => failed("no answer to OPTIONS"));
      this.#waiting.add(over);
    });
  }

  /** From a user that no instance has: what it answers to a stranger is answer enough. */
  #question(target: Target, sentBy: string): SipRequest {
    const id = (): string => Buffer.from(this.#random(9)).toString("base64url");
    const uri = `sip:${formatEndpoint(target)}`;
    const inside = uriHost(target.insideAddress ?? "");
    return makeRequest({
      method: "OPTIONS",
      uri,
      headers: [
        ["Max-Forwards", "70"],
        ["From", `<sip:pequod@${inside}>;tag=${id()}`],
        ["To", `<${uri}>`],
        ["Call-ID", id()],
        ["CSeq", "1 OPTIONS"],
        ["Contact", `<sip:${sentBy}>`],
        ["Accept", "application/sdp"],
        ["User-Agent", "Pequod"],
      ],
    });
  }
}

function isWanted({ config }: Instance): boolean {
  return config.sip.healthCheck;
}
