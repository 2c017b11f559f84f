/**
 * A text that only we can read and nobody can change: what phones carry for us (the instance's own Contact,
 * its Record-Routes), so that it needs no memory of ours and survives a restart. AES-256-CTR under an
 * initial vector that is the HMAC of the text (SIV, RFC 5297 §1.3.2): the same text gives the same seal, as
 * a repeated 200 must be the same, and a changed one opens to nothing.
 *
 *  0     1               13
 * +-----+---------------+------------------+
 * | v|k | HMAC (12)     | encrypted text   |   base64url; v = version, k = key number
 * +-----+---------------+------------------+
 */
import { createCipheriv, createHmac, timingSafeEqual } from "node:crypto";
import type { TokenKey } from "./flow-token.ts";

const VERSION = 1;
const MAC_BYTES = 12;
const HEAD_BYTES = 1 + MAC_BYTES;
const IV_BYTES = 16;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** An instance names the same Contact in each of its calls: the last few are not computed again. */
const MOST_KNOWN = 512;

/** Longest seal: what a URI of a phone and of Asterisk (512) bears. */
export const LONGEST_SEAL = 400;

type Secrets = { readonly number: number; readonly mac: Buffer; readonly cipher: Buffer };

export class SealedTexts {
  readonly #keys: readonly Secrets[];
  readonly #sealed = new Map<string, string | null>();
  readonly #opened = new Map<string, string>();

  /** The first key seals, all of them open. */
  constructor(keys: readonly TokenKey[]) {
    if (keys.length === 0) throw new Error("a seal needs a key");
    const derive = (secret: Uint8Array, use: string): Buffer =>
      createHmac("sha256", secret).update(use).digest();
    this.#keys = keys.map(({ number, secret }) => ({
      number,
      mac: derive(secret, "sealed text: authentication"),
      cipher: derive(secret, "sealed text: encryption"),
    }));
  }

  /** `context` is not in the seal and must be the same to open it. Null: too long to be carried. */
  seal(text: string, context: string): string | null {
    const known = this.#sealed.get(`${context}\0${text}`);
    if (known !== undefined) return known;
    const sealed = this.#seal(text, context);
    remember(this.#sealed, `${context}\0${text}`, sealed);
    return sealed;
  }

  #seal(text: string, context: string): string | null {
    const key = this.#keys[0]!;
    const plain = Buffer.from(text, "latin1");
    const mac = macOf(key, plain, context);
    const head = Buffer.from([(VERSION << 4) | key.number]);
    const sealed = Buffer.concat([head, mac, crypt(key, mac, plain)]).toString("base64url");
    return sealed.length > LONGEST_SEAL ? null : sealed;
  }

  /** null: not one of ours, made by another proxy or for something else, or changed on the way. */
  open(sealed: string, context: string): string | null {
    const known = this.#opened.get(`${context}\0${sealed}`);
    if (known !== undefined) return known;
    const text = this.#open(sealed, context);
    // What opens to nothing is not remembered: strangers could fill the memory with it.
    if (text !== null) remember(this.#opened, `${context}\0${sealed}`, text);
    return text;
  }

  #open(sealed: string, context: string): string | null {
    if (sealed.length > LONGEST_SEAL || !BASE64URL.test(sealed)) return null;
    const bytes = Buffer.from(sealed, "base64url");
    // A last character with spare bits set would be a second way to write the same seal.
    if (bytes.length < HEAD_BYTES || bytes.toString("base64url") !== sealed) return null;
    const key = this.#keys.find(({ number }) => bytes[0] === ((VERSION << 4) | number));
    if (key === undefined) return null;
    const mac = bytes.subarray(1, HEAD_BYTES);
    const plain = crypt(key, mac, bytes.subarray(HEAD_BYTES));
    return timingSafeEqual(macOf(key, plain, context), mac) ? plain.toString("latin1") : null;
  }
}

/** Keeps its size: the oldest goes. */
function remember<T>(known: Map<string, T>, key: string, value: T): void {
  if (known.size >= MOST_KNOWN) {
    for (const oldest of known.keys()) {
      known.delete(oldest);
      break;
    }
  }
  known.set(key, value);
}

function macOf(key: Secrets, plain: Uint8Array, context: string): Buffer {
  const mac = createHmac("sha256", key.mac).update(`${context.length}:${context}`).update(plain);
  return mac.digest().subarray(0, MAC_BYTES);
}

/** Counter mode: the same operation both ways. */
function crypt(key: Secrets, mac: Uint8Array, bytes: Uint8Array): Buffer {
  const iv = Buffer.alloc(IV_BYTES);
  iv.set(mac);
  return createCipheriv("aes-256-ctr", key.cipher, iv).update(bytes);
}
