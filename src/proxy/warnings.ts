/** What the operator should know now, one entry a code; raised again, it keeps its first time. */
import type { Warning } from "../health/status.ts";
import type { Clock } from "../io/types.ts";

export class Warnings {
  readonly #clock: Clock;
  readonly #all = new Map<string, Warning>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  raise(code: string, text: string): void {
    const since = this.#all.get(code)?.since ?? new Date(this.#clock.now()).toISOString();
    this.#all.set(code, { code, text, since });
  }

  /** It is over. */
  lower(code: string): void {
    this.#all.delete(code);
  }

  get all(): readonly Warning[] {
    return [...this.#all.values()];
  }
}
