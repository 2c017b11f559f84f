/**
 * What is seen of the proxies: each is asked over its status socket, here and now. "Running" comes from the
 * answer of the process alone; why one does not run comes from who started it.
 */
import type { ProxyStatus } from "../health/status.ts";
import type { Clock, Timer } from "../io/types.ts";
import type { Events } from "./events.ts";
import type { ObservedProxy, ObservedState } from "./operations.ts";
import type { Supervisor } from "./supervisor.ts";

/** The answer of a proxy's status socket; null = nobody answers. Must not reject. */
export type AskStatus = (name: string) => Promise<ProxyStatus | null>;

const STEP_MS = 100;

type ObserverOptions = {
  readonly ask: AskStatus;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly events: Events;
  /** Whether the active configuration wants it to run. */
  shallRun(name: string): boolean;
};

export class ProxyObserver {
  readonly #o: ObserverOptions;
  /** The last state told as an event. */
  readonly #told = new Map<string, ObservedState>();

  constructor(o: ObserverOptions) {
    this.#o = o;
  }

  async observe(name: string): Promise<ObservedProxy> {
    const status = await this.#o.ask(name);
    const { clock, supervisor } = this.#o;
    const trouble = status === null ? supervisor.trouble(name) : null;
    const observed = {
      name,
      state: status?.state ?? trouble?.state ?? "stopped",
      reason: trouble?.reason ?? null,
      observedAt: new Date(clock.now()).toISOString(),
      status,
      shallRun: this.#o.shallRun(name),
    };
    this.#tell(observed);
    return observed;
  }

  /**
   * Looks until it is as wished, or is `hopeless`, or `patienceMs` are over; answers what was seen last.
   */
  async until(
    name: string,
    isWished: (proxy: ObservedProxy) => boolean,
    o: { patienceMs: number; isHopeless?(proxy: ObservedProxy): boolean },
  ): Promise<ObservedProxy> {
    const { clock } = this.#o;
    const deadlineMs = clock.now() + o.patienceMs;
    for (;;) {
      const observed = await this.observe(name);
      if (isWished(observed) || o.isHopeless?.(observed) === true) return observed;
      if (clock.now() >= deadlineMs) return observed;
      await new Promise<void>((settle) => void clock.after(STEP_MS, settle));
    }
  }

  /** Looks at all of them every so often while somebody listens. Answers how to end it. */
  watch(names: () => readonly string[], everyMs: number): () => void {
    const { clock, events } = this.#o;
    let timer: Timer | null = null;
    let isOver = false;
    const look = async (): Promise<void> => {
      if (events.size > 0) await Promise.all(names().map((name) => this.observe(name)));
      if (!isOver) timer = clock.after(everyMs, () => void look());
    };
    void look();
    return () => {
      isOver = true;
      timer?.cancel();
    };
  }

  #tell({ name, state }: ObservedProxy): void {
    if (this.#told.get(name) === state) return;
    this.#told.set(name, state);
    this.#o.events.emit({ type: "proxy", name, state });
  }
}
