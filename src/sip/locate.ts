/**
 * Where a server is (RFC 3263 §4): which addresses and ports, and in which order they are tried. The
 * transport is always the configured one, so NAPTR is never asked.
 */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import type { Resolver, ServiceRecord } from "../io/types.ts";

export type Transport = "udp" | "tcp" | "tls";

/** What is configured. Only a host name without a port is looked for by SRV (RFC 3263 §4.2). */
export type Asked = {
  readonly host: string;
  readonly port: number | undefined;
  readonly transport: Transport;
};

/**
 * One address and port of a server; lower priorities are tried first, within one the hosts by weight, the
 * addresses of one host as they come.
 */
export type Location = {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
};

export type Located = {
  readonly locations: readonly Location[];
  /** How long this may be kept; null = nobody says. */
  readonly ttlSeconds: number | null;
  /** SRV records said so. */
  readonly isService: boolean;
};

/** Also for TLS, where RFC 3261 has 5061: the configuration says so. */
export const DEFAULT_SIP_PORT = 5060;

const SERVICES: Readonly<Record<Transport, string>> = {
  udp: "_sip._udp",
  tcp: "_sip._tcp",
  tls: "_sips._tcp",
};

/**
 * `wasService`: SRV records were found before. A DNS that fails on them now is then no reason to go where
 * they never pointed. Rejects when nothing is found.
 */
export async function locate(dns: Resolver, asked: Asked, wasService: boolean): Promise<Located> {
  const { host, port, transport } = asked;
  if (isIP(host) === 0 && port === undefined) {
    const records = await servicesOf(dns, `${SERVICES[transport]}.${host}`, wasService);
    if (records.length > 0) return serviceHosts(dns, host, records);
  }
  const { addresses, ttlSeconds } = await dns.resolve(host);
  const locations = addresses.map((address) => {
    return { host, address, port: port ?? DEFAULT_SIP_PORT, priority: 0, weight: 0 };
  });
  return { locations, ttlSeconds, isService: false };
}

/** Of every transport, for who lets packets through rather than sends them (the firewall). */
export async function everyAddress(dns: Resolver, host: string): Promise<readonly string[]> {
  const located = Object.keys(SERVICES).map((transport) =>
    locate(dns, { host, port: undefined, transport: transport as Transport }, true),
  );
  const direct = dns.resolve(host).then(({ addresses }) => addresses);
  const found = await Promise.allSettled([
    direct,
    ...located.map(async (one) => (await one).locations.map(({ address }) => address)),
  ]);
  const addresses = found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  return [...new Set(addresses)];
}

async function servicesOf(
  dns: Resolver,
  name: string,
  wasService: boolean,
): Promise<readonly ServiceRecord[]> {
  try {
    return await dns.resolveService(name);
  } catch (error) {
    if (wasService) throw error;
    return [];
  }
}

/** A host of the records that has no address is left out, as long as another has one. */
async function serviceHosts(
  dns: Resolver,
  host: string,
  records: readonly ServiceRecord[],
): Promise<Located> {
  const offered = records.filter((record) => record.host !== "" && record.host !== ".");
  if (offered.length === 0) throw new Error(`DNS says that ${host} has no SIP service`);
  const found = await Promise.allSettled(offered.map((record) => dns.resolve(record.host)));
  const locations: Location[] = [];
  const ttls: number[] = [];
  for (const [at, record] of offered.entries()) {
    const answer = found[at];
    if (answer?.status !== "fulfilled") continue;
    if (answer.value.ttlSeconds !== null) ttls.push(answer.value.ttlSeconds);
    for (const address of answer.value.addresses) locations.push({ ...record, address });
  }
  if (locations.length === 0) throw new Error(`no server of ${host} has an address`);
  return { locations, ttlSeconds: ttls.length === 0 ? null : Math.min(...ttls), isService: true };
}

/**
 * The order in which to try them (RFC 2782). The draw follows from `seed`, so that a request that is sent
 * again with credentials (same Call-ID) goes to the server that made the challenge.
 */
export function inOrder<T extends Location>(locations: readonly T[], seed: string): T[] {
  if (locations.length < 2) return [...locations];
  const hosts = new Map<string, T[]>();
  for (const one of locations) {
    const key = `${one.priority} ${one.host} ${one.port}`;
    hosts.set(key, [...(hosts.get(key) ?? []), one]);
  }
  const byPriority = [...hosts.values()].sort((a, b) => a[0]!.priority - b[0]!.priority);
  const order: T[] = [];
  while (byPriority.length > 0) {
    const { priority } = byPriority[0]![0]!;
    const equals = byPriority.filter(([first]) => first!.priority === priority);
    const chosen = drawByWeight(equals, `${seed} ${order.length}`);
    byPriority.splice(byPriority.indexOf(chosen), 1);
    order.push(...chosen);
  }
  return order;
}

/** Those of weight 0 stand first, and so have the small chance that the RFC gives them. */
function drawByWeight<T extends Location>(equals: readonly T[][], seed: string): T[] {
  const weightOf = (host: T[]): number => host[0]!.weight;
  const sorted = [...equals].sort((a, b) => weightOf(a) - weightOf(b));
  const total = sorted.reduce((sum, host) => sum + weightOf(host), 0);
  const drawn = Math.floor(draw(seed) * (total + 1));
  let sum = 0;
  const found = sorted.find((host) => {
    sum += weightOf(host);
    return sum >= drawn;
  });
  return found ?? sorted[0]!;
}

/** From 0 to just below 1. */
function draw(seed: string): number {
  return createHash("sha1").update(seed).digest().readUInt32BE(0) / 2 ** 32;
}
