/**
 * What goes out to a UDP source that may be forged: as little as an honest phone needs to prove itself, so
 * that nobody can point us at somebody else. Our own answers once a second and hardly larger than the
 * request, an instance's a few times a second and at most twice as large; for unknown domains one a minute,
 * since a mistyped domain is the commonest fault of an honest phone.
 */
import type { Clock } from "../io/types.ts";
import { type Rate, TokenBuckets } from "./token-buckets.ts";

const OWN_PER_SECOND = 1;
const UNKNOWN_DOMAIN_RATE: Rate = { perSecond: 1 / 60, burst: 1 };
/** A phone that comes back has several lines; their challenges may come in one second. */
const RELAYED_PER_SECOND = 5;
const RELAYED_BURST = 20;
/** What our answer needs beyond what it repeats: tag, received, rport, Content-Length. */
const OWN_MORE_BYTES = 64;
const RELAYED_TIMES = 2;

export type Answer = {
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** Made by us, not by an instance. */
  readonly isOwn: boolean;
  /** Phones that are known to stand behind that source. */
  readonly phones: number;
};

export class Strangers {
  readonly #clock: Clock;
  readonly #own: TokenBuckets;
  readonly #relayed: TokenBuckets;
  readonly #unknownDomain: TokenBuckets;

  constructor(clock: Clock, maximum: () => number) {
    this.#clock = clock;
    this.#own = new TokenBuckets(maximum);
    this.#relayed = new TokenBuckets(maximum);
    this.#unknownDomain = new TokenBuckets(maximum);
  }

  mayAnswer(source: string, o: Answer): boolean {
    const nowMs = this.#clock.now();
    const share = 1 + o.phones;
    if (o.isOwn) {
      if (o.answerBytes > o.requestBytes + OWN_MORE_BYTES) return false;
      const perSecond = OWN_PER_SECOND * share;
      return this.#own.take(source, nowMs, { perSecond, burst: perSecond });
    }
    if (o.answerBytes > o.requestBytes * RELAYED_TIMES) return false;
    const rate = { perSecond: RELAYED_PER_SECOND * share, burst: RELAYED_BURST * share };
    return this.#relayed.take(source, nowMs, rate);
  }

  mayTellUnknownDomain(source: string): boolean {
    return this.#unknownDomain.take(source, this.#clock.now(), UNKNOWN_DOMAIN_RATE);
  }
}
