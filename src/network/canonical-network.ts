/** Networks in one spelling: host bits zero, since the kernel refuses routes that have any. */
import { isIPv6 } from "node:net";
import ip from "ip";
import { canonicalAddress } from "../config/address-class.ts";

/** `10.0.3.7/24` -> `10.0.3.0/24`, `FD00:1::5/64` -> `fd00:1::/64`. Takes checked CIDRs only. */
export function canonicalNetwork(cidr: string): string {
  const [address = "", bits = ""] = cidr.split("/");
  const prefix = Number(bits);
  if (!isIPv6(address)) return `${ip.mask(address, ip.fromPrefixLen(prefix, "ipv4"))}/${prefix}`;
  const octets = ip.toBuffer(address).map((octet, index) => octet & maskOctet(prefix, index));
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((octets[2 * index] ?? 0) << 8) | (octets[2 * index + 1] ?? 0)).toString(16),
  );
  return `${canonicalAddress(groups.join(":"))}/${prefix}`;
}

function maskOctet(prefix: number, index: number): number {
  const ones = Math.min(8, Math.max(0, prefix - 8 * index));
  return (0xff << (8 - ones)) & 0xff;
}
