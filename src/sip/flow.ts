/**
 * A flow (RFC 5626 §2): the way to one peer, over which requests came in and everything for it goes out.
 * This is the type only; proxy/ makes flows out of sockets and owns them.
 */
import type { Endpoint } from "../io/types.ts";

export type Flow = {
  readonly id: string;
  /** "outer" towards phones, "inner" towards instances. */
  readonly side: "outer" | "inner";
  readonly transport: "udp" | "tcp" | "tls";
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** host:port for our Via. */
  readonly sentBy: string;
  readonly isOpen: boolean;
  /** false: the flow is dead and the bytes are lost. `isOwnAnswer`: a response made here, not a relayed one. */
  send(bytes: Uint8Array, isOwnAnswer?: boolean): boolean;
};
