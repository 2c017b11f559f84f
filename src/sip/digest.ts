/**
 * HTTP digest authentication as SIP uses it (RFC 3261 §22, RFC 8760; RFC 7616 and the older RFC 2617):
 * MD5 and SHA-256, with qop=auth or without qop. For endpoints of our own (the demonstration's registrar
 * and phone, tests): what passes through the proxy is never touched. No state: nonces and counts are the
 * caller's.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isToken, trimLws, unquote } from "./lexical.ts";
import { splitListValues } from "./list-values.ts";
import { SipSyntaxError } from "./syntax-error.ts";

export type DigestAlgorithm = "MD5" | "SHA-256";

export type DigestChallenge = {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  /** true: qop=auth is offered and will be used. */
  readonly hasQopAuth: boolean;
  readonly opaque: string | null;
  readonly isStale: boolean;
};

export type DigestCredentials = {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** Hex digits. */
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  readonly opaque: string | null;
  /** null: the old form without qop. `nonceCount` is 8 hex digits. */
  readonly qop: { readonly nonceCount: string; readonly cnonce: string } | null;
};

/** Parses a WWW-Authenticate or Proxy-Authenticate value. Throws SipSyntaxError, also for other schemes. */
export function parseDigestChallenge(value: string): DigestChallenge {
  const fields = parseFields(value);
  const qop = fields.get("qop");
  return {
    realm: required(fields, "realm"),
    nonce: required(fields, "nonce"),
    algorithm: parseAlgorithm(fields.get("algorithm")),
    hasQopAuth: qop !== undefined && splitListValues(qop.toLowerCase()).includes("auth"),
    opaque: fields.get("opaque") ?? null,
    isStale: fields.get("stale")?.toLowerCase() === "true",
  };
}

export function formatDigestChallenge(challenge: DigestChallenge): string {
  const { realm, nonce, algorithm, hasQopAuth, opaque, isStale } = challenge;
  const parts = [`realm=${quote(realm)}`, `nonce=${quote(nonce)}`, `algorithm=${algorithm}`];
  if (hasQopAuth) parts.push('qop="auth"');
  if (opaque !== null) parts.push(`opaque=${quote(opaque)}`);
  if (isStale) parts.push("stale=true");
  return `Digest ${parts.join(", ")}`;
}

/** Parses an Authorization or Proxy-Authorization value. Throws SipSyntaxError, also for other schemes. */
export function parseDigestCredentials(value: string): DigestCredentials {
  const fields = parseFields(value);
  return {
    username: required(fields, "username"),
    realm: required(fields, "realm"),
    nonce: required(fields, "nonce"),
    uri: required(fields, "uri"),
    response: required(fields, "response"),
    algorithm: parseAlgorithm(fields.get("algorithm")),
    opaque: fields.get("opaque") ?? null,
    qop: parseQop(fields),
  };
}

function parseQop(fields: ReadonlyMap<string, string>): DigestCredentials["qop"] {
  const qop = fields.get("qop");
  if (qop === undefined) return null;
  if (qop.toLowerCase() !== "auth") throw new SipSyntaxError("unknown digest qop");
  const nonceCount = required(fields, "nc");
  if (!/^[0-9a-f]{8}$/i.test(nonceCount)) throw new SipSyntaxError("bad digest nonce count");
  return { nonceCount, cnonce: required(fields, "cnonce") };
}

export function formatDigestCredentials(credentials: DigestCredentials): string {
  const { username, realm, nonce, uri, response, algorithm, opaque, qop } = credentials;
  const parts = [
    `username=${quote(username)}`,
    `realm=${quote(realm)}`,
    `nonce=${quote(nonce)}`,
    `uri=${quote(uri)}`,
    `response="${response}"`,
    `algorithm=${algorithm}`,
  ];
  if (qop !== null) parts.push("qop=auth", `nc=${qop.nonceCount}`, `cnonce=${quote(qop.cnonce)}`);
  if (opaque !== null) parts.push(`opaque=${quote(opaque)}`);
  return `Digest ${parts.join(", ")}`;
}

/** The credentials that answer a challenge; `nonceCount` is 1 for the first use of its nonce. */
export function answerChallenge(
  challenge: DigestChallenge,
  o: {
    readonly username: string;
    readonly password: string;
    readonly method: string;
    readonly uri: string;
    readonly nonceCount: number;
    readonly cnonce: string;
  },
): DigestCredentials {
  const { realm, nonce, algorithm, opaque, hasQopAuth } = challenge;
  const nonceCount = o.nonceCount.toString(16).padStart(8, "0");
  const qop = hasQopAuth ? { nonceCount, cnonce: o.cnonce } : null;
  const unsigned = { username: o.username, realm, nonce, uri: o.uri, algorithm, opaque, qop };
  return { ...unsigned, response: digestResponse(unsigned, o.password, o.method) };
}

/** True when the response was made with this password, for this method. Compares in constant time. */
export function verifyDigest(
  credentials: DigestCredentials,
  password: string,
  method: string,
): boolean {
  const expected = Buffer.from(digestResponse(credentials, password, method), "latin1");
  const given = Buffer.from(credentials.response.toLowerCase(), "latin1");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** RFC 7616 §3.4.1: hex digits in lower case. */
function digestResponse(
  credentials: Omit<DigestCredentials, "response">,
  password: string,
  method: string,
): string {
  const { username, realm, nonce, uri, algorithm, qop } = credentials;
  const first = hash(algorithm, `${username}:${realm}:${password}`);
  const second = hash(algorithm, `${method}:${uri}`);
  const middle = qop === null ? nonce : `${nonce}:${qop.nonceCount}:${qop.cnonce}:auth`;
  return hash(algorithm, `${first}:${middle}:${second}`);
}

function hash(algorithm: DigestAlgorithm, text: string): string {
  const name = algorithm === "MD5" ? "md5" : "sha256";
  return createHash(name).update(Buffer.from(text, "latin1")).digest("hex");
}

/** Fields by lower-case name, unquoted. A field that comes twice is refused. */
function parseFields(value: string): Map<string, string> {
  const space = value.search(/[ \t]/);
  if (space < 0 || value.slice(0, space).toLowerCase() !== "digest") {
    throw new SipSyntaxError("not a Digest header");
  }
  const fields = new Map<string, string>();
  for (const field of splitListValues(value.slice(space))) {
    const equals = field.indexOf("=");
    const name = trimLws(field, 0, Math.max(equals, 0)).toLowerCase();
    if (!isToken(name) || fields.has(name)) throw new SipSyntaxError("bad digest field");
    fields.set(name, unquote(trimLws(field, equals + 1)));
  }
  return fields;
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw new SipSyntaxError(`digest without ${name}`);
  return value;
}

function parseAlgorithm(name: string | undefined): DigestAlgorithm {
  const upper = name?.toUpperCase() ?? "MD5";
  if (upper !== "MD5" && upper !== "SHA-256") throw new SipSyntaxError("unknown digest algorithm");
  return upper;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
