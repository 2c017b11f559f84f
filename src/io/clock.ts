/**
 * The real clock. Everything else gets a Clock passed in, so that tests drive time by hand.
 */
import type { Clock, Timer } from "./types.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs: number, fire: () => void): Timer {
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
