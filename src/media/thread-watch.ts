/**
 * Tells when a thread is there and yet does nothing: each turn of its loop it counts on in shared memory, and
 * here that is looked at. Looks are counted, not seconds: of a machine that slept, or that was late with
 * everything, one look is missing.
 */
import type { Clock, Timer } from "../io/types.ts";

const LOOK_MS = 1000;
/** A turn lasts a tenth of a second at most, so this many looks in a row are no accident. */
const STILL_MAX = 5;

export class ThreadWatch {
  readonly #clock: Clock;
  readonly #turns: () => number;
  readonly #hung: () => void;
  #timer: Timer | null = null;
  #seen = 0;
  #still = 0;

  constructor(o: { clock: Clock; turns: () => number; hung: () => void }) {
    this.#clock = o.clock;
    this.#turns = o.turns;
    this.#hung = o.hung;
  }

  start(): void {
    this.stop();
    this.#still = 0;
    this.#seen = this.#turns();
    this.#lookLater();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #lookLater(): void {
    this.#timer = this.#clock.after(LOOK_MS, () => this.#look());
  }

  #look(): void {
    const turns = this.#turns();
    this.#still = turns === this.#seen ? this.#still + 1 : 0;
    this.#seen = turns;
    if (this.#still < STILL_MAX) return this.#lookLater();
    this.#timer = null;
    this.#hung();
  }
}
