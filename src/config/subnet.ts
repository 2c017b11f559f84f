/**
 * Sums with one IPv4 address, its netmask and its gateway, and the same for IPv6 with a prefix length.
 * The rules about networks name the fields; here it is only told what is wrong with which.
 */
import ip from "ip";
import {
  type AddressClass,
  addressClass,
  canonicalAddress,
  isInNetworks,
  networkSet,
} from "./address-class.ts";

export type Subnet4 = {
  readonly address: string;
  readonly netmask: string;
  readonly gateway?: string | null;
};

export type Subnet6 = {
  readonly address6: string | null;
  readonly prefix6: number;
  readonly gateway6: string | null;
};

type FieldProblem<T> = { readonly field: keyof T & string; readonly message: string };

/** The prefix length of a netmask; null when its ones are not all to the left, or when it has none. */
export function prefixLength(netmask: string): number | null {
  const bits = netmask
    .split(".")
    .map((octet) => Number(octet).toString(2).padStart(8, "0"))
    .join("");
  return /^1+0*$/.test(bits) ? bits.lastIndexOf("1") + 1 : null;
}

/** The subnet as CIDR, e.g. 10.5.6.0/24; null when the netmask is none. */
export function subnetOf({ address, netmask }: Subnet4): string | null {
  const prefix = prefixLength(netmask);
  return prefix === null ? null : `${ip.mask(address, netmask)}/${prefix}`;
}

/** What is wrong with an IPv4 address in its subnet and with its gateway. */
export function subnet4Problems(subnet: Subnet4): FieldProblem<Subnet4>[] {
  const { address, gateway = null } = subnet;
  const cidr = subnetOf(subnet);
  if (cidr === null) {
    return [{ field: "netmask", message: "must be a netmask, e.g. 255.255.255.0" }];
  }
  const problems: FieldProblem<Subnet4>[] = [];
  const addressMessage = hostMessage(address) ?? edgeMessage(address, cidr);
  if (addressMessage !== null) problems.push({ field: "address", message: addressMessage });
  if (gateway === null) return problems;
  const gatewayMessage = gatewayProblem(gateway, address, cidr) ?? edgeMessage(gateway, cidr);
  if (gatewayMessage !== null) problems.push({ field: "gateway", message: gatewayMessage });
  return problems;
}

/** What is wrong with an IPv6 address and its gateway, which may be link-local. */
export function subnet6Problems(subnet: Subnet6): FieldProblem<Subnet6>[] {
  const { address6, prefix6, gateway6 } = subnet;
  if (address6 === null) {
    return gateway6 === null ? [] : [{ field: "gateway6", message: 'needs "address6"' }];
  }
  const problems: FieldProblem<Subnet6>[] = [];
  const addressMessage = host6Message(address6, prefix6);
  if (addressMessage !== null) problems.push({ field: "address6", message: addressMessage });
  if (gateway6 === null || addressClass(gateway6) === "link-local") return problems;
  const message = gatewayProblem(gateway6, address6, `${address6}/${prefix6}`);
  if (message !== null) problems.push({ field: "gateway6", message });
  return problems;
}

/** Null, or why this is not the address of one host that others can reach. */
function hostMessage(address: string): string | null {
  const kind = addressClass(address);
  const isHost = kind !== "multicast" && kind !== "unspecified" && kind !== "loopback";
  return isHost ? null : notOneHost(kind);
}

/** The words for an address of a class that no single host has. */
export function notOneHost(kind: AddressClass): string {
  return `must be the address of one host, not ${kind === "unspecified" ? "an" : "a"} ${kind} one`;
}

function host6Message(address: string, prefix: number): string | null {
  if (prefix < 127 && isSubnetRouter(address, prefix)) {
    return "must not be the address of the network itself";
  }
  return hostMessage(address);
}

function gatewayProblem(gateway: string, address: string, cidr: string): string | null {
  if (!isInNetworks(gateway, networkSet([cidr]))) return `must be inside ${cidr}`;
  return canonicalAddress(gateway) === canonicalAddress(address)
    ? "must not be the address itself"
    : null;
}

/** A /31 has neither a network nor a broadcast address (RFC 3021), a /32 is one host. */
function edgeMessage(address: string, cidr: string): string | null {
  const { networkAddress, broadcastAddress, subnetMaskLength } = ip.cidrSubnet(cidr);
  if (subnetMaskLength >= 31) return null;
  if (address === networkAddress) return `must not be the address of the network ${cidr}`;
  return address === broadcastAddress ? `must not be the broadcast address of ${cidr}` : null;
}

/** Whether all bits after the prefix are zero (RFC 4291 section 2.6.1). */
function isSubnetRouter(address: string, prefix: number): boolean {
  const bits = [...ip.toBuffer(canonicalAddress(address))]
    .map((octet) => octet.toString(2).padStart(8, "0"))
    .join("");
  return !bits.slice(prefix).includes("1");
}
