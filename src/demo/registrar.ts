/**
 * The registrar of the demonstration instance (RFC 3261 §10 with Path, RFC 3327): a few users, a few bindings
 * each, expiry by the clock that is asked at every look. Owns the bindings.
 */
import type { SipRequest } from "../sip/message.ts";
import { getParam, type NameAddr, parseNameAddr } from "../sip/name-addr.ts";
import { parseSipUri } from "../sip/uri.ts";

export type Binding = {
  /** Contact URI as the phone (or the proxy in Contact mode) wrote it. */
  readonly contact: string;
  /** Path values, top-most first: the Route set towards the phone. */
  readonly path: readonly string[];
  readonly callId: string;
  readonly cseq: number;
  expiresAtMs: number;
};

export type RegisterOutcome =
  | { readonly status: 200; readonly contacts: readonly string[]; readonly path: readonly string[] }
  | { readonly status: 400 | 403 | 420 | 423 | 500 | 503 };

const DEFAULT_EXPIRES_S = 600;
export const MIN_EXPIRES_S = 60;
const MAX_EXPIRES_S = 3600;
const MAX_BINDINGS = 5;

export class Registrar {
  readonly #users: ReadonlySet<string>;
  readonly #bindings = new Map<string, Binding[]>();

  constructor(users: readonly string[]) {
    this.#users = new Set(users);
  }

  /** Bindings that have not expired, newest first. */
  bindingsOf(user: string, nowMs: number): readonly Binding[] {
    const alive = (this.#bindings.get(user) ?? []).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    if (alive.length === 0) this.#bindings.delete(user);
    else this.#bindings.set(user, alive);
    return alive;
  }

  has(user: string): boolean {
    return this.#users.has(user);
  }

  /** The request was authenticated as `user`, who may register only himself. */
  register(request: SipRequest, user: string, nowMs: number): RegisterOutcome {
    const to = parseSipUri(parseNameAddr(request.headers.get("to") ?? "").uri);
    if (to.user !== user || !this.#users.has(user)) return { status: 403 };
    const path = request.headers.values("path");
    const supported = request.headers.values("supported").map((tag) => tag.toLowerCase());
    if (path.length > 0 && !supported.includes("path")) return { status: 420 };
    const contacts = request.headers.values("contact").map(parseNameAddr);
    const refusal = this.#update(request, user, contacts, path, nowMs);
    if (refusal !== null) return { status: refusal };
    const alive = this.bindingsOf(user, nowMs);
    return { status: 200, contacts: alive.map((one) => contactValue(one, nowMs)), path };
  }

  /** Null = done. */
  #update(
    request: SipRequest,
    user: string,
    contacts: readonly NameAddr[],
    path: readonly string[],
    nowMs: number,
  ): 400 | 423 | 500 | 503 | null {
    const isStar = contacts.some(({ uri }) => uri === "*");
    if (isStar) {
      if (contacts.length > 1 || request.headers.get("expires") !== "0") return 400;
      this.#bindings.delete(user);
      return null;
    }
    const callId = request.headers.get("call-id") ?? "";
    const cseq = Number.parseInt(request.headers.get("cseq") ?? "0", 10);
    let kept = [...this.bindingsOf(user, nowMs)];
    for (const contact of contacts) {
      const old = kept.find((one) => one.contact === contact.uri);
      if (old !== undefined && old.callId === callId && cseq <= old.cseq) return 500;
      kept = kept.filter((one) => one !== old);
      const expiresS = expiresOf(contact, request);
      if (expiresS === 0) continue;
      if (expiresS < MIN_EXPIRES_S) return 423;
      if (kept.length >= MAX_BINDINGS) return 503;
      const expiresAtMs = nowMs + Math.min(expiresS, MAX_EXPIRES_S) * 1000;
      kept.unshift({ contact: contact.uri, path, callId, cseq, expiresAtMs });
    }
    this.#bindings.set(user, kept);
    return null;
  }
}

function contactValue(binding: Binding, nowMs: number): string {
  return `<${binding.contact}>;expires=${Math.ceil((binding.expiresAtMs - nowMs) / 1000)}`;
}

/** §10.2.1.1: the Contact's parameter, else the header, else ours. Malformed counts as absent. */
function expiresOf(contact: NameAddr, request: SipRequest): number {
  const written = getParam(contact, "expires") ?? request.headers.get("expires") ?? "";
  return /^\d{1,9}$/.test(written) ? Number(written) : DEFAULT_EXPIRES_S;
}
