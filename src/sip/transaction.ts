/**
 * What a transaction looks like to its owner and what the four state machines of RFC 3261 §17 share.
 * The TransactionTable owns all of them; nothing here keeps state of its own.
 */

import type { Clock } from "../io/types.ts";
import type { Flow } from "./flow.ts";
import { formatMessage } from "./format-message.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import type { Timers } from "./timers.ts";

export type InviteServerState =
  | "proceeding"
  | "accepted"
  | "completed"
  | "confirmed"
  | "terminated";
export type NonInviteServerState = "trying" | "proceeding" | "completed" | "terminated";
export type InviteClientState = "calling" | "proceeding" | "accepted" | "completed" | "terminated";
export type NonInviteClientState = "trying" | "proceeding" | "completed" | "terminated";

/** A request that came in. Its responses leave by the flow it came in on (RFC 3581). */
export type ServerTransaction = {
  /** As received, the top Via completed with received and rport where RFC 3581 asks for it. */
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly isInvite: boolean;
  readonly state: InviteServerState | NonInviteServerState;
  /** A final response was given, or the transaction ended without one. */
  readonly isFinal: boolean;
  /** Of the first final response; null until there is one. */
  readonly finalStatus: number | null;
  /** Any response, even a 100, was given. */
  readonly isAnswered: boolean;
  /** For a CANCEL: the INVITE it means, null when that is not known (any more). Else null. */
  readonly matching: ServerTransaction | null;
  /**
   * Sends a provisional or final response. After the final one only a 2xx to INVITE still goes out
   * (every fork's 2xx must, RFC 3261 §16.7 step 5); others are counted and dropped.
   */
  respond(response: SipResponse): void;
  /** Ends it without an answer (silence, or RFC 4320 §4.2). Nothing once a final response was given. */
  abandon(): void;
};

/** A request that was sent. */
export type ClientTransaction = {
  /** The branch of our Via. */
  readonly branch: string;
  /** As sent, with our Via on top. */
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly state: InviteClientState | NonInviteClientState;
  /** A final response came, or it timed out or failed. */
  readonly isFinal: boolean;
  /** INVITE only: sends CANCEL, once a provisional response allows it (RFC 3261 §9.1). Idempotent. */
  cancel(): void;
  /** Another server is asked instead: nothing is sent again, an INVITE is cancelled where it arrived after all. */
  abandon(): void;
};

/** Exactly one of final response, timeout or failed ends a transaction; a 2xx to INVITE may come again. */
export type ClientEvents = {
  /** Every provisional and final response, our Via taken off. For INVITE also every later 2xx. */
  response(response: SipResponse): void;
  timeout(): void;
  /** The transport failed. Never called before send() has returned. */
  failed(reason: string): void;
};

/** What a state machine gets from the table. */
export type TransactionHost = {
  readonly clock: Clock;
  readonly timers: Timers;
  count(reason: string): void;
  /** True when repeated responses may be sent to this flow unasked (no amplifier for spoofed sources). */
  mayResend(flow: Flow): boolean;
};

export function isReliable(flow: Flow): boolean {
  return flow.transport !== "udp";
}

/** Sends a response; a dead flow is counted, the state machine goes on (RFC 6026 §8.4). */
export function sendResponse(host: TransactionHost, flow: Flow, response: SipResponse): Uint8Array {
  const bytes = formatMessage(response);
  if (!flow.send(bytes, response.isOwn === true)) host.count("response-not-sent");
  return bytes;
}

export function resendResponse(host: TransactionHost, flow: Flow, bytes: Uint8Array): void {
  if (!flow.send(bytes)) host.count("response-not-sent");
}
