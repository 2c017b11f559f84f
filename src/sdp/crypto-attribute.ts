/**
 * a=crypto (RFC 4568 §9.1): SDES keying of SRTP. Every well-formed line is read, whatever its
 * suite; which suites exist is known to rtp/crypto-suite.ts and compared by the caller. Never log
 * what this file returns.
 *
 *   a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:BASE64(key || salt)|2^31|1:4 SESSION-PARAM ...
 *            tag suite                        key                lifetime mki:length in bytes
 */

export type CryptoAttribute = {
  readonly tag: number;
  readonly suite: string;
  /** Master key followed by master salt; its length is checked against the suite by the caller. */
  readonly key: Uint8Array;
  /** As written: "2^31" or "1048576". Accepted and not enforced. */
  readonly lifetime: string | null;
  readonly mki: { readonly value: bigint; readonly lengthBytes: number } | null;
  readonly sessionParams: readonly string[];
};

const KEY_PARAM =
  /^inline:([A-Za-z0-9+/]+={0,2})(?:\|(2\^\d{1,2}|\d{1,15}))?(?:\|(\d{1,310}):(\d{1,3}))?$/i;

/** `value` is what follows "a=crypto:". Null when malformed. Of several keys the first is taken. */
export function parseCryptoAttribute(value: string): CryptoAttribute | null {
  const [tag = "", suite = "", keyParams = "", ...sessionParams] = value.trim().split(/[ \t]+/);
  if (!/^\d{1,9}$/.test(tag) || !/^[A-Za-z0-9_]+$/.test(suite)) return null;
  const match = KEY_PARAM.exec(keyParams.split(";")[0] ?? "");
  if (match === null) return null;
  const key = decodeBase64(match[1] ?? "");
  const mki = parseMki(match[3], match[4]);
  if (key === null || mki === undefined) return null;
  return { tag: Number(tag), suite, key, lifetime: match[2] ?? null, mki, sessionParams };
}

/** What follows "a=crypto:". */
export function formatCryptoAttribute(crypto: CryptoAttribute): string {
  const lifetime = crypto.lifetime === null ? "" : `|${crypto.lifetime}`;
  const mki = crypto.mki === null ? "" : `|${crypto.mki.value}:${crypto.mki.lengthBytes}`;
  const inline = `inline:${Buffer.from(crypto.key).toString("base64")}${lifetime}${mki}`;
  return [crypto.tag, crypto.suite, inline, ...crypto.sessionParams].join(" ");
}

/**
 * False when the line asks for something we do not do: UNENCRYPTED_SRTP and the like, a key
 * derivation rate other than 0, forward error correction. RFC 4568 §6.3.7: a parameter with "-"
 * before it may be ignored.
 */
export function areSessionParamsSupported(crypto: CryptoAttribute): boolean {
  return crypto.sessionParams.every((param) => /^(-|WSH=\d+$|KDR=0$)/i.test(param));
}

/** The MKI as it stands in packets, big-endian; empty when there is none. */
export function mkiBytes(crypto: CryptoAttribute): Uint8Array {
  const bytes = new Uint8Array(crypto.mki?.lengthBytes ?? 0);
  let rest = crypto.mki?.value ?? 0n;
  for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

/** Padding may be missing, some phones leave it out; more than the right amount is malformed. */
function decodeBase64(text: string): Uint8Array | null {
  const digits = text.replace(/=+$/, "");
  if (digits.length % 4 === 1) return null;
  if (text.length !== digits.length && text.length % 4 !== 0) return null;
  return new Uint8Array(Buffer.from(digits, "base64"));
}

/** Null = absent, undefined = malformed (RFC 4568 §6.1: 1 to 128 bytes; the value has to fit). */
function parseMki(
  value: string | undefined,
  length: string | undefined,
): CryptoAttribute["mki"] | undefined {
  if (value === undefined || length === undefined) return null;
  const lengthBytes = Number(length);
  if (lengthBytes < 1 || lengthBytes > 128) return undefined;
  const number = BigInt(value);
  return number >> BigInt(8 * lengthBytes) === 0n ? { value: number, lengthBytes } : undefined;
}
