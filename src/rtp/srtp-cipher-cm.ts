/**
 * AES counter mode with HMAC-SHA1 (RFC 3711 §4.1, §4.2) for one direction of SRTP or of SRTCP: what
 * changes the bytes. Index, replay and SSRC are the context's. Works on the thread's packet
 * scratch.
 */

import type { CryptoSuite } from "./crypto-suite.ts";
import { cryptoSuites } from "./crypto-suite.ts";
import { deriveSessionKeys } from "./key-derivation.ts";
import { Keystream } from "./keystream.ts";
import { packetScratch } from "./packet-scratch.ts";

// digest() wants 64 bytes to write into.
const digest = new Uint8Array(64);

export class CounterModeCipher {
  readonly tagBytes: number;
  readonly keystream: Keystream;
  readonly #keyedHash: Bun.CryptoHasher;

  constructor(suite: CryptoSuite, masterKey: Uint8Array, protocol: "srtp" | "srtcp") {
    const sizes = cryptoSuites[suite];
    const keys = deriveSessionKeys(suite, masterKey, protocol);
    this.tagBytes = protocol === "srtp" ? sizes.rtpTagBytes : sizes.rtcpTagBytes;
    this.keystream = new Keystream(sizes.cipher, keys.cipherKey, keys.salt);
    this.#keyedHash = new Bun.CryptoHasher("sha1", keys.authKey);
  }

  /**
   * Tag of the first `length` bytes of the scratch, written at `at` (which may lie inside them).
   */
  writeTag(length: number, at: number): void {
    this.#hash(length);
    const { bytes } = packetScratch;
    for (let i = 0; i < this.tagBytes; i++) bytes[at + i] = digest[i]!;
  }

  /**
   * Whether the first `length` bytes of the scratch have the tag at `tag[at]`. Compares every byte
   * always.
   */
  isTag(length: number, tag: Uint8Array, at: number): boolean {
    this.#hash(length);
    let difference = 0;
    for (let i = 0; i < this.tagBytes; i++) difference |= digest[i]! ^ tag[at + i]!;
    return difference === 0;
  }

  /** A keyed hasher is used up by digest(), a copy is not. */
  #hash(length: number): void {
    this.#keyedHash.copy().update(packetScratch.prefix(length)).digest(digest);
  }
}
