/**
 * What counts as one source: an IPv4 address, and of IPv6 the /64 that one customer gets (RFC 6177), whose
 * addresses he may change with each packet. And the networks that are never held to limits.
 */
import {
  canonicalAddress,
  isInNetworks,
  type NetworkSet,
  networkSet,
} from "../config/address-class.ts";

/** `10.0.0.1`, or `2001:db8:1:2::/64`. The address is as sockets write it (RFC 5952). */
export function sourceOf(address: string): string {
  if (!address.includes(":")) return address;
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

/** The networks of `neverBan`, compiled once for each list. */
export class Trusted {
  readonly #cidrs: () => readonly string[];
  #of: readonly string[] | null = null;
  #set: NetworkSet = networkSet([]);

  constructor(cidrs: () => readonly string[]) {
    this.#cidrs = cidrs;
  }

  has(address: string): boolean {
    const cidrs = this.#cidrs();
    if (cidrs.length === 0) return false;
    if (cidrs !== this.#of) {
      this.#of = cidrs;
      this.#set = networkSet(cidrs);
    }
    return isInNetworks(address, this.#set);
  }
}
