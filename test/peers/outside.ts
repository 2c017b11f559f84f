/**
 * Where scripted peers live: the simulated network of test/flows or the machine's own sockets. Both
 * offer the same World, and the same way to wait: for something that must have happened, never for time.
 */
import type { World } from "../../src/io/types.ts";
import type { SimulatedNetwork, WorldOptions } from "../flows/simulated-network.ts";

export type Outside = {
  readonly world: World;
  /** The value once `find` gives one; fails with `what()` when it never does. */
  waitFor<T>(find: () => T | undefined, what: () => string): Promise<T>;
  /** To be called by a peer when something arrived. */
  changed(): void;
  /** Lets everything under way arrive; on real sockets as far as one can know. */
  settle(): Promise<void>;
};

/** In the simulated network everything that will happen has happened once it is at rest. */
export function simulated(network: SimulatedNetwork, options: WorldOptions): Outside {
  return {
    world: network.world(options),
    async waitFor(find, what) {
      await network.settle();
      const found = find();
      if (found === undefined) throw new Error(what());
      return found;
    },
    changed() {},
    settle: () => network.settle(),
  };
}

/** On real sockets a peer waits for arrivals, up to a deadline that only a failing test reaches. */
export function onRealSockets(world: World, deadlineMs = 8000): Outside {
  const waiting = new Set<() => void>();
  return {
    world,
    waitFor<T>(find: () => T | undefined, what: () => string): Promise<T> {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = find();
          if (found === undefined) return;
          stop();
          resolve(found);
        };
        const deadline = setTimeout(() => {
          stop();
          reject(new Error(what()));
        }, deadlineMs);
        const stop = (): void => {
          clearTimeout(deadline);
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      });
    },
    changed() {
      for (const look of [...waiting]) look();
    },
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}
