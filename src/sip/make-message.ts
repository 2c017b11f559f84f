/** New messages: a response to a request (RFC 3261 §8.2.6) and a request of our own. */
import { Headers, makeHeaderLine } from "./headers.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { tagOf } from "./name-addr.ts";
import { reasonPhrase } from "./reason-phrase.ts";
import { SipSyntaxError } from "./syntax-error.ts";

const noBody = new Uint8Array(0);

/**
 * Via, From, To, Call-ID and CSeq as the request has them, Timestamp for a 100, Content-Length 0.
 * `toTag` is added unless the status is 100 or To has a tag already.
 */
export function makeResponse(
  request: SipRequest,
  status: number,
  reason = reasonPhrase(status),
  toTag?: string,
): SipResponse {
  const headers = new Headers();
  headers.copyFrom(request.headers, "via");
  headers.copyFrom(request.headers, "from");
  headers.copyFrom(request.headers, "to");
  headers.copyFrom(request.headers, "call-id");
  headers.copyFrom(request.headers, "cseq");
  if (status === 100) headers.copyFrom(request.headers, "timestamp");
  else if (toTag !== undefined) addToTag(headers, toTag);
  headers.append("content-length", "0");
  return { kind: "response", status, reason, headers, body: noBody, isOwn: true };
}

/** A To that cannot be parsed (in a 400) is sent back as it came. */
function addToTag(headers: Headers, tag: string): void {
  const to = headers.get("to");
  if (to === undefined) return;
  try {
    if (tagOf(to) === undefined) headers.set("to", `${to};tag=${tag}`);
  } catch (error) {
    if (!(error instanceof SipSyntaxError)) throw error;
  }
}

/** A request with exactly these headers, in order; Content-Length is added when it is written. */
export function makeRequest(request: {
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
}): SipRequest {
  const lines = request.headers.map(([name, value]) => makeHeaderLine(name, value));
  const { method, uri, body = noBody } = request;
  return { kind: "request", method, uri, headers: new Headers(lines), body };
}
