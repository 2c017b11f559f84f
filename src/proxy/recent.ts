/**
 * A map of what was met lately, bounded in number and age at no cost for each message: two generations, the
 * older of which is dropped as a whole when the younger one is full or old. What is looked up stays.
 */

export class Recent<V> {
  readonly #maximum: () => number;
  readonly #ageMs: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #sinceMs = 0;

  /** An entry lives for at least `ageMs` unless more than `maximum` others come meanwhile. */
  constructor(maximum: () => number, ageMs: number) {
    this.#maximum = maximum;
    this.#ageMs = ageMs;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string, nowMs: number): V | undefined {
    if (nowMs - this.#sinceMs >= this.#ageMs) this.#turn(nowMs);
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const earlier = this.#old.get(key);
    if (earlier !== undefined) this.#put(key, earlier, nowMs);
    return earlier;
  }

  set(key: string, value: V, nowMs: number): void {
    if (nowMs - this.#sinceMs >= this.#ageMs) this.#turn(nowMs);
    this.#put(key, value, nowMs);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  #put(key: string, value: V, nowMs: number): void {
    // Half in each generation.
    if (this.#young.size * 2 >= this.#maximum() && !this.#young.has(key)) this.#turn(nowMs);
    this.#young.set(key, value);
  }

  #turn(nowMs: number): void {
    // After a long silence nothing of either is recent.
    const isLongAgo = nowMs - this.#sinceMs >= 2 * this.#ageMs;
    this.#old = isLongAgo ? new Map() : this.#young;
    this.#young = new Map();
    this.#sinceMs = nowMs;
  }
}
