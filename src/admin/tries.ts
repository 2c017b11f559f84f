/**
 * Wrong tries by who made them: some are free, then each further one costs a pause that doubles. The table
 * is bounded; the one that has been quiet longest goes first.
 */
import type { Clock } from "../io/types.ts";

const FORGET_MS = 86_400_000;
const MOST_KEYS = 1000;

type Entry = { failures: number; lastMs: number; freeAgainMs: number };

export class Tries {
  readonly #o: {
    readonly clock: Clock;
    readonly free: number;
    readonly firstPauseMs: number;
    readonly longestPauseMs: number;
  };
  readonly #entries = new Map<string, Entry>();

  constructor(o: {
    readonly clock: Clock;
    readonly free: number;
    readonly firstPauseMs: number;
    readonly longestPauseMs: number;
  }) {
    this.#o = o;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whole seconds until the next try may be made; 0 = now. */
  pauseSeconds(key: string): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    return Math.max(0, Math.ceil((entry.freeAgainMs - this.#o.clock.now()) / 1000));
  }

  failed(key: string): void {
    const now = this.#o.clock.now();
    const entry = this.#taken(key, now);
    entry.failures += 1;
    entry.lastMs = now;
    const beyond = entry.failures - this.#o.free;
    if (beyond >= 0) entry.freeAgainMs = now + this.#pauseMs(beyond);
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MOST_KEYS) break;
      this.#entries.delete(oldest);
    }
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }

  /** Taken out, so that set() puts it at the young end. */
  #taken(key: string, now: number): Entry {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    if (entry !== undefined && now - entry.lastMs < FORGET_MS) return entry;
    return { failures: 0, lastMs: now, freeAgainMs: 0 };
  }

  #pauseMs(beyond: number): number {
    return Math.min(this.#o.longestPauseMs, this.#o.firstPauseMs * 2 ** Math.min(beyond, 30));
  }
}
