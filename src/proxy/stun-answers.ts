/**
 * Answers STUN keep-alives on the SIP port (RFC 5626 §5.4). Phones that have registered are answered each
 * time; anybody else, whose address may be forged, at a small rate, and never with much more than he sent.
 */

import { sourceOf } from "../config/source.ts";
import type { Clock } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { answerBinding } from "../sip/stun.ts";
import { TokenBuckets } from "./token-buckets.ts";

const STRANGERS = { perSecond: 1, burst: 10 };

export class StunAnswers {
  readonly #o: {
    readonly clock: Clock;
    maxSources(): number;
    isRegistered(flow: Flow): boolean;
    count(reason: string): void;
  };
  readonly #buckets: TokenBuckets;

  constructor(o: {
    readonly clock: Clock;
    maxSources(): number;
    isRegistered(flow: Flow): boolean;
    count(reason: string): void;
  }) {
    this.#o = o;
    this.#buckets = new TokenBuckets(o.maxSources);
  }

  receive(bytes: Uint8Array, flow: Flow): void {
    const { clock, count, isRegistered } = this.#o;
    const answer = answerBinding(bytes, flow.remote);
    if (answer === null) return count("stun-malformed");
    const source = sourceOf(flow.remote.address);
    const mayBe = isRegistered(flow) || this.#buckets.take(source, clock.now(), STRANGERS);
    if (mayBe) flow.send(answer);
    else count("stun-limited");
  }
}
