/**
 * A SIP message as plain data (RFC 3261 §7). Text is latin1, one character a byte, so bytes we do not
 * understand survive. parse-message.ts reads it, format-message.ts writes it, make-message.ts makes one.
 */
import type { Headers } from "./headers.ts";

/** `uri` is the raw Request-URI. The body may share memory with what it was parsed from. */
export type SipRequest = {
  readonly kind: "request";
  method: string;
  uri: string;
  headers: Headers;
  body: Uint8Array;
};

/** `status` is 100 to 699. */
export type SipResponse = {
  readonly kind: "response";
  status: number;
  reason: string;
  headers: Headers;
  body: Uint8Array;
  /** Made here, not received: to a source that may be forged such answers are rarer still. */
  readonly isOwn?: true;
};

export type SipMessage = SipRequest | SipResponse;

/** A copy whose headers can be changed on their own; the body is shared. */
export function cloneRequest(request: SipRequest): SipRequest {
  return { ...request, headers: request.headers.clone() };
}

/** A copy whose headers can be changed on their own; the body is shared. */
export function cloneResponse(response: SipResponse): SipResponse {
  return { ...response, headers: response.headers.clone() };
}
