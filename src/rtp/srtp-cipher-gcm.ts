/**
 * AES in Galois/counter mode (RFC 7714): one operation encrypts and authenticates, with a tag of 16
 * bytes that follows the text at once, before E flag, index and MKI.
 *
 *   SRTP:  header | payload (encrypted) | tag | MKI                       associated data = header
 *   SRTCP: header, SSRC (8) | rest (encrypted) | tag | E(1) index(31) | MKI
 *          associated data = the 8 bytes and E with the index; all of it when the E flag is 0 (§9.3)
 */
import { type CipherGCMTypes, createCipheriv, createDecipheriv } from "node:crypto";
import { type CryptoSuite, cryptoSuites } from "./crypto-suite.ts";
import { deriveSessionKeys } from "./key-derivation.ts";
import { writeUint32 } from "./packet.ts";
import { packetScratch } from "./packet-scratch.ts";
import { areBytesAt } from "./same-bytes.ts";
import { ENCRYPTED_FLAG, INDEX_BYTES, INDEX_MASK, RTCP_CLEAR_BYTES } from "./srtcp-format.ts";
import type { CipherOptions, RtcpCipher, RtpCipher, RtpIndex } from "./srtp-cipher.ts";

const TAG_BYTES = 16;
const NOTHING = new Uint8Array(0);

// Working memory of one call; every thread has its own.
const iv = new Uint8Array(12);
const indexWord = new Uint8Array(INDEX_BYTES);

/** Seals and opens under one session key; the 12-byte IV of each packet is in `iv`. */
class Gcm {
  readonly #cipher: CipherGCMTypes;
  readonly #key: Uint8Array;
  readonly #salt: Uint8Array;
  /** What open() has found authentic. */
  opened: Uint8Array = NOTHING;

  constructor(suite: CryptoSuite, masterKey: Uint8Array, protocol: "srtp" | "srtcp") {
    const keys = deriveSessionKeys(suite, masterKey, protocol);
    this.#cipher = `${cryptoSuites[suite].cipher}-gcm`;
    this.#key = keys.cipherKey;
    this.#salt = keys.salt;
  }

  /** RFC 7714 §8.1 and §9.1: (0 0 | SSRC | two words of the index) XOR salt. */
  setIv(ssrc: number, high: number, low: number): void {
    iv[0] = 0;
    iv[1] = 0;
    writeUint32(iv, 2, ssrc);
    writeUint32(iv, 6, high);
    iv[10] = low >>> 8;
    iv[11] = low;
    for (let i = 0; i < iv.length; i++) iv[i] = iv[i]! ^ this.#salt[i]!;
  }

  /** Encrypts the scratch from `start` to `end` in place and appends the tag. */
  seal(associated: Uint8Array, start: number, end: number): void {
    const { bytes } = packetScratch;
    const cipher = createCipheriv(this.#cipher, this.#key, iv);
    cipher.setAAD(associated);
    bytes.set(cipher.update(bytes.subarray(start, end)), start);
    cipher.final();
    bytes.set(cipher.getAuthTag(), end);
  }

  /** Whether text and tag behind `end` are authentic; the clear text is then in `opened`. */
  open(associated: Uint8Array, text: Uint8Array, tagAt: number): boolean {
    const decipher = createDecipheriv(this.#cipher, this.#key, iv);
    decipher.setAuthTag(packetScratch.bytes.subarray(tagAt, tagAt + TAG_BYTES));
    decipher.setAAD(associated);
    const clear = decipher.update(text);
    try {
      decipher.final();
    } catch {
      return false;
    }
    this.opened = clear;
    return true;
  }
}

export class GcmRtp implements RtpCipher {
  readonly overheadBytes: number;
  readonly #mki: Uint8Array;
  readonly #gcm: Gcm;

  constructor({ suite, masterKey, mki }: CipherOptions) {
    this.#gcm = new Gcm(suite, masterKey, "srtp");
    this.#mki = mki;
    this.overheadBytes = TAG_BYTES + mki.length;
  }

  protect(header: number, length: number, { ssrc, roc, sequence }: RtpIndex): void {
    this.#gcm.setIv(ssrc, roc, sequence);
    this.#gcm.seal(packetScratch.prefix(header), header, length);
    if (this.#mki.length > 0) packetScratch.bytes.set(this.#mki, length + TAG_BYTES);
  }

  isAuthentic(header: number, end: number, { ssrc, roc, sequence }: RtpIndex): boolean {
    const { bytes } = packetScratch;
    if (!areBytesAt(bytes, end + TAG_BYTES, this.#mki)) return false;
    this.#gcm.setIv(ssrc, roc, sequence);
    return this.#gcm.open(packetScratch.prefix(header), bytes.subarray(header, end), end);
  }

  decrypt(header: number): void {
    packetScratch.bytes.set(this.#gcm.opened, header);
  }
}

export class GcmRtcp implements RtcpCipher {
  readonly overheadBytes: number;
  readonly #mki: Uint8Array;
  readonly #gcm: Gcm;

  constructor({ suite, masterKey, mki }: CipherOptions) {
    this.#gcm = new Gcm(suite, masterKey, "srtcp");
    this.#mki = mki;
    this.overheadBytes = TAG_BYTES + INDEX_BYTES + mki.length;
  }

  indexAt(end: number): number {
    return end + TAG_BYTES;
  }

  protect(length: number, ssrc: number, flagAndIndex: number): void {
    const { bytes } = packetScratch;
    this.#setIv(ssrc, flagAndIndex);
    this.#gcm.seal(withIndex(RTCP_CLEAR_BYTES), RTCP_CLEAR_BYTES, length);
    bytes.set(indexWord, this.indexAt(length));
    if (this.#mki.length > 0) bytes.set(this.#mki, this.indexAt(length) + INDEX_BYTES);
  }

  isAuthentic(end: number, ssrc: number, flagAndIndex: number): boolean {
    const { bytes } = packetScratch;
    if (!areBytesAt(bytes, this.indexAt(end) + INDEX_BYTES, this.#mki)) return false;
    this.#setIv(ssrc, flagAndIndex);
    const clear = (flagAndIndex & ENCRYPTED_FLAG) === 0 ? end : RTCP_CLEAR_BYTES;
    return this.#gcm.open(withIndex(clear), bytes.subarray(clear, end), end);
  }

  decrypt(_end: number, _ssrc: number, flagAndIndex: number): void {
    if ((flagAndIndex & ENCRYPTED_FLAG) === 0) return;
    packetScratch.bytes.set(this.#gcm.opened, RTCP_CLEAR_BYTES);
  }

  #setIv(ssrc: number, flagAndIndex: number): void {
    writeUint32(indexWord, 0, flagAndIndex);
    const index = flagAndIndex & INDEX_MASK;
    this.#gcm.setIv(ssrc, index >>> 16, index & 0xffff);
  }
}

/** The first bytes of the scratch and E flag with index: what SRTCP authenticates besides the text. */
function withIndex(clearBytes: number): Uint8Array {
  return Buffer.concat([packetScratch.prefix(clearBytes), indexWord]);
}
