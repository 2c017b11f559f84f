/**
 * AES counter mode with HMAC-SHA1 (RFC 3711 §4.1, §4.2; RFC 6188 for AES-256).
 *
 *   SRTP:  header | payload (encrypted) | MKI | tag            tag = HMAC(header | encrypted payload | ROC)
 *   SRTCP: header, SSRC (8) | rest (encrypted) | E(1) index(31) | MKI | tag  tag = HMAC(all before the MKI)
 */
import { type CryptoSuite, cryptoSuites } from "./crypto-suite.ts";
import { deriveSessionKeys } from "./key-derivation.ts";
import { Keystream, type KeystreamAhead } from "./keystream.ts";
import { writeUint32 } from "./packet.ts";
import { packetScratch } from "./packet-scratch.ts";
import { areBytesAt } from "./same-bytes.ts";
import { ENCRYPTED_FLAG, INDEX_BYTES, INDEX_MASK, RTCP_CLEAR_BYTES } from "./srtcp-format.ts";
import type { CipherOptions, RtcpCipher, RtpCipher, RtpIndex } from "./srtp-cipher.ts";

const ROC_BYTES = 4;

// digest() wants 64 bytes to write into.
const digest = new Uint8Array(64);
// What stood where the ROC goes: MKI (at most 128 bytes) and tag. Every thread has its own.
const trailer = new Uint8Array(128 + 16);

/** Keystream and tag of one set of session keys. */
class CounterMode {
  readonly keystream: Keystream;
  readonly #tagBytes: number;
  readonly #keyedHash: Bun.CryptoHasher;

  constructor(suite: CryptoSuite, masterKey: Uint8Array, protocol: "srtp" | "srtcp") {
    const sizes = cryptoSuites[suite];
    const keys = deriveSessionKeys(suite, masterKey, protocol);
    this.#tagBytes = protocol === "srtp" ? sizes.rtpTagBytes : sizes.rtcpTagBytes;
    this.keystream = new Keystream(sizes.cipher, keys.cipherKey, keys.salt);
    this.#keyedHash = new Bun.CryptoHasher("sha1", keys.authKey);
  }

  get tagBytes(): number {
    return this.#tagBytes;
  }

  /** Tag of the first `length` bytes of the scratch, written at `at` (which may lie inside them). */
  writeTag(length: number, at: number): void {
    this.#hash(length);
    const { bytes } = packetScratch;
    for (let i = 0; i < this.#tagBytes; i++) bytes[at + i] = digest[i]!;
  }

  /** Whether the first `length` bytes of the scratch have the tag at `tag[at]`. Compares every byte always. */
  isTag(length: number, tag: Uint8Array, at: number): boolean {
    this.#hash(length);
    let difference = 0;
    for (let i = 0; i < this.#tagBytes; i++) difference |= digest[i]! ^ tag[at + i]!;
    return difference === 0;
  }

  /** A keyed hasher is used up by digest(), a copy is not. */
  #hash(length: number): void {
    this.#keyedHash.copy().update(packetScratch.prefix(length)).digest(digest);
  }
}

export class CounterModeRtp implements RtpCipher {
  readonly overheadBytes: number;
  readonly #mki: Uint8Array;
  readonly #mode: CounterMode;

  constructor({ suite, masterKey, mki }: CipherOptions) {
    this.#mode = new CounterMode(suite, masterKey, "srtp");
    this.#mki = mki;
    this.overheadBytes = mki.length + this.#mode.tagBytes;
  }

  protect(header: number, length: number, index: RtpIndex, ahead: KeystreamAhead | null): void {
    this.decrypt(header, length, index, ahead);
    writeUint32(packetScratch.bytes, length, index.roc);
    this.#mode.writeTag(length + ROC_BYTES, length + this.#mki.length);
    if (this.#mki.length > 0) packetScratch.bytes.set(this.#mki, length);
  }

  isAuthentic(_header: number, end: number, { roc }: RtpIndex): boolean {
    const { bytes } = packetScratch;
    if (!areBytesAt(bytes, end, this.#mki)) return false;
    for (let i = 0; i < this.overheadBytes; i++) trailer[i] = bytes[end + i]!;
    writeUint32(bytes, end, roc);
    const isTag = this.#mode.isTag(end + ROC_BYTES, trailer, this.#mki.length);
    for (let i = 0; i < this.overheadBytes; i++) bytes[end + i] = trailer[i]!;
    return isTag;
  }

  /** The same as encryption: an XOR. */
  decrypt(header: number, end: number, index: RtpIndex, ahead: KeystreamAhead | null): void {
    const { ssrc, roc, sequence } = index;
    this.#mode.keystream.apply(packetScratch, header, end, ssrc, roc, sequence, ahead);
  }
}

export class CounterModeRtcp implements RtcpCipher {
  readonly overheadBytes: number;
  readonly #mki: Uint8Array;
  readonly #mode: CounterMode;

  constructor({ suite, masterKey, mki }: CipherOptions) {
    this.#mode = new CounterMode(suite, masterKey, "srtcp");
    this.#mki = mki;
    this.overheadBytes = INDEX_BYTES + mki.length + this.#mode.tagBytes;
  }

  indexAt(end: number): number {
    return end;
  }

  protect(length: number, ssrc: number, flagAndIndex: number): void {
    this.decrypt(length, ssrc, flagAndIndex);
    writeUint32(packetScratch.bytes, length, flagAndIndex);
    const signed = length + INDEX_BYTES;
    if (this.#mki.length > 0) packetScratch.bytes.set(this.#mki, signed);
    this.#mode.writeTag(signed, signed + this.#mki.length);
  }

  isAuthentic(end: number): boolean {
    const { bytes } = packetScratch;
    const signed = end + INDEX_BYTES;
    if (!areBytesAt(bytes, signed, this.#mki)) return false;
    return this.#mode.isTag(signed, bytes, signed + this.#mki.length);
  }

  decrypt(end: number, ssrc: number, flagAndIndex: number): void {
    if ((flagAndIndex & ENCRYPTED_FLAG) === 0) return;
    const index = flagAndIndex & INDEX_MASK;
    const [high, low] = [index >>> 16, index & 0xffff];
    this.#mode.keystream.apply(packetScratch, RTCP_CLEAR_BYTES, end, ssrc, high, low, null);
  }
}
