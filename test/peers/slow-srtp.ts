/**
 * SRTP and SRTCP as RFC 3711 writes them down, one packet at a time and slowly: the reference for the
 * scripted peers, independent of src/rtp. One direction of one key; any number of SSRCs.
 *
 *   SRTP   RTP header | encrypted payload | tag (10 or 4 bytes)
 *   SRTCP  first 8 bytes | encrypted rest | E + 31-bit index | tag (10 bytes)
 */
import { createCipheriv, createHmac } from "node:crypto";

export type Suite = "AES_CM_128_HMAC_SHA1_80" | "AES_CM_128_HMAC_SHA1_32";

type Keys = { readonly cipher: Buffer; readonly salt: Buffer; readonly auth: Buffer };

/** RFC 3711 §4.3: key_id = label || 0, XORed into the salt, one counter block range per label. */
function derive(master: Buffer, salt: Buffer, label: number, lengthBytes: number): Buffer {
  const iv = Buffer.alloc(16);
  salt.copy(iv);
  iv[7] = (iv[7] ?? 0) ^ label;
  return createCipheriv("aes-128-ctr", master, iv).update(Buffer.alloc(lengthBytes));
}

function keysFrom(master: Buffer, salt: Buffer, firstLabel: number): Keys {
  return {
    cipher: derive(master, salt, firstLabel, 16),
    auth: derive(master, salt, firstLabel + 1, 20),
    salt: derive(master, salt, firstLabel + 2, 14),
  };
}

/** §4.1.1: IV = (salt << 16) XOR (SSRC << 64) XOR (index << 16). */
function crypt(keys: Keys, ssrc: number, index: number, bytes: Uint8Array): Buffer {
  const iv = Buffer.alloc(16);
  keys.salt.copy(iv);
  iv.writeUInt32BE((iv.readUInt32BE(4) ^ ssrc) >>> 0, 4);
  iv.writeUInt16BE(iv.readUInt16BE(8) ^ Math.floor(index / 2 ** 32), 8);
  iv.writeUInt32BE((iv.readUInt32BE(10) ^ (index % 2 ** 32)) >>> 0, 10);
  return createCipheriv("aes-128-ctr", keys.cipher, iv).update(bytes);
}

function tagOf(keys: Keys, bytes: Uint8Array, lengthBytes: number): Buffer {
  return createHmac("sha1", keys.auth).update(bytes).digest().subarray(0, lengthBytes);
}

function headerLength(packet: Buffer): number {
  const first = packet[0] ?? 0;
  const base = 12 + 4 * (first & 0x0f);
  return (first & 0x10) === 0 ? base : base + 4 + 4 * packet.readUInt16BE(base + 2);
}

export class SlowSrtp {
  readonly #rtp: Keys;
  readonly #rtcp: Keys;
  readonly #tagBytes: number;
  readonly #highest = new Map<number, number>();
  #rtcpIndex = 0;

  /** `keyAndSalt` is the 30 bytes of the crypto line. */
  constructor(suite: Suite, keyAndSalt: Uint8Array) {
    const master = Buffer.from(keyAndSalt.subarray(0, 16));
    const salt = Buffer.from(keyAndSalt.subarray(16, 30));
    this.#rtp = keysFrom(master, salt, 0);
    this.#rtcp = keysFrom(master, salt, 3);
    this.#tagBytes = suite === "AES_CM_128_HMAC_SHA1_32" ? 4 : 10;
  }

  protect(packet: Uint8Array): Uint8Array {
    const plain = Buffer.from(packet);
    const index = this.#index(plain.readUInt32BE(8), plain.readUInt16BE(2));
    const start = headerLength(plain);
    const body = crypt(this.#rtp, plain.readUInt32BE(8), index, plain.subarray(start));
    const out = Buffer.concat([plain.subarray(0, start), body]);
    return new Uint8Array(Buffer.concat([out, this.#rtpTag(out, index)]));
  }

  /** null = the tag is wrong or the packet too short. */
  unprotect(packet: Uint8Array): Uint8Array | null {
    const bytes = Buffer.from(packet);
    if (bytes.length < 12 + this.#tagBytes) return null;
    const sealed = bytes.subarray(0, bytes.length - this.#tagBytes);
    const index = this.#index(bytes.readUInt32BE(8), bytes.readUInt16BE(2));
    if (!this.#rtpTag(sealed, index).equals(bytes.subarray(sealed.length))) return null;
    const start = headerLength(sealed);
    const body = crypt(this.#rtp, bytes.readUInt32BE(8), index, sealed.subarray(start));
    return new Uint8Array(Buffer.concat([sealed.subarray(0, start), body]));
  }

  protectRtcp(packet: Uint8Array): Uint8Array {
    const plain = Buffer.from(packet);
    this.#rtcpIndex += 1;
    const body = crypt(this.#rtcp, plain.readUInt32BE(4), this.#rtcpIndex, plain.subarray(8));
    const trailer = Buffer.alloc(4);
    trailer.writeUInt32BE((0x80000000 | this.#rtcpIndex) >>> 0);
    const out = Buffer.concat([plain.subarray(0, 8), body, trailer]);
    return new Uint8Array(Buffer.concat([out, tagOf(this.#rtcp, out, 10)]));
  }

  unprotectRtcp(packet: Uint8Array): Uint8Array | null {
    const bytes = Buffer.from(packet);
    if (bytes.length < 8 + 4 + 10) return null;
    const sealed = bytes.subarray(0, bytes.length - 10);
    if (!tagOf(this.#rtcp, sealed, 10).equals(bytes.subarray(sealed.length))) return null;
    const trailer = sealed.readUInt32BE(sealed.length - 4);
    const body = sealed.subarray(8, sealed.length - 4);
    const isEncrypted = trailer >>> 31 === 1;
    const clear = isEncrypted
      ? crypt(this.#rtcp, bytes.readUInt32BE(4), trailer & 0x7fffffff, body)
      : body;
    return new Uint8Array(Buffer.concat([sealed.subarray(0, 8), clear]));
  }

  #rtpTag(sealed: Uint8Array, index: number): Buffer {
    const roc = Buffer.alloc(4);
    roc.writeUInt32BE(Math.floor(index / 65536));
    return tagOf(this.#rtp, Buffer.concat([sealed, roc]), this.#tagBytes);
  }

  /** The 48-bit index nearest to the last one of this SSRC (§3.3.1, Appendix A). */
  #index(ssrc: number, sequence: number): number {
    const highest = this.#highest.get(ssrc) ?? sequence;
    const roc = Math.floor(highest / 65536);
    const candidates = [roc - 1, roc, roc + 1].filter((one) => one >= 0);
    const distance = (one: number): number => Math.abs(one * 65536 + sequence - highest);
    const best = candidates.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    const index = best * 65536 + sequence;
    this.#highest.set(ssrc, Math.max(highest, index));
    return index;
  }
}
