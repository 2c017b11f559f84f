/** A question to the machine: which of our addresses faces a peer. */
import dgram from "node:dgram";
import { isIPv6 } from "node:net";

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
