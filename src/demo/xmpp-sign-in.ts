/**
 * The server's side of SASL for the demonstration: SCRAM-SHA-1 (RFC 5802) without channel binding, which
 * cannot hold behind a proxy that ends TLS. A client that says "y" believes it was taken out of the offer, and
 * is refused (§6).
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";

const ITERATIONS = 4096;
const NONCE_BYTES = 18;

const hmac = (key: Uint8Array, text: string): Buffer =>
  createHmac("sha1", key).update(text).digest();

export class ScramSignIn {
  readonly #passwordOf: (user: string) => string | null;
  readonly #random: (lengthBytes: number) => Uint8Array;
  #user = "";
  #firstBare = "";
  #serverFirst = "";
  #salt = Buffer.alloc(0);

  constructor(
    passwordOf: (user: string) => string | null,
    random: (lengthBytes: number) => Uint8Array,
  ) {
    this.#passwordOf = passwordOf;
    this.#random = random;
  }

  /** The client's first message; its challenge, or null = refused. */
  challenge(clientFirst: string): string | null {
    const parts = /^n,(?:a=[^,]*)?,(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+))/.exec(clientFirst);
    if (parts === null) return null;
    this.#firstBare = parts[1] ?? "";
    this.#user = parts[2] ?? "";
    this.#salt = Buffer.from(this.#random(16));
    const nonce = (parts[3] ?? "") + Buffer.from(this.#random(NONCE_BYTES)).toString("base64url");
    this.#serverFirst = `r=${nonce},s=${this.#salt.toString("base64")},i=${ITERATIONS}`;
    return this.#serverFirst;
  }

  /** Its last one; who has signed in and the proof that we know the password, or null = refused. */
  finish(clientFinal: string): { readonly user: string; readonly proof: string } | null {
    const parts = /^(c=biws,r=([^,]+)),p=([A-Za-z0-9+/=]+)$/.exec(clientFinal);
    const password = this.#passwordOf(this.#user);
    if (parts === null || password === null) return null;
    if (!this.#serverFirst.startsWith(`r=${parts[2]},`)) return null;
    const salted = pbkdf2Sync(password, this.#salt, ITERATIONS, 20, "sha1");
    const signed = `${this.#firstBare},${this.#serverFirst},${parts[1]}`;
    const key = hmac(salted, "Client Key");
    const signature = hmac(createHash("sha1").update(key).digest(), signed);
    const wanted = key.map((byte, at) => byte ^ (signature[at] ?? 0));
    const given = Buffer.from(parts[3] ?? "", "base64");
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
    const proof = hmac(hmac(salted, "Server Key"), signed).toString("base64");
    return { user: this.#user, proof: `v=${proof}` };
  }
}
