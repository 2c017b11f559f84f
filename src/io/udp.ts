/**
 * UDP sockets: one explicit local address each, ICMP errors off, sends that never throw.
 */
import { isIPv6 } from "node:net";
import { ignoreIcmpErrors, setReceiveBuffer, setTrafficClass } from "./socket-options.ts";
import { type DatagramOptions, type Datagrams, type Endpoint, ListenError } from "./types.ts";

/** The descriptor is there, though Bun's types leave it out. */
type WithDescriptor = { readonly fd?: number };

/** "address X is not on this machine" and the like, for the operator. */
export function listenError(error: unknown, protocol: string, local: Endpoint): ListenError {
  const code = (error as { code?: string } | null)?.code ?? "";
  const place = `${protocol} ${isIPv6(local.address) ? `[${local.address}]` : local.address}:${local.port}`;
  const reasons: Record<string, string> = {
    EADDRINUSE: "the port is in use by another program",
    EADDRNOTAVAIL: "the address is not on this machine",
    EACCES: "no right to open this port",
  };
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  return new ListenError(`cannot listen on ${place}: ${reason}`, { cause: error });
}

/** @see OpenDatagrams in types.ts */
export async function openDatagrams(options: DatagramOptions): Promise<Datagrams> {
  const { local, receive } = options;
  const isIpv6 = isIPv6(local.address);
  try {
    const socket = await Bun.udpSocket({
      hostname: local.address,
      port: local.port,
      socket: {
        data: (_socket, bytes, port, address) => receive(bytes, address, port),
        error() {}, // an ICMP error that slipped through: nobody's fault here
      },
    });
    const fd = (socket as WithDescriptor).fd;
    if (fd !== undefined) {
      ignoreIcmpErrors(fd, isIpv6);
      if (options.trafficClass !== undefined) setTrafficClass(fd, isIpv6, options.trafficClass);
      if (options.receiveBufferBytes !== undefined) {
        setReceiveBuffer(fd, options.receiveBufferBytes);
      }
    }
    return {
      local: { address: local.address, port: socket.port },
      send(bytes, address, port) {
        try {
          return socket.send(bytes, port, address);
        } catch {
          return false;
        }
      },
      close: () => socket.close(),
    };
  } catch (error) {
    throw listenError(error, "UDP", local);
  }
}
