/**
 * Route and Record-Route at our border (RFC 3261 §16.4, §16.6 step 4; RFC 5658): which Routes are ours,
 * what token they carry, and the two Record-Routes we leave, one for each side.
 */

import type { FlowTarget, FlowTokens } from "../sip/flow-token.ts";
import type { Headers } from "../sip/headers.ts";
import type { SipRequest } from "../sip/message.ts";
import { parseNameAddr } from "../sip/name-addr.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { hostPort, plainHost } from "./addresses.ts";

/** A place where we can be found again: one side's address, port and transport. */
export type Place = {
  readonly address: string;
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
};

export type TakenRoutes =
  | { readonly ok: true; readonly target: FlowTarget | null }
  | { readonly ok: false; readonly reason: "route-left-over" | "token-refused" };

/** More Routes than any phone has reason to send. */
const MOST_ROUTES = 16;

/**
 * Takes our Routes off the top. One that names us without a user part is what a phone with an "outbound
 * proxy" preloads; one with a user part must be a token of ours. Two tokens follow one another in a
 * dialog (one a side); they must mean the same instance. Whatever is left over is refused: Pequod
 * forwards to its instances and its phones, nowhere else.
 */
export function takeRoutes(
  headers: Headers,
  tokens: FlowTokens,
  isOurs: (host: string) => boolean,
): TakenRoutes {
  let target: FlowTarget | null = null;
  for (let taken = 0; taken < MOST_ROUTES; taken++) {
    const value = headers.firstValue("route");
    if (value === undefined) return { ok: true, target };
    const { uri } = parseNameAddr(value);
    if (!isSipUri(uri)) return { ok: false, reason: "route-left-over" };
    const { user, host } = parseSipUri(uri);
    if (user === null) {
      if (!isOurs(plainHost(host))) return { ok: false, reason: "route-left-over" };
    } else {
      const opened = tokens.open(user);
      if (opened === null) return { ok: false, reason: "token-refused" };
      if (target !== null && target.instanceTag !== opened.instanceTag) {
        return { ok: false, reason: "token-refused" };
      }
      target ??= opened;
    }
    headers.shift("route");
  }
  return { ok: false, reason: "route-left-over" };
}

export function routeUri(place: Place, token: string): string {
  return `sip:${token}@${hostPort(place.address, place.port)};transport=${place.transport};lr`;
}

/**
 * The side towards which the request leaves comes on top. `lr` stands bare: some stacks trip over lr=on.
 * Both carry the same token, so that either is enough.
 */
export function recordRoute(request: SipRequest, token: string, towards: Place, from: Place): void {
  request.headers.prepend("record-route", `<${routeUri(from, token)}>`);
  request.headers.prepend("record-route", `<${routeUri(towards, token)}>`);
}

/** Requests that make a dialog; within one the route set is fixed already (RFC 3261 §12.2). */
export function makesDialog(request: SipRequest, toTag: string | undefined): boolean {
  return toTag === undefined && ["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"].includes(request.method);
}
