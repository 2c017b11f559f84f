/**
 * The one classifier of IP addresses: what kind of place an address is, and whether it lies in a list of
 * networks. IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2) count as the IPv4 address they carry, so
 * that ::ffff:127.0.0.1 is a loopback address. Used by configuration, SIP and media alike.
 */
import { BlockList, isIP } from "node:net";

export type AddressClass =
  | "loopback"
  | "multicast"
  | "unspecified"
  | "link-local"
  | "private"
  | "public";

/** A list of networks made ready for many look-ups. */
export type NetworkSet = { readonly networks: readonly string[]; readonly blocks: BlockList };

/** The networks of a list of CIDRs, e.g. "10.0.0.0/8"; host bits are ignored. Throws on anything else. */
export function networkSet(cidrs: readonly string[]): NetworkSet {
  const blocks = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", prefix = ""] = cidr.split("/");
    if (isIP(network) === 0 || !/^[0-9]{1,3}$/.test(prefix))
      throw new TypeError(`not a CIDR: ${cidr}`);
    blocks.addSubnet(network, Number(prefix), isIP(network) === 4 ? "ipv4" : "ipv6");
  }
  return { networks: [...cidrs], blocks };
}

/** Whether an address lies in one of the networks; text that is no address lies in none. */
export function isInNetworks(address: string, set: NetworkSet): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return set.blocks.check(withoutZone(address), family === 4 ? "ipv4" : "ipv6");
}

// In this order: the first that holds the address names it. "Unspecified" are also the rest of 0.0.0.0/8 and
// the IPv4-compatible addresses, and "multicast" also 240.0.0.0/4 with the broadcast address: none of them is
// the address of one host. Shared address space (RFC 6598) and the old site-local block are private.
const CLASSES: readonly (readonly [AddressClass, NetworkSet])[] = [
  ["loopback", networkSet(["127.0.0.0/8", "::1/128"])],
  ["unspecified", networkSet(["0.0.0.0/8", "::/96"])],
  ["multicast", networkSet(["224.0.0.0/3", "ff00::/8"])],
  ["link-local", networkSet(["169.254.0.0/16", "fe80::/10"])],
  [
    "private",
    networkSet([
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "100.64.0.0/10",
      "fc00::/7",
      "fec0::/10",
    ]),
  ],
];

/** The class of an address in text form. Text that is no address is "unspecified": no place to send to. */
export function addressClass(address: string): AddressClass {
  if (isIP(address) === 0) return "unspecified";
  for (const [name, set] of CLASSES) if (isInNetworks(address, set)) return name;
  return "public";
}

/** What an empty `localNetworks` means: RFC 1918, ULA and link-local. */
export const LOCAL_NETWORKS: NetworkSet = networkSet([
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
]);

/**
 * One spelling for each address, so that two can be compared as text: IPv6 in lower case and compressed
 * (RFC 5952) without a zone, IPv4-mapped as IPv4. Other text (a host name) comes back in lower case.
 */
export function canonicalAddress(address: string): string {
  if (isIP(address) !== 6) return address.toLowerCase();
  const text = new URL(`http://[${withoutZone(address)}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text);
  if (mapped === null) return text;
  const [high, low] = [Number.parseInt(mapped[1] ?? "", 16), Number.parseInt(mapped[2] ?? "", 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone === -1 ? address : address.slice(0, zone);
}
