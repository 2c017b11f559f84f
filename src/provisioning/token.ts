/**
 * Tokens of provisioning URLs: instance and MAC under AES-SIV (RFC 5297), which needs no nonce and so gives
 * the same phone the same token each time, and whose first 16 bytes authenticate the rest.
 *
 *   synthetic IV (16) | version (1) | MAC (6) | instance name, lower case | zeros up to the next 16 bytes
 *
 * as base64url. A changed character, another key or another form opens nothing; why, nobody is told.
 */
import { hkdfSync } from "node:crypto";
import { aessiv } from "@noble/ciphers/aes.js";
import { canonicalMac } from "./mac.ts";

const KEY_BYTES = 32;
/** AES-256 twice: S2V and CTR (RFC 5297 §2.2). */
const SIV_KEY_BYTES = 64;
const IV_BYTES = 16;
const STEP_BYTES = 16;
const VERSION = 1;
const NAME_AT = 7;
const LONGEST_NAME = 63;
const LONGEST_TOKEN = 128;
/** What phones and copying add to a URL's end. */
const TRAILING = /(?:=|\+|%3d|%2b)+$/i;
const TOKEN = /^[A-Za-z0-9_-]{43,128}$/;
const NAME = /^[a-z0-9-]{1,63}$/;
/** As long as a token of the usual kind. */
const NO_TOKEN = Buffer.alloc(IV_BYTES + 2 * STEP_BYTES).toString("base64url");

export type Phone = {
  /** Lower case. */
  readonly instance: string;
  /** @see canonicalMac */
  readonly mac: string;
};

export class ProvisioningTokens {
  readonly #key: Uint8Array;

  /** `key`: the proxy's provisioning key, 32 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new Error("a provisioning key has 32 bytes");
    const info = "pequod provisioning token 1";
    this.#key = new Uint8Array(hkdfSync("sha256", key, "", info, SIV_KEY_BYTES));
  }

  make({ instance, mac }: Phone): string {
    const name = instance.toLowerCase();
    const hex = canonicalMac(mac);
    if (hex === null || !NAME.test(name)) throw new Error("a token is for an instance and a MAC");
    const length = Math.ceil((NAME_AT + name.length) / STEP_BYTES) * STEP_BYTES;
    const plain = Buffer.alloc(length);
    plain[0] = VERSION;
    plain.write(hex, 1, "hex");
    plain.write(name, NAME_AT, "latin1");
    return Buffer.from(aessiv(this.#key).encrypt(plain)).toString("base64url");
  }

  /**
   * null: it is none of ours. Whatever is given, one decryption is done, so that the time tells nobody whether
   * it had the form of a token.
   */
  open(text: string): Phone | null {
    const token = text.length <= 2 * LONGEST_TOKEN ? text.replace(TRAILING, "") : "";
    const bytes = TOKEN.test(token) ? Buffer.from(token, "base64url") : null;
    // The last character may hold bits that no byte takes: only one spelling is good.
    const isToken = bytes !== null && hasForm(bytes) && bytes.toString("base64url") === token;
    const plain = this.#decrypt(isToken ? bytes : Buffer.from(NO_TOKEN, "base64url"));
    return plain === null || !isToken ? null : phoneOf(plain);
  }

  #decrypt(bytes: Uint8Array): Buffer | null {
    try {
      return Buffer.from(aessiv(this.#key).decrypt(bytes));
    } catch {
      return null;
    }
  }
}

function hasForm({ length }: Uint8Array): boolean {
  const steps = (length - IV_BYTES) / STEP_BYTES;
  return steps >= 1 && steps * STEP_BYTES <= NAME_AT + LONGEST_NAME + STEP_BYTES && steps % 1 === 0;
}

/** Authentic, so made by us; another version was made by a later one. */
function phoneOf(plain: Buffer): Phone | null {
  if (plain[0] !== VERSION) return null;
  const end = plain.indexOf(0, NAME_AT);
  return {
    mac: plain.toString("hex", 1, NAME_AT).toUpperCase(),
    instance: plain.toString("latin1", NAME_AT, end < 0 ? plain.length : end),
  };
}
