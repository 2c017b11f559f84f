/**
 * Route and Record-Route at our border (RFC 3261 §16.4, §16.6 step 4): which Routes are ours, what token
 * they carry, and the one Record-Route each side sees of us. What the other side had recorded is sealed into
 * it: neither side learns the other's hops, and every hop finds its own again.
 */

import type { FlowTarget, FlowTokens } from "../sip/flow-token.ts";
import type { Headers } from "../sip/headers.ts";
import type { SipRequest } from "../sip/message.ts";
import { parseNameAddr } from "../sip/name-addr.ts";
import type { SealedTexts } from "../sip/sealed-text.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { hostPort, plainHost } from "./addresses.ts";

/** A place where we can be found again: one side's address, port and transport. */
export type Place = {
  readonly address: string;
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
  /** Towards a phone that speaks sips (RFC 3261 §12.1.1, §16.6 step 4). */
  readonly isSips?: boolean;
};

export type TakenRoutes =
  | { readonly ok: true; readonly target: FlowTarget | null; readonly hidden: readonly string[] }
  | { readonly ok: false; readonly reason: "route-left-over" | "token-refused" };

/** More Routes than any phone has reason to send. */
const MOST_ROUTES = 16;

/** The user part of our Route: whose flow it means and, behind a dot, the hidden Routes to go on by. */
export class RouteTokens {
  readonly #tokens: FlowTokens;
  readonly #seals: SealedTexts;

  constructor(tokens: FlowTokens, seals: SealedTexts) {
    this.#tokens = tokens;
    this.#seals = seals;
  }

  /** null: the hidden Routes are too long to be carried. */
  make(target: FlowTarget, hidden: readonly string[]): string | null {
    const token = this.#tokens.make(target);
    if (hidden.length === 0) return token;
    const sealed = this.#seals.seal(hidden.join("\n"), token);
    return sealed === null ? null : `${token}.${sealed}`;
  }

  open(user: string): { readonly target: FlowTarget; readonly hidden: readonly string[] } | null {
    const dot = user.indexOf(".");
    const token = dot < 0 ? user : user.slice(0, dot);
    const target = this.#tokens.open(token);
    if (target === null || dot < 0) return target === null ? null : { target, hidden: [] };
    const hidden = this.#seals.open(user.slice(dot + 1), token);
    return hidden === null ? null : { target, hidden: hidden.split("\n") };
  }
}

/**
 * Takes our Routes off the top. One that names us without a user part is what a phone with an "outbound
 * proxy" preloads; one with a user part must be a token of ours. Two tokens follow one another in a
 * dialog (one a side); they must mean the same instance. Whatever is left over is refused: Pequod
 * forwards to its instances and its phones, nowhere else.
 */
export function takeRoutes(
  headers: Headers,
  tokens: RouteTokens,
  isOurs: (host: string) => boolean,
): TakenRoutes {
  let target: FlowTarget | null = null;
  let hidden: readonly string[] = [];
  for (let taken = 0; taken < MOST_ROUTES; taken++) {
    const value = headers.firstValue("route");
    if (value === undefined) return { ok: true, target, hidden };
    const { uri } = parseNameAddr(value);
    if (!isSipUri(uri)) return { ok: false, reason: "route-left-over" };
    const { user, host } = parseSipUri(uri);
    if (user === null) {
      if (!isOurs(plainHost(host))) return { ok: false, reason: "route-left-over" };
    } else {
      const opened = tokens.open(user);
      if (opened === null) return { ok: false, reason: "token-refused" };
      if (target !== null && target.instanceTag !== opened.target.instanceTag) {
        return { ok: false, reason: "token-refused" };
      }
      if (target === null) ({ target, hidden } = opened);
    }
    headers.shift("route");
  }
  return { ok: false, reason: "route-left-over" };
}

/** `lr` stands bare: some stacks trip over lr=on. */
export function routeUri(place: Place, token: string): string {
  return `${placeUri(place, token)};lr`;
}

/** A sips URI names no transport: TLS is what it means (RFC 3261 §26.2.2). */
export function placeUri({ address, port, transport, isSips }: Place, user: string): string {
  const at = `${user}@${hostPort(address, port)}`;
  return isSips === true ? `sips:${at}` : `sip:${at};transport=${transport}`;
}

/** Requests that make a dialog; within one the route set is fixed already (RFC 3261 §12.2). */
export function makesDialog(request: SipRequest, toTag: string | undefined): boolean {
  return toTag === undefined && ["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"].includes(request.method);
}
