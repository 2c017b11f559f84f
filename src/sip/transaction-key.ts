/**
 * How a request finds its server transaction (RFC 3261 §17.2.3) and a response its client transaction
 * (§17.1.3). Side and source address are part of a server key: whoever guesses or saw a branch still
 * cannot touch a transaction of somebody else.
 */

import { parseCSeq } from "./cseq.ts";
import type { Flow } from "./flow.ts";
import type { SipRequest } from "./message.ts";
import { tagOf } from "./name-addr.ts";
import { branchCookie, type Via, viaParam } from "./via.ts";

/** `method` is INVITE for an ACK, and for a CANCEL that looks for its INVITE. Throws SipSyntaxError. */
export function serverKey(request: SipRequest, via: Via, flow: Flow, method: string): string {
  const branch = viaParam(via, "branch") ?? "";
  const source = `${flow.side} ${flow.remote.address} ${via.host}:${via.port ?? ""}`;
  const key = `${method} ${source} ${branch}`;
  return isUnique(branch) ? key : `${key} ${oldKey(request)}`;
}

/** The cookie with nothing behind it says nothing (RFC 4475 §3.2.1). */
function isUnique(branch: string): boolean {
  return branch.startsWith(branchCookie) && branch.length > branchCookie.length;
}

export function clientKey(branch: string, method: string): string {
  return `${method} ${branch}`;
}

/**
 * RFC 2543 phones choose no unique branch. Their INVITE, its ACK and its CANCEL share Request-URI, Call-ID,
 * CSeq number and From tag; the To tag stays out, since only the ACK carries the one of our response.
 */
function oldKey({ headers, uri }: SipRequest): string {
  const { number } = parseCSeq(headers.get("cseq") ?? "");
  return `${number} ${tagOf(headers.get("from") ?? "") ?? ""} ${uri} ${headers.get("call-id") ?? ""}`;
}
