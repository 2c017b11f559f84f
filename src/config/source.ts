/**
 * What counts as one source of traffic: an IPv4 address, and of IPv6 the /64 that one customer gets at least
 * (RFC 6177), whose addresses he may change with each packet.
 */
import { canonicalAddress } from "./address-class.ts";

/** Four groups that are not 0 need no other spelling: most networks, and asked for with each message. */
const PLAIN_64 = /^(?:[1-9a-f][0-9a-f]{0,3}:){4}/;

/** `10.0.0.1`, or `2001:db8:1:2::/64`. The address is as sockets write it (RFC 5952). */
export function sourceOf(address: string): string {
  if (!address.includes(":")) return address;
  const plain = PLAIN_64.exec(address);
  if (plain !== null) return `${plain[0]}:/64`;
  if (address.includes(".")) return canonicalAddress(address); // IPv4-mapped
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const behind = tail === "" ? [] : tail.split(":");
    while (groups.length + behind.length < 8) groups.push("0");
    groups.push(...behind);
  }
  return `${canonicalAddress(`${groups.slice(0, 4).join(":")}::`)}/64`;
}

/** How such a source is kept in a set of single addresses: an IPv6 network by its first address. */
export function sourceAddress(address: string): string {
  return sourceOf(address).replace("/64", "");
}
