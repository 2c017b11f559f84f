/**
 * `struct sockaddr_in` and `sockaddr_in6` in memory, as the kernel reads and writes them (Linux). Addresses in
 * text form are canonical ones.
 */
import { isIPv6 } from "node:net";
import type { Endpoint } from "./types.ts";

/** Room for either kind, at a 4-aligned place. */
export const SOCKET_ADDRESS_BYTES = 32;
const AF_INET = 2;
const AF_INET6 = 10;

/** Length of what was written. The address must be one; nothing is looked up. */
export function writeSocketAddress(
  into: Uint8Array,
  at: number,
  address: string,
  port: number,
): number {
  into.fill(0, at, at + SOCKET_ADDRESS_BYTES);
  into[at + 2] = port >>> 8;
  into[at + 3] = port;
  if (!isIPv6(address)) {
    into[at] = AF_INET;
    for (const [i, byte] of address.split(".").entries()) into[at + 4 + i] = Number(byte);
    return 16;
  }
  into[at] = AF_INET6;
  for (const [i, group] of groupsOf(address).entries()) {
    into[at + 8 + 2 * i] = group >>> 8;
    into[at + 9 + 2 * i] = group;
  }
  return 28;
}

/** Address and port; throws nothing, an unknown family gives port 0. */
export function readSocketAddress(from: Uint8Array, at: number): Endpoint {
  const port = (from[at + 2]! << 8) | from[at + 3]!;
  const family = from[at]! | (from[at + 1]! << 8);
  if (family === AF_INET) return { address: from.subarray(at + 4, at + 8).join("."), port };
  if (family !== AF_INET6) return { address: "", port: 0 };
  const groups = Array.from({ length: 8 }, (_, i) => {
    const group = (from[at + 8 + 2 * i]! << 8) | from[at + 9 + 2 * i]!;
    return group.toString(16);
  });
  return { address: new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1), port };
}

/** The eight groups of an IPv6 address, also with `::` and with an IPv4 address at its end. */
function groupsOf(address: string): number[] {
  const [plain = ""] = address.split("%");
  const text = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::");
  const read = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const first = read(head);
  const last = tail === undefined ? [] : read(tail);
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}
