/**
 * The targets of one instance: each address and port it may be reached at, what is known of each, and the
 * order in which they are tried (RFC 3263 §4.2, §4.3). One that failed, or asked for a rest, comes last.
 */
import type { Clock } from "../io/types.ts";
import { inOrder, type Location } from "../sip/locate.ts";

export type Target = Location & {
  /** Our address towards it; null = no route. */
  insideAddress: string | null;
  /** null = nothing was sent to it yet, or nothing came of it yet. */
  reachable: boolean | null;
  reason: string | null;
  /** Tried last until then. */
  restUntilMs: number;
  /** When it is asked for life the next time (health-checks.ts). */
  checkAtMs: number;
};

/** How long one that DNS names no more may still end its dialogs. */
const FORMER_MS = 3600_000;
/** A DNS that names others each time must not make this grow. */
const FORMER_MOST = 32;

export class Targets {
  readonly #clock: Clock;
  #listed: readonly Target[] = [];
  readonly #former = new Map<Target, number>();
  /** OPTIONS find out about each, so that one that is down stays last until it answers. */
  isChecked = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those that DNS names now. */
  get listed(): readonly Target[] {
    return this.#listed;
  }

  /** For the reader: by priority, the heavier first. */
  get preferred(): readonly Target[] {
    return [...this.#listed].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
  }

  /** Also those that it has named until lately: their dialogs go on. */
  get all(): readonly Target[] {
    return [...this.#listed, ...this.#former.keys()];
  }

  /** What is known of one that stays is kept. */
  update(locations: readonly (Location & { readonly insideAddress: string | null })[]): void {
    const before = this.all;
    const now = this.#clock.now();
    this.#listed = locations.map((location) => {
      const known = before.find((one) => isSame(one, location));
      if (known !== undefined) return Object.assign(known, location);
      return { ...location, reachable: null, reason: null, restUntilMs: 0, checkAtMs: now };
    });
    for (const target of before) {
      if (this.#listed.includes(target)) this.#former.delete(target);
      else if (!this.#former.has(target)) this.#former.set(target, now + FORMER_MS);
    }
    for (const [target, untilMs] of this.#former) {
      if (untilMs <= now || this.#former.size > FORMER_MOST) this.#former.delete(target);
    }
  }

  /** At that address; with several ports there the one of that port, else any (a connection's is its own). */
  at(address: string, port: number): Target | undefined {
    const here = this.all.filter((one) => one.address === address);
    return here.find((one) => one.port === port) ?? here[0];
  }

  /** Those there is a way to. Without any that is well, those that rest are tried all the same. */
  inOrder(seed: string): readonly Target[] {
    const order = inOrder(this.#listed, seed).filter(({ insideAddress }) => insideAddress !== null);
    if (order.length < 2) return order;
    const isResting = (target: Target): boolean => this.isResting(target);
    return [...order.filter((one) => !isResting(one)), ...order.filter(isResting)];
  }

  isResting(target: Target): boolean {
    if (this.#clock.now() < target.restUntilMs) return true;
    return this.isChecked && target.reachable === false;
  }
}

function isSame(left: Location, right: Location): boolean {
  return left.address === right.address && left.port === right.port;
}
