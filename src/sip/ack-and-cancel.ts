/**
 * The two requests a client transaction makes by itself out of its INVITE: the ACK for a 300-699
 * (RFC 3261 §17.1.1.3) and the CANCEL (§9.1). Both go the INVITE's way: same Request-URI, same branch,
 * same Route headers, and nothing else of it.
 */

import { parseCSeq } from "./cseq.ts";
import { makeRequest } from "./make-message.ts";
import type { SipRequest, SipResponse } from "./message.ts";

export function makeAck(invite: SipRequest, response: SipResponse): SipRequest {
  return follow(invite, "ACK", response.headers.get("to") ?? "");
}

export function makeCancel(invite: SipRequest): SipRequest {
  return follow(invite, "CANCEL", invite.headers.get("to") ?? "");
}

/** The INVITE's first Via line holds our Via alone, since we put it there. */
function follow(invite: SipRequest, method: "ACK" | "CANCEL", to: string): SipRequest {
  const { headers } = invite;
  const routes = headers.lines("route").map((value): [string, string] => ["Route", value]);
  const { number } = parseCSeq(headers.get("cseq") ?? "");
  return makeRequest({
    method,
    uri: invite.uri,
    headers: [
      ["Via", headers.get("via") ?? ""],
      ["Max-Forwards", "70"],
      ...routes,
      ["From", headers.get("from") ?? ""],
      ["To", to],
      ["Call-ID", headers.get("call-id") ?? ""],
      ["CSeq", `${number} ${method}`],
    ],
  });
}
