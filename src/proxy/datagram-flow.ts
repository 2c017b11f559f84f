/**
 * A flow over UDP: nothing but the peer's address behind one of our sockets. Made for every datagram,
 * so it holds no state.
 */
import type { Datagrams, Endpoint } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { hostPort } from "./addresses.ts";
import { udpFlowId } from "./bindings.ts";

export class DatagramFlow implements Flow {
  readonly transport = "udp";
  readonly isOpen = true;
  readonly #socket: Datagrams;

  constructor(
    readonly side: "outer" | "inner",
    socket: Datagrams,
    readonly remote: Endpoint,
    readonly advertised: string,
  ) {
    this.#socket = socket;
  }

  get id(): string {
    return udpFlowId(this.remote);
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get sentBy(): string {
    return hostPort(this.advertised, this.#socket.local.port);
  }

  send(bytes: Uint8Array): boolean {
    return this.#socket.send(bytes, this.remote.address, this.remote.port);
  }
}
