/**
 * One side of an INVITE dialog (RFC 3261 §12): tags, route set, numbers. Owned by the UserAgent, which finds
 * it for incoming requests; the call that uses it is told through `on`.
 */
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { parseNameAddr, tagOf } from "../sip/name-addr.ts";
import { parseSipUri, uriParam } from "../sip/uri.ts";

export type DialogState = {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From and To values, tags included. */
  readonly local: string;
  readonly remote: string;
  /** The far end's Contact URI; a re-INVITE may change it. */
  target: string;
  readonly routes: readonly string[];
  localCseq: number;
  remoteCseq: number;
};

export type ExtraHeaders = readonly (readonly [name: string, value: string])[];

export const SDP_TYPE = ["Content-Type", "application/sdp"] as const;

function cseqNumber(message: SipRequest | SipResponse): number {
  return Number.parseInt(message.headers.get("cseq") ?? "0", 10);
}

function contactUri(message: SipRequest | SipResponse): string {
  const contact = message.headers.firstValue("contact");
  return contact === undefined ? "" : parseNameAddr(contact).uri;
}

/** §12.1.1: the called side. */
export function calledDialog(request: SipRequest, localTag: string): DialogState {
  const from = request.headers.get("from") ?? "";
  return {
    callId: request.headers.get("call-id") ?? "",
    localTag,
    remoteTag: tagOf(from) ?? "",
    local: `${request.headers.get("to") ?? ""};tag=${localTag}`,
    remote: from,
    target: contactUri(request),
    routes: request.headers.values("record-route"),
    localCseq: 0,
    remoteCseq: cseqNumber(request),
  };
}

/** §12.1.2: the calling side, from a response with a To tag. */
export function callerDialog(response: SipResponse): DialogState {
  const from = response.headers.get("from") ?? "";
  const to = response.headers.get("to") ?? "";
  return {
    callId: response.headers.get("call-id") ?? "",
    localTag: tagOf(from) ?? "",
    remoteTag: tagOf(to) ?? "",
    local: from,
    remote: to,
    target: contactUri(response),
    routes: response.headers.values("record-route").reverse(),
    localCseq: cseqNumber(response),
    remoteCseq: 0,
  };
}

/** A target refresh (§12.2): the Contact of a re-INVITE or of its 2xx. */
export function refreshTarget(dialog: DialogState, message: SipRequest | SipResponse): void {
  const uri = contactUri(message);
  if (uri !== "") dialog.target = uri;
}

/** False for a request out of order (§12.2.2: 500). */
export function acceptNumber(dialog: DialogState, request: SipRequest): boolean {
  const number = cseqNumber(request);
  if (number <= dialog.remoteCseq) return false;
  dialog.remoteCseq = number;
  return true;
}

/** A request along the route set (§12.2.1.1), loose routing. ACK has the number of its INVITE. */
export function dialogRequest(
  dialog: DialogState,
  method: string,
  headers: ExtraHeaders,
  body: string | undefined,
): SipRequest {
  if (method !== "ACK") dialog.localCseq += 1;
  return makeRequest({
    method,
    uri: dialog.target,
    headers: [
      ["Max-Forwards", "70"],
      ...dialog.routes.map((route) => ["Route", route] as const),
      ["From", dialog.local],
      ["To", dialog.remote],
      ["Call-ID", dialog.callId],
      ["CSeq", `${dialog.localCseq} ${method}`],
      ...headers,
      ...(body === undefined ? [] : [SDP_TYPE]),
    ],
    ...(body === undefined ? {} : { body: Buffer.from(body, "latin1") }),
  });
}

/** Host and port of the first Route, else of the Request-URI (§8.1.2); a name cannot be used here. */
export function nextHop(request: SipRequest): { address: string; port: number } {
  const route = request.headers.firstValue("route");
  const uri = parseSipUri(route === undefined ? request.uri : parseNameAddr(route).uri);
  const maddr = uriParam(uri, "maddr");
  const host = typeof maddr === "string" ? maddr : uri.host;
  return { address: host.replace(/[[\]]/g, ""), port: uri.port ?? 5060 };
}
