/**
 * A flow over UDP: nothing but the peer's address behind one of our sockets. Made for every datagram,
 * so it holds no state.
 */
import type { Datagrams, Endpoint } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { hostPort } from "./addresses.ts";
import { udpFlowId } from "./bindings.ts";

/** Whether an answer may go to a source that may be forged. */
export type MayAnswer = (
  flow: Flow,
  requestBytes: number,
  answerBytes: number,
  isOwn: boolean,
) => boolean;

export class DatagramFlow implements Flow {
  readonly transport = "udp";
  readonly isOpen = true;
  readonly #socket: Datagrams;
  #answers: { readonly requestBytes: number; readonly may: MayAnswer } | null = null;
  /** Of the last answer: the same bytes may have to go out again. */
  #isOwn = false;

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

  /** From now on only answers go out here, to a datagram of so many bytes, and only those that may. */
  answering(requestBytes: number, may: MayAnswer): void {
    this.#answers = { requestBytes, may };
  }

  /** The same for another flow of this peer. */
  answersLike(other: Flow): void {
    if (other instanceof DatagramFlow) this.#answers = other.#answers;
  }

  /** An answer that may not go out is dropped as the network would drop it. */
  send(bytes: Uint8Array, isOwnAnswer = this.#isOwn): boolean {
    if (this.#answers !== null) {
      this.#isOwn = isOwnAnswer;
      const { requestBytes, may } = this.#answers;
      if (!may(this, requestBytes, bytes.length, isOwnAnswer)) return true;
    }
    return this.#socket.send(bytes, this.remote.address, this.remote.port);
  }
}
