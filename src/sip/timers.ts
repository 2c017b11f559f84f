/**
 * The timers of SIP transactions (RFC 3261 §17 and table 4, RFC 6026 for L and M).
 * A transaction is in one state and a state waits for one thing, so each transaction owns one StateTimer:
 * resending with growing gaps until a deadline, or the deadline alone.
 */

import type { Clock, Timer } from "../io/types.ts";

/** All in milliseconds. A, E and G start at T1, I and K last T4; D, I, J and K are zero on streams. */
export type Timers = {
  readonly t1Ms: number;
  readonly t2Ms: number;
  readonly t4Ms: number;
  /** INVITE client waits for any response. */
  readonly timerBMs: number;
  /** INVITE client absorbs repeated 300-699, unreliable transports. */
  readonly timerDMs: number;
  /** Non-INVITE client waits for the final response. Also INVITE client after CANCEL (§9.1). */
  readonly timerFMs: number;
  /** INVITE server waits for the ACK of its 300-699. */
  readonly timerHMs: number;
  /** Non-INVITE server absorbs repeated requests, unreliable transports. */
  readonly timerJMs: number;
  /** INVITE server absorbs repeated INVITEs after its 2xx. */
  readonly timerLMs: number;
  /** INVITE client passes on repeated and forked 2xx. */
  readonly timerMMs: number;
};

/** The RFC's values, derived from T1 where the RFC derives them, with `own` laid over them. */
export function makeTimers(own: Partial<Timers> = {}): Timers {
  const t1Ms = own.t1Ms ?? 500;
  const longMs = 64 * t1Ms;
  return {
    t1Ms,
    t2Ms: 4000,
    t4Ms: 5000,
    timerBMs: longMs,
    timerDMs: Math.max(32_000, longMs),
    timerFMs: longMs,
    timerHMs: longMs,
    timerJMs: longMs,
    timerLMs: longMs,
    timerMMs: longMs,
    ...own,
  };
}

export type Resending = {
  /** Gap before the first repetition; null on reliable transports: only the deadline counts. */
  readonly firstGapMs: number | null;
  /** The gap that follows a gap. */
  readonly nextGapMs: (gapMs: number) => number;
  readonly deadlineMs: number;
  /** May stop() or restart the timer. */
  readonly resend: () => void;
  readonly expired: () => void;
};

/** One timer that is started anew for each state; starting it cancels what it waited for before. */
export class StateTimer {
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #startCount = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  stop(): void {
    this.#startCount += 1;
    this.#timer?.cancel();
    this.#timer = null;
  }

  start(delayMs: number, fire: () => void): void {
    this.stop();
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = null;
      fire();
    });
  }

  /** Resends until deadlineMs from now have passed; at the deadline it expires and does not resend. */
  startResending(plan: Resending): void {
    this.#resendAfter(
      plan,
      plan.firstGapMs ?? plan.deadlineMs,
      this.#clock.now() + plan.deadlineMs,
    );
  }

  #resendAfter(plan: Resending, gapMs: number, deadlineAtMs: number): void {
    const leftMs = deadlineAtMs - this.#clock.now();
    if (gapMs >= leftMs) {
      this.start(leftMs, plan.expired);
      return;
    }
    this.start(gapMs, () => {
      const startCount = this.#startCount;
      plan.resend();
      if (startCount === this.#startCount) {
        this.#resendAfter(plan, plan.nextGapMs(gapMs), deadlineAtMs);
      }
    });
  }
}

/** Timers A: doubling without a limit below the deadline. */
export function doubled(gapMs: number): number {
  return gapMs * 2;
}
