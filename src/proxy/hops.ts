/** Max-Forwards (RFC 3261 §16.3 step 3, §16.6 step 3). */
import type { SipRequest } from "../sip/message.ts";

const DEFAULT_MAX_FORWARDS = 70;

export function hopsLeft(request: SipRequest): number {
  const text = request.headers.get("max-forwards");
  return text === undefined ? DEFAULT_MAX_FORWARDS : Number(text);
}

/** One hop less; never more than 70, whatever the sender wrote (RFC 3261 §16.6 step 3). */
export function countHop(request: SipRequest): void {
  const left = Math.min(hopsLeft(request), DEFAULT_MAX_FORWARDS) - 1;
  request.headers.set("max-forwards", String(left));
}
