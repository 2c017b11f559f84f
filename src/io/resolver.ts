/**
 * Names of the machine's resolver. Addresses come from getaddrinfo, so that the hosts file counts; how long
 * they may be kept only DNS itself says, and SRV records only it has.
 */
import dns from "node:dns";
import { isIP } from "node:net";
import type { HostAddresses, ServiceRecord } from "./types.ts";

const TIMEOUT_MS = 5000;
/** The name or the type of record does not exist: an answer, not a failure. */
const NOTHING_THERE = new Set(["ENOTFOUND", "ENODATA"]);

/** A new one each time: it reads resolv.conf when it is made, which DHCP may have changed. */
const asker = () => new dns.promises.Resolver({ timeout: TIMEOUT_MS / 2, tries: 2 });

async function inTime<T>(host: string, answer: Promise<T>): Promise<T> {
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Error(`no answer from DNS for ${host}`));
    deadline = setTimeout(fail, TIMEOUT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(deadline);
  }
}

/** @see Resolver in types.ts */
export async function resolve(host: string): Promise<HostAddresses> {
  if (isIP(host) !== 0) return { addresses: [host], ttlSeconds: null };
  const [found, ttls] = await Promise.all([
    inTime(host, Bun.dns.lookup(host, { backend: "getaddrinfo" })),
    ttlsOf(host),
  ]);
  // IPv4 first: it is what most instances listen on. Then always the same order, though DNS may turn its
  // answers round: what is first is where the phones are registered.
  const addresses = [...new Set(found.map(({ address }) => address))].sort(
    (a, b) => isIP(a) - isIP(b) || (a < b ? -1 : 1),
  );
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  const known = addresses.map((address) => ttls.get(address));
  const isKnown = known.every((ttl) => ttl !== undefined);
  return { addresses, ttlSeconds: isKnown ? Math.min(...known.map(Number)) : null };
}

async function ttlsOf(host: string): Promise<Map<string, number>> {
  const resolver = asker();
  const answers = [
    resolver.resolve4(host, { ttl: true }).catch(() => []),
    resolver.resolve6(host, { ttl: true }).catch(() => []),
  ];
  const records = await inTime(host, Promise.all(answers)).catch(() => []);
  return new Map(records.flat().map(({ address, ttl }) => [address, ttl]));
}

/** @see Resolver in types.ts */
export async function resolveService(name: string): Promise<readonly ServiceRecord[]> {
  try {
    const records = await inTime(name, asker().resolveSrv(name));
    return records.map(({ name: host, port, priority, weight }) => {
      return { host, port, priority, weight };
    });
  } catch (error) {
    if (NOTHING_THERE.has((error as { code?: string }).code ?? "")) return [];
    throw error;
  }
}
