/**
 * Digest authentication (RFC 3261 §22, RFC 2617 with qop=auth, MD5 as every phone knows it), both ends.
 * Nonces carry their own time and a keyed hash, so the server keeps none; a nonce is good for five minutes.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { SipRequest } from "../sip/message.ts";

const NONCE_MS = 300_000;

/** Scheme parameters of a challenge or of credentials, unquoted, names in lower case. */
export type DigestParams = ReadonlyMap<string, string>;

/** Null when the scheme is another or the text is malformed. */
export function parseDigest(value: string): DigestParams | null {
  const match = /^\s*Digest\s+(.+)$/is.exec(value);
  if (match?.[1] === undefined) return null;
  const params = new Map<string, string>();
  const pattern = /\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)/gy;
  const text = match[1];
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (found?.[1] === undefined) return null;
    params.set(found[1].toLowerCase(), found[2]?.replace(/\\(.)/g, "$1") ?? found[3] ?? "");
  }
  return params;
}

function md5(text: string): string {
  return createHash("md5").update(text, "latin1").digest("hex");
}

type Answered = {
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
  /** Null = the old form of RFC 2069. */
  readonly qop: { readonly nc: string; readonly cnonce: string } | null;
};

function responseOf(a: Answered): string {
  const ha1 = md5(`${a.username}:${a.realm}:${a.password}`);
  const ha2 = md5(`${a.method}:${a.uri}`);
  const middle = a.qop === null ? "" : `:${a.qop.nc}:${a.qop.cnonce}:auth`;
  return md5(`${ha1}:${a.nonce}${middle}:${ha2}`);
}

/** The value of Authorization for a challenge; null when it asks for something else than MD5. */
export function answerChallenge(
  challenge: string,
  request: { readonly method: string; readonly uri: string },
  account: { readonly username: string; readonly password: string },
  cnonce: string,
): string | null {
  const params = parseDigest(challenge);
  const algorithm = params?.get("algorithm") ?? "MD5";
  if (params === null || algorithm.toUpperCase() !== "MD5") return null;
  const { realm = "", nonce = "", qop, opaque } = Object.fromEntries(params);
  const isAuth = qop?.split(",").some((one) => one.trim() === "auth") ?? false;
  if (qop !== undefined && !isAuth) return null;
  const answered = { ...account, ...request, realm, nonce };
  const response = responseOf({ ...answered, qop: isAuth ? { nc: "00000001", cnonce } : null });
  const fields = [
    `username="${account.username}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${request.uri}"`,
    `response="${response}"`,
    "algorithm=MD5",
    ...(opaque === undefined ? [] : [`opaque="${opaque}"`]),
    ...(isAuth ? [`cnonce="${cnonce}"`, "qop=auth", "nc=00000001"] : []),
  ];
  return `Digest ${fields.join(", ")}`;
}

export type Verdict =
  | { readonly kind: "good"; readonly username: string }
  | { readonly kind: "missing" | "stale" }
  | { readonly kind: "wrong"; readonly username: string };

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

  /** The value of WWW-Authenticate. */
  challenge(nowMs: number, isStale: boolean): string {
    const nonce = this.#nonce(nowMs);
    const stale = isStale ? ", stale=true" : "";
    return `Digest realm="${this.#realm}", nonce="${nonce}", algorithm=MD5, qop="auth"${stale}`;
  }

  /** Of several credentials the one of our realm counts. */
  check(request: SipRequest, nowMs: number): Verdict {
    const all = request.headers.lines("authorization").map(parseDigest);
    const params = all.find((one) => one?.get("realm") === this.#realm);
    if (params === undefined || params === null) return { kind: "missing" };
    const username = params.get("username") ?? "";
    if (!this.#isRight(request, params, username)) return { kind: "wrong", username };
    return this.#isFresh(params.get("nonce") ?? "", nowMs)
      ? { kind: "good", username }
      : { kind: "stale" };
  }

  #isRight(request: SipRequest, params: DigestParams, username: string): boolean {
    const password = this.#passwordOf(username);
    if (password === undefined || params.get("qop") !== "auth") return false;
    const expected = responseOf({
      username,
      realm: this.#realm,
      password,
      method: request.method,
      uri: params.get("uri") ?? "",
      nonce: params.get("nonce") ?? "",
      qop: { nc: params.get("nc") ?? "", cnonce: params.get("cnonce") ?? "" },
    });
    return isEqual(expected, (params.get("response") ?? "").toLowerCase());
  }

  #nonce(nowMs: number): string {
    const time = nowMs.toString(16);
    const seal = createHmac("sha256", this.#key).update(time).digest("hex").slice(0, 32);
    return `${time}.${seal}`;
  }

  /** Ours and not older than five minutes. */
  #isFresh(nonce: string, nowMs: number): boolean {
    const madeMs = Number.parseInt(nonce.split(".")[0] ?? "", 16);
    if (!Number.isSafeInteger(madeMs) || !isEqual(this.#nonce(madeMs), nonce)) return false;
    return madeMs <= nowMs && nowMs - madeMs <= NONCE_MS;
  }
}

function isEqual(a: string, b: string): boolean {
  const left = Buffer.from(a, "latin1");
  const right = Buffer.from(b, "latin1");
  return left.length === right.length && timingSafeEqual(left, right);
}
