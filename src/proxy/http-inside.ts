/**
 * The way to the instances' web servers: a pool of connections to each address of a URL, from our address
 * towards it. Names are looked up again behind the requests; what was known last stays in use.
 */
import { isIPv6 } from "node:net";
import type { ProxyConfig } from "../config/config.ts";
import type { HttpPool, HttpPoolOptions } from "../io/http-types.ts";
import type { World } from "../io/types.ts";

/** A base URL of an instance and how its certificate is looked at. */
export type InsideUrl = {
  readonly url: string;
  readonly verifyTls: boolean;
  readonly caPem: string | null;
};

export type HttpInsideOptions = {
  readonly world: Pick<World, "clock" | "resolve" | "sourceAddressFor" | "openHttpPool">;
  settings(): ProxyConfig;
};

type Pools = {
  readonly all: Map<string, HttpPool>;
  /** Addresses, that which is asked first. */
  order: string[];
  lookUpAtMs: number;
};

export class HttpInside {
  readonly #o: HttpInsideOptions;
  readonly #known = new Map<string, Pools>();
  readonly #lookUps = new Map<string, Promise<Pools | null>>();

  constructor(o: HttpInsideOptions) {
    this.#o = o;
  }

  /** At once where the address is known; null = it cannot be. */
  poolFor(at: InsideUrl): HttpPool | Promise<HttpPool | null> {
    const key = this.#keyOf(at);
    const known = this.#known.get(key);
    const now = this.#o.world.clock.now();
    const isDue = known === undefined || known.lookUpAtMs <= now;
    const asked = isDue ? this.#lookUp(key, at) : null;
    const pool = known === undefined ? null : firstOf(known);
    if (pool !== null) return pool;
    return (asked ?? this.#lookUp(key, at)).then((pools) =>
      pools === null ? null : firstOf(pools),
    );
  }

  /** That address could not be reached: another one is tried next. */
  failed(at: InsideUrl): void {
    const pools = this.#known.get(this.#keyOf(at));
    const first = pools?.order.shift();
    if (first !== undefined) pools?.order.push(first);
  }

  /** Only these are still asked for: no connection to an instance that is gone stays open. */
  retain(urls: readonly InsideUrl[]): void {
    const keys = new Set(urls.map((at) => this.#keyOf(at)));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#forget(key);
  }

  close(): void {
    for (const key of this.#known.keys()) this.#forget(key);
  }

  #forget(key: string): void {
    for (const pool of this.#known.get(key)?.all.values() ?? []) pool.close();
    this.#known.delete(key);
  }

  #keyOf({ url, verifyTls, caPem }: InsideUrl): string {
    const { inside, limits } = this.#o.settings();
    const { httpConnectTimeout, httpInstanceConnections } = limits;
    const parts = [
      url,
      verifyTls,
      caPem,
      inside.address,
      httpConnectTimeout,
      httpInstanceConnections,
    ];
    return parts.join(" ");
  }

  #lookUp(key: string, at: InsideUrl): Promise<Pools | null> {
    const under = this.#lookUps.get(key);
    if (under !== undefined) return under;
    const looking = this.#resolve(key, at).finally(() => this.#lookUps.delete(key));
    this.#lookUps.set(key, looking);
    return looking;
  }

  async #resolve(key: string, at: InsideUrl): Promise<Pools | null> {
    const { world } = this.#o;
    const { dnsInterval } = this.#o.settings().limits;
    const known = this.#known.get(key);
    const lookUpAtMs = world.clock.now() + dnsInterval * 1000;
    const pools = known ?? { all: new Map(), order: [], lookUpAtMs };
    pools.lookUpAtMs = lookUpAtMs;
    try {
      const { addresses } = await this.#inTime(world.resolve(hostOf(at.url)));
      const found = new Map<string, HttpPool>();
      for (const address of addresses) {
        const pool = pools.all.get(address) ?? (await this.#open(at, address));
        if (pool !== null) found.set(address, pool);
      }
      this.#use(pools, found);
    } catch {
      // DNS that is down costs nobody who was reachable.
      if (known === undefined) return null;
    }
    this.#known.set(key, pools);
    return pools;
  }

  #use(pools: Pools, found: ReadonlyMap<string, HttpPool>): void {
    for (const [address, pool] of pools.all) {
      if (!found.has(address)) pool.close();
    }
    const isSame = found.size === pools.all.size && pools.order.every((one) => found.has(one));
    pools.all.clear();
    for (const [address, pool] of found) pools.all.set(address, pool);
    if (!isSame) pools.order = [...found.keys()];
  }

  async #open(at: InsideUrl, address: string): Promise<HttpPool | null> {
    const { world } = this.#o;
    const { inside, limits } = this.#o.settings();
    const own = inside.address;
    const isOwn = own !== null && isIPv6(own) === isIPv6(address);
    const local = isOwn ? own : await world.sourceAddressFor(address);
    if (local === null) return null;
    return world.openHttpPool({
      local: { address: local },
      remote: { address, port: portOf(at.url) },
      ...tlsOf(at),
      connectTimeoutMs: limits.httpConnectTimeout * 1000,
      connections: limits.httpInstanceConnections,
    });
  }

  /** A request waits for DNS no longer than for a connection. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    const { clock } = this.#o.world;
    return new Promise((resolve, reject) => {
      const late = clock.after(this.#o.settings().limits.httpConnectTimeout * 1000, () =>
        reject(new Error("no answer from DNS in time")),
      );
      answer.then(resolve, reject).finally(() => late.cancel());
    });
  }
}

function firstOf(pools: Pools): HttpPool | null {
  const [first] = pools.order;
  return first === undefined ? null : (pools.all.get(first) ?? null);
}

export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

/** A URL of the configuration in the parts that each request needs. */
export type UrlParts = {
  /** `http://10.0.3.150:8080`, in lower case. */
  readonly origin: string;
  readonly host: string;
  /** Without the slash at its end. */
  readonly base: string;
};

const parts = new Map<string, UrlParts>();
/** More than any configuration has; what was reloaded away goes with the rest. */
const PARTS_MOST = 10_000;

export function urlParts(url: string): UrlParts {
  const known = parts.get(url);
  if (known !== undefined) return known;
  const { origin, host, pathname } = new URL(url);
  const made = { origin: origin.toLowerCase(), host, base: pathname.replace(/\/+$/, "") };
  if (parts.size >= PARTS_MOST) parts.clear();
  parts.set(url, made);
  return made;
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

function tlsOf({ url, verifyTls, caPem }: InsideUrl): Pick<HttpPoolOptions, "tls"> {
  if (!url.startsWith("https:")) return {};
  return { tls: { serverName: hostOf(url), verify: verifyTls, caPem } };
}
