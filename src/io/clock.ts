/**
 * The real clock. Everything else gets a Clock passed in, so that tests drive time by hand.
 */
import type { Clock, Timer } from "./types.ts";

/** There are some for each call: one object, no closures. */
class SystemTimer implements Timer {
  readonly #handle: ReturnType<typeof setTimeout>;

  constructor(delayMs: number, fire: () => void) {
    this.#handle = setTimeout(fire, delayMs);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** Milliseconds since some moment, in fractions, whatever happens to the clock on the wall. */
export const elapsedMs = (): number => performance.now();

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, fire) => new SystemTimer(delayMs, fire),
};
