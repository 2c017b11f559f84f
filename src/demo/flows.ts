/**
 * Flows for the demonstration's own end points: a UDP socket towards one peer, and one connection.
 */
import type { Connection, Datagrams, Endpoint } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";

export function hostPort({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Holds no state: made anew for every datagram and every request. */
export function datagramFlow(socket: Datagrams, remote: Endpoint): Flow {
  return {
    id: `udp ${hostPort(remote)}`,
    side: "outer",
    transport: "udp",
    local: socket.local,
    remote,
    sentBy: hostPort(socket.local),
    isOpen: true,
    send: (bytes) => socket.send(bytes, remote.address, remote.port),
  };
}

/** `isOpen` asks the owner, who hears of the end of the connection. */
export function connectionFlow(connection: Connection, isOpen: () => boolean): Flow {
  return {
    id: `${connection.transport} ${hostPort(connection.local)}`,
    side: "outer",
    transport: connection.transport,
    local: connection.local,
    remote: connection.remote,
    sentBy: hostPort(connection.local),
    get isOpen() {
      return isOpen();
    },
    send(bytes) {
      if (!isOpen()) return false;
      connection.write(bytes);
      return true;
    },
  };
}
