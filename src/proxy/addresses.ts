/** Addresses as they are written in URIs and Via: IPv6 in brackets (RFC 3261 §25.1). */
import { isIPv6 } from "node:net";
import { isInNetworks, LOCAL_NETWORKS, networkSet } from "../config/address-class.ts";
import type { ProxyConfig } from "../config/config.ts";
import type { Endpoint } from "../io/types.ts";

export function uriHost(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

export function hostPort(address: string, port: number): string {
  return `${uriHost(address)}:${port}`;
}

export function formatEndpoint(endpoint: Endpoint): string {
  return hostPort(endpoint.address, endpoint.port);
}

/** Without brackets and the final dot of DNS, in lower case, so that two ways to write a host are equal. */
export function plainHost(host: string): string {
  return host.replace(/^\[|[\].]$/g, "").toLowerCase();
}

/** Of addresses, which alone hold colons where they are IPv6. */
export function isSameFamily(one: string, other: string): boolean {
  return one.includes(":") === other.includes(":");
}

/** Of our addresses in one zone the one of the peer's family; the first where there is none. */
export function facing(addresses: readonly string[], peer: string): string {
  const found = addresses.find((one) => isSameFamily(one, peer)) ?? addresses[0];
  if (found === undefined) throw new Error("a zone without an address");
  return found;
}

/**
 * The address a peer shall find the proxy at. Where it stands behind 1:1 NAT phones outside get the public
 * address; those in `localNetworks` (empty = private networks) get the one it is bound to, since their
 * router may not turn packets round.
 */
export function advertisedTo(peer: string, config: ProxyConfig, bindAddress: string): string {
  const { publicAddress, publicAddress6, localNetworks } = config;
  const own = isIPv6(peer) ? publicAddress6 : publicAddress;
  if (own === null) return bindAddress;
  const local = localNetworks.length === 0 ? LOCAL_NETWORKS : networkSet(localNetworks);
  return isInNetworks(peer, local) ? bindAddress : own;
}
