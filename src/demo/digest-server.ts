/**
 * The server end of digest authentication for the demonstration instance (RFC 3261 §22). Nonces carry their
 * own time and a keyed hash, so the server keeps none; a nonce is good for five minutes.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import {
  type DigestCredentials,
  formatDigestChallenge,
  parseDigestCredentials,
  verifyDigest,
} from "../sip/digest.ts";
import type { SipRequest } from "../sip/message.ts";
import { SipSyntaxError } from "../sip/syntax-error.ts";

const NONCE_MS = 300_000;

export type Verdict =
  | { readonly kind: "good"; readonly username: string }
  | { readonly kind: "missing" | "stale" }
  | { readonly kind: "wrong"; readonly username: string };

/** Null when the value is malformed or of another scheme. */
function readCredentials(value: string): DigestCredentials | null {
  try {
    return parseDigestCredentials(value);
  } catch (error) {
    if (error instanceof SipSyntaxError) return null;
    throw error;
  }
}

export class DigestServer {
  readonly #realm: string;
  readonly #key: Uint8Array;
  readonly #passwordOf: (username: string) => string | undefined;

  /** `key` is 32 random bytes. */
  constructor(
    realm: string,
    key: Uint8Array,
    passwordOf: (username: string) => string | undefined,
  ) {
    this.#realm = realm;
    this.#key = key;
    this.#passwordOf = passwordOf;
  }

  /** The value of WWW-Authenticate. MD5, as every phone knows it. */
  challenge(nowMs: number, isStale: boolean): string {
    return formatDigestChallenge({
      realm: this.#realm,
      nonce: this.#nonce(nowMs),
      algorithm: "MD5",
      hasQopAuth: true,
      opaque: null,
      isStale,
    });
  }

  /** Of several credentials the one of our realm counts. */
  check(request: SipRequest, nowMs: number): Verdict {
    const all = request.headers.lines("authorization").map(readCredentials);
    const credentials = all.find((one) => one?.realm === this.#realm);
    if (credentials === undefined || credentials === null) return { kind: "missing" };
    const { username } = credentials;
    const password = this.#passwordOf(username);
    // Without qop nothing binds the response to this use of the nonce.
    const isRight =
      password !== undefined &&
      credentials.qop !== null &&
      verifyDigest(credentials, password, request.method);
    if (!isRight) return { kind: "wrong", username };
    return this.#isFresh(credentials.nonce, nowMs) ? { kind: "good", username } : { kind: "stale" };
  }

  #nonce(nowMs: number): string {
    const time = nowMs.toString(16);
    const seal = createHmac("sha256", this.#key).update(time).digest("hex").slice(0, 32);
    return `${time}.${seal}`;
  }

  /** Ours and not older than five minutes. */
  #isFresh(nonce: string, nowMs: number): boolean {
    const madeMs = Number.parseInt(nonce.split(".")[0] ?? "", 16);
    if (!Number.isSafeInteger(madeMs)) return false;
    const expected = Buffer.from(this.#nonce(madeMs), "latin1");
    const given = Buffer.from(nonce, "latin1");
    const isOurs = expected.length === given.length && timingSafeEqual(expected, given);
    return isOurs && madeMs <= nowMs && nowMs - madeMs <= NONCE_MS;
  }
}
