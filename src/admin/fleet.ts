/**
 * Makes the processes of the proxies as a document wants them: writes each one its slice, starts what is on,
 * reloads what changed, stops what is off or gone. What goes wrong with one stops no other. Nobody waits for
 * an end: a proxy may take its time to drain, and what came of it is observed.
 */
import type { ConfigDocument } from "../config/config.ts";
import type { Log } from "../io/types.ts";
import type { ProxyObserver } from "./proxies-status.ts";
import type { TextStore } from "./revisions.ts";
import { removeSlice, slicedNames, writeSlice } from "./slices.ts";
import type { Supervisor } from "./supervisor.ts";

const KILL_AFTER_MS = 10_000;

type FleetOptions = {
  readonly store: TextStore;
  readonly supervisor: Supervisor;
  readonly observer: ProxyObserver;
  readonly log: Log;
};

export class Fleet {
  readonly #o: FleetOptions;

  constructor(o: FleetOptions) {
    this.#o = o;
  }

  async match(document: ConfigDocument): Promise<void> {
    const names = new Set(document.proxies.map((proxy) => proxy.name));
    const gone = slicedNames(this.#o.store).filter((name) => !names.has(name));
    await Promise.all([...document.proxies.map((proxy) => this.#matchOne(document, proxy))]);
    for (const name of gone) {
      removeSlice(this.#o.store, name);
      this.#stop(name, 0);
    }
  }

  async #matchOne(
    document: ConfigDocument,
    { name, enabled, limits }: ConfigDocument["proxies"][number],
  ): Promise<void> {
    const { store, supervisor, observer, log } = this.#o;
    try {
      const isChanged = writeSlice(store, document, name);
      if (!enabled) return this.#stop(name, limits.closeTimeout);
      const isRunning = (await observer.observe(name)).status !== null;
      if (isRunning && isChanged) await supervisor.reload(name);
      // Also when it runs already: one that ends from now on has to come back.
      else await supervisor.start(name);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("proxy-not-changed", { proxy: name, reason });
    }
  }

  /** Its open transactions get their time, then some more; after that it is killed. */
  #stop(name: string, closeTimeoutSeconds: number): void {
    const { supervisor, log } = this.#o;
    const patienceMs = closeTimeoutSeconds * 1000 + KILL_AFTER_MS;
    supervisor.stop(name, patienceMs).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("proxy-not-stopped", { proxy: name, reason });
    });
  }
}
