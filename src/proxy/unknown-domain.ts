/**
 * What a request for a domain nobody here knows gets: on a connection 404, and the
 * connection ends after ten; by UDP one small 404 a source and minute, else silence, since the source may
 * be forged. A mistyped domain is the commonest fault of an honest phone, hence an answer at all.
 */
import type { Clock } from "../io/types.ts";

const MINUTE_MS = 60_000;

export type Verdict = "answer" | "silence" | "answer-and-close";

export class UnknownDomains {
  readonly #clock: Clock;
  readonly #maxSources: () => number;
  readonly #answered = new Map<string, number>();

  constructor(clock: Clock, maxSources: () => number) {
    this.#clock = clock;
    this.#maxSources = maxSources;
  }

  /** For a datagram from this address. */
  datagram(address: string): "answer" | "silence" {
    const now = this.#clock.now();
    const last = this.#answered.get(address);
    if (last !== undefined && now - last < MINUTE_MS) return "silence";
    this.#answered.delete(address); // to the end: the map is in order of time
    for (const [oldest, at] of this.#answered) {
      if (now - at < MINUTE_MS) break;
      this.#answered.delete(oldest);
    }
    // With the table full of strangers nobody new is answered: the safe side.
    if (this.#answered.size >= this.#maxSources()) return "silence";
    this.#answered.set(address, now);
    return "answer";
  }

  /** `count` includes this request. */
  connection(count: number, maximum: number): "answer" | "answer-and-close" {
    return count >= maximum ? "answer-and-close" : "answer";
  }
}
