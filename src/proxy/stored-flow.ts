/**
 * Where a phone was when the last process ended. Over UDP that is all a flow is; a connection is gone, and the
 * phone has to come back before anything reaches it (RFC 5626 §5.3.1: 430 until then).
 */
import type { Endpoint } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";

const NOWHERE: Endpoint = { address: "", port: 0 };

export class StoredFlow implements Flow {
  readonly side = "outer";
  readonly local = NOWHERE;
  readonly sentBy = "";

  constructor(
    readonly id: string,
    readonly transport: "udp" | "tcp" | "tls",
    readonly remote: Endpoint,
  ) {}

  get isOpen(): boolean {
    return this.transport === "udp";
  }

  /** A place, not a way: whoever sends to a UDP phone asks the outer side for the socket (flowToPhone). */
  send(): boolean {
    return false;
  }
}
