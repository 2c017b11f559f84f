/**
 * Open ports of one kind, by the place that was configured. A change has two halves, so that a reload that
 * cannot have one of its ports leaves all as it was: open() opens what is new, keep() closes what is not
 * wanted any more, undo() closes what open() opened.
 */
import { isIPv6 } from "node:net";
import type { ProxyConfig } from "../config/config.ts";
import type { Endpoint } from "../io/types.ts";
import { isSameFamily } from "./addresses.ts";

export type Listener = { readonly local: Endpoint; close(): void };

/** The second half of a change of ports; exactly one of the two is called. */
export type Opened = { keep(): void; undo(): void };

type Options<T> = {
  /** Port 0 = any free one. `config` is the one to come, not yet in use. Rejects with ListenError. */
  listen(at: Endpoint, config: ProxyConfig): Promise<T>;
  /** It takes nothing new; the owner ends what came through it. */
  closed?(listener: T): void;
};

export class Listeners<T extends Listener> {
  readonly #o: Options<T>;
  /** By what was configured: port 0 stays 0 here. */
  readonly #all = new Map<string, T>();

  constructor(o: Options<T>) {
    this.#o = o;
  }

  /** A port that did not change stays open with its connections. */
  async open(wanted: readonly Endpoint[], config: ProxyConfig): Promise<Opened> {
    const fresh: string[] = [];
    const undo = (): void => {
      for (const key of fresh) this.#close(key);
    };
    try {
      for (const at of wanted) {
        const key = keyOf(at);
        if (this.#all.has(key)) continue;
        this.#all.set(key, await this.#o.listen(at, config));
        fresh.push(key);
      }
    } catch (error) {
      undo();
      throw error;
    }
    const keys = new Set(wanted.map(keyOf));
    const keep = (): void => {
      for (const key of [...this.#all.keys()]) if (!keys.has(key)) this.#close(key);
    };
    return { keep, undo };
  }

  get all(): readonly T[] {
    return [...this.#all.values()];
  }

  /** The one that a peer of that address can have come to: a zone has one address of each family. */
  towards(peer: string): T | undefined {
    for (const one of this.#all.values()) if (isSameFamily(one.local.address, peer)) return one;
    return undefined;
  }

  /** What is open under that name for the status; the IPv6 one beside an IPv4 one gets a 6. */
  named(name: string): Readonly<Record<string, Endpoint>> {
    const found: Record<string, Endpoint> = {};
    for (const { local } of this.#all.values()) {
      const isSecond = found[name] !== undefined && isIPv6(local.address);
      found[isSecond ? `${name}6` : name] = local;
    }
    return found;
  }

  /** Takes nothing new; what is open stays. */
  stop(): void {
    for (const listener of this.#all.values()) listener.close();
  }

  close(): void {
    for (const key of [...this.#all.keys()]) this.#close(key);
  }

  #close(key: string): void {
    const listener = this.#all.get(key);
    this.#all.delete(key);
    if (listener === undefined) return;
    listener.close();
    this.#o.closed?.(listener);
  }
}

/** Both changes as one: a failure of the second undoes the first. */
export async function openBoth(
  first: () => Promise<Opened>,
  second: () => Promise<Opened>,
): Promise<Opened> {
  const done = await first();
  let more: Opened;
  try {
    more = await second();
  } catch (error) {
    done.undo();
    throw error;
  }
  return {
    keep() {
      done.keep();
      more.keep();
    },
    undo() {
      more.undo();
      done.undo();
    },
  };
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}
