/**
 * Two questions to the machine: which addresses a name has, and which of our addresses faces a peer.
 */
import dgram from "node:dgram";
import { isIP, isIPv6 } from "node:net";

const RESOLVE_TIMEOUT_MS = 5000;

/** @see World.resolve */
export async function resolve(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Error(`no answer from DNS for ${host}`));
    deadline = setTimeout(fail, RESOLVE_TIMEOUT_MS);
  });
  try {
    const found = await Promise.race([Bun.dns.lookup(host), late]);
    // IPv4 first: it is what most instances listen on.
    const sorted = [...found].sort((a, b) => a.family - b.family).map((entry) => entry.address);
    if (sorted.length === 0) throw new Error(`${host} has no address`);
    return sorted;
  } finally {
    clearTimeout(deadline);
  }
}

/** Connecting a UDP socket sends nothing and makes the kernel choose the source address. */
export function sourceAddressFor(remote: string): Promise<string | null> {
  return new Promise((settle) => {
    const socket = dgram.createSocket(isIPv6(remote) ? "udp6" : "udp4");
    const done = (address: string | null): void => {
      try {
        socket.close();
      } catch {
        // never opened
      }
      settle(address);
    };
    socket.once("error", () => done(null));
    try {
      socket.connect(5060, remote, () => done(socket.address().address));
    } catch {
      done(null);
    }
  });
}
