/** How often something went wrong lately, by whom: counted from the first failure over one window. */
import { Recent } from "./recent.ts";

type Tally = { count: number; readonly sinceMs: number };

/** The longest window that can be configured is a day. */
const FORGET_MS = 86_400_000;

export class Failures {
  readonly #tallies: Recent<Tally>;
  readonly #windowMs: () => number;

  constructor(maximum: () => number, windowMs: () => number) {
    this.#tallies = new Recent(maximum, FORGET_MS);
    this.#windowMs = windowMs;
  }

  get size(): number {
    return this.#tallies.size;
  }

  /** One more; answers how many within the window. */
  add(key: string, nowMs: number): number {
    const known = this.#tallies.get(key, nowMs);
    if (known !== undefined && nowMs - known.sinceMs < this.#windowMs()) return ++known.count;
    this.#tallies.set(key, { count: 1, sinceMs: nowMs }, nowMs);
    return 1;
  }

  /** How many within the window. */
  of(key: string, nowMs: number): number {
    const known = this.#tallies.get(key, nowMs);
    return known !== undefined && nowMs - known.sinceMs < this.#windowMs() ? known.count : 0;
  }

  /** One of them was none. */
  takeBack(key: string, nowMs: number): void {
    const known = this.#tallies.get(key, nowMs);
    if (known !== undefined && known.count > 0) known.count -= 1;
  }

  forget(key: string): void {
    this.#tallies.delete(key);
  }
}
