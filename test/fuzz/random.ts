/** Numbers that look random and are the same on every machine: xorshift over 32 bits, one seed a run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds shall not begin alike, and the state must not be 0.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
    for (let warm = 0; warm < 8; warm += 1) this.below(2);
  }

  /** A whole number from 0 to limit - 1. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return Math.floor(((state >>> 0) / 4_294_967_296) * limit);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  }
}
