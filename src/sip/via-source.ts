/**
 * Writes into the top Via of a request where it really came from (RFC 3261 §18.2.1, RFC 3581 §4), so that
 * the sender learns its address and every element on the way back can find it. What the sender claimed
 * there itself is overwritten.
 */

import type { Endpoint } from "../io/types.ts";
import type { SipRequest } from "./message.ts";
import { formatVia, type Via, viaParam, withViaParam } from "./via.ts";

/** `via` is the parsed top Via of `request`. A Via that is right already keeps its bytes. */
export function stampSource(request: SipRequest, via: Via, source: Endpoint): void {
  const wantsPort = viaParam(via, "rport") !== undefined;
  const claimed = viaParam(via, "received");
  const needsAddress =
    wantsPort || claimed !== undefined || via.host.replace(/^\[|\]$/g, "") !== source.address;
  let stamped = via;
  if (needsAddress && claimed !== source.address) {
    stamped = withViaParam(stamped, "received", source.address);
  }
  if (wantsPort && viaParam(via, "rport") !== `${source.port}`) {
    stamped = withViaParam(stamped, "rport", `${source.port}`);
  }
  if (stamped !== via) request.headers.replaceFirst("via", formatVia(stamped));
}
