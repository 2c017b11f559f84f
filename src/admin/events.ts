/** Who wants to know what happens: the event stream of the API and the live parts of the pages. */
import type { AdminEvent } from "./operations.ts";

export class Events {
  readonly #receivers = new Set<(event: AdminEvent) => void>();

  /** How many listen. */
  get size(): number {
    return this.#receivers.size;
  }

  emit(event: AdminEvent): void {
    for (const receive of this.#receivers) receive(event);
  }

  /** `receive` must not throw. Answers how to end it. */
  subscribe(receive: (event: AdminEvent) => void): () => void {
    this.#receivers.add(receive);
    return () => {
      this.#receivers.delete(receive);
    };
  }
}
