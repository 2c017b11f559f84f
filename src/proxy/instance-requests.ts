/**
 * How many requests wait for each instance (or go from it to phones). A dead or flooded one fills its own
 * share and nobody else's: the transactions of the proxy are many shares large.
 */
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { Tally } from "./tally.ts";

export class InstanceRequests {
  readonly #maximum: () => number;
  readonly #open = new Map<ServerTransaction, string>();
  readonly #perInstance = new Tally();

  constructor(maximum: () => number) {
    this.#maximum = maximum;
  }

  of(instance: string): number {
    return this.#perInstance.of(instance);
  }

  /** False: the share is full. */
  enter(transaction: ServerTransaction, instance: string): boolean {
    if (this.#perInstance.of(instance) >= this.#maximum()) return false;
    this.#open.set(transaction, instance);
    this.#perInstance.add(instance, 1);
    return true;
  }

  /** Idempotent. */
  leave(transaction: ServerTransaction): void {
    const instance = this.#open.get(transaction);
    if (instance === undefined) return;
    this.#open.delete(transaction);
    this.#perInstance.add(instance, -1);
  }
}
