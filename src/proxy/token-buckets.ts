/**
 * Rates: a bucket for each key (an address, a flow, an instance) that refills with time. Bounded; a bucket
 * that was forgotten starts full, which is what it would be after a while anyway.
 */
import { Recent } from "./recent.ts";

export type Rate = {
  readonly perSecond: number;
  /** How many may come at once after a pause. */
  readonly burst: number;
};

type Bucket = { tokens: number; atMs: number };

/** Longer than any bucket takes to fill. */
const FORGET_MS = 300_000;

export class TokenBuckets {
  readonly #buckets: Recent<Bucket>;

  constructor(maximum: () => number) {
    this.#buckets = new Recent(maximum, FORGET_MS);
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** False: the rate is exceeded. */
  take(key: string, nowMs: number, { perSecond, burst }: Rate): boolean {
    const bucket = this.#buckets.get(key, nowMs);
    if (bucket === undefined) {
      this.#buckets.set(key, { tokens: burst - 1, atMs: nowMs }, nowMs);
      return true;
    }
    const refilled = bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond;
    bucket.atMs = nowMs;
    bucket.tokens = Math.min(burst, refilled);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** What was taken proved to be good. The next take() cuts off what is above the burst. */
  giveBack(key: string, count: number, nowMs: number): void {
    const bucket = this.#buckets.get(key, nowMs);
    if (bucket !== undefined) bucket.tokens += count;
  }
}
