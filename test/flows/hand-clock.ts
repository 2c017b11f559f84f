/**
 * Time that moves only when a test says so: the Clock of every conversation in test/flows.
 * Timers fire in the order of their due times, equal ones in the order they were set; a timer set while
 * another fires is met by the same advance() when it is due within it.
 */

import type { Clock, Timer } from "../../src/io/types.ts";

type Pending = { dueMs: number; readonly order: number; readonly fire: () => void };

export class HandClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#pending.add(pending);
    return {
      cancel: () => {
        this.#pending.delete(pending);
      },
    };
  }

  /** Timers set and neither fired nor cancelled: a test asserts 0 to prove that nothing leaks. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Milliseconds until the next timer is due; null when there is none. */
  get nextInMs(): number | null {
    const next = this.#next();
    return next === undefined ? null : next.dueMs - this.#nowMs;
  }

  /** Moves time by `ms` and fires what is due, each timer at its own moment. A throw stops there. */
  advance(ms: number): void {
    const targetMs = this.#nowMs + ms;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next.dueMs > targetMs) break;
      this.#nowMs = next.dueMs;
      this.#pending.delete(next);
      next.fire();
    }
    this.#nowMs = targetMs;
  }

  /** Somebody sets the clock on the wall: what was to come in a second comes in a second. */
  jump(ms: number): void {
    this.#nowMs += ms;
    for (const pending of this.#pending) pending.dueMs += ms;
  }

  #next(): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      const isEarlier =
        first === undefined ||
        pending.dueMs < first.dueMs ||
        (pending.dueMs === first.dueMs && pending.order < first.order);
      if (isEarlier) first = pending;
    }
    return first;
  }
}
