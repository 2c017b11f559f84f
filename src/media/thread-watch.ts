/**
 * Tells when a thread is there and yet does nothing: each turn of its loop it counts on in shared memory, and
 * here that is looked at. Looks are counted, not seconds: of a machine that slept, or that was late with
 * everything, one look is missing.
 */
import type { Clock, Timer } from "../io/types.ts";

const LOOK_MS = 1000;
/** A turn lasts a tenth of a second at most, so this many looks in a row are no accident; a start takes longer. */
const STILL_MAX = 5;
const STARTING_MAX = 30;

export class ThreadWatch {
  readonly #clock: Clock;
  readonly #turns: () => number;
  readonly #hung: () => void;
  #timer: Timer | null = null;
  #seen = 0;
  #still = 0;
  #stillMax = STARTING_MAX;

  constructor(o: { clock: Clock; turns: () => number; hung: () => void }) {
    this.#clock = o.clock;
    this.#turns = o.turns;
    this.#hung = o.hung;
  }

  /** From the thread's start; once more when it runs. */
  begin(o: { readonly isRunning: boolean }): void {
    this.stop();
    this.#still = 0;
    this.#stillMax = o.isRunning ? STILL_MAX : STARTING_MAX;
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
    if (this.#still < this.#stillMax) return this.#lookLater();
    this.#timer = null;
    this.#hung();
  }
}
