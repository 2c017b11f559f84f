/**
 * SRTP and SRTCP of the scripted peers: the stateless reference of test/vectors, with the index of each
 * SSRC kept. One direction of one key; any number of SSRCs. Independent of src/rtp.
 */
import {
  slowGcm,
  slowGcmRtcp,
  slowKeys,
  slowProtect,
  slowProtectRtcp,
} from "../vectors/slow-srtp.ts";

/** [key, salt, tag, SRTCP tag] in bytes. */
const SIZES = {
  AES_CM_128_HMAC_SHA1_80: [16, 14, 10, 10],
  AES_CM_128_HMAC_SHA1_32: [16, 14, 4, 10],
  AES_256_CM_HMAC_SHA1_80: [32, 14, 10, 10],
  AES_256_CM_HMAC_SHA1_32: [32, 14, 4, 10],
  AEAD_AES_128_GCM: [16, 12, 16, 16],
  AEAD_AES_256_GCM: [32, 12, 16, 16],
} as const;

export type Suite = keyof typeof SIZES;

/** Master key and master salt of the crypto line. */
export function slowKeyBytes(suite: Suite): number {
  return SIZES[suite][0] + SIZES[suite][1];
}

export class SlowSrtp {
  readonly #tagBytes: number;
  readonly #rtcpTagBytes: number;
  readonly #isGcm: boolean;
  /** Packet and ROC in, the sealed packet out. */
  readonly #seal: (plain: Uint8Array, roc: number) => Buffer;
  readonly #sealRtcp: (plain: Uint8Array, index: number, isEncrypted: boolean) => Buffer;
  readonly #highest = new Map<number, number>();
  #rtcpIndex = 0;

  constructor(suite: Suite, keyAndSalt: Uint8Array) {
    const [keyBytes, saltBytes, tagBytes, rtcpTagBytes] = SIZES[suite];
    const master = keyAndSalt.subarray(0, keyBytes + saltBytes);
    const rtp = slowKeys(master, "srtp", { keyBytes, saltBytes });
    const rtcp = slowKeys(master, "srtcp", { keyBytes, saltBytes });
    this.#tagBytes = tagBytes;
    this.#rtcpTagBytes = rtcpTagBytes;
    this.#isGcm = suite.startsWith("AEAD");
    this.#seal = (plain, roc) =>
      this.#isGcm ? slowGcm(rtp, plain, roc) : slowProtect(rtp, plain, roc, tagBytes);
    this.#sealRtcp = this.#isGcm
      ? (plain, index, isEncrypted) => slowGcmRtcp(rtcp, plain, index, isEncrypted)
      : (plain, index, isEncrypted) => slowProtectRtcp(rtcp, plain, index, isEncrypted);
  }

  protect(packet: Uint8Array): Uint8Array {
    return new Uint8Array(this.#seal(packet, this.#roc(Buffer.from(packet))));
  }

  /** null = the tag is wrong or the packet too short. Sealing twice opens: all suites XOR a keystream. */
  unprotect(packet: Uint8Array): Uint8Array | null {
    const bytes = Buffer.from(packet);
    const end = bytes.length - this.#tagBytes;
    if (end < 12) return null;
    const roc = this.#roc(bytes);
    const clear = this.#seal(bytes.subarray(0, end), roc).subarray(0, end);
    return this.#seal(clear, roc).equals(bytes) ? new Uint8Array(clear) : null;
  }

  protectRtcp(packet: Uint8Array): Uint8Array {
    this.#rtcpIndex += 1;
    return new Uint8Array(this.#sealRtcp(packet, this.#rtcpIndex, true));
  }

  unprotectRtcp(packet: Uint8Array): Uint8Array | null {
    const bytes = Buffer.from(packet);
    const end = bytes.length - this.#rtcpTagBytes - 4;
    if (end < 8) return null;
    const flagAndIndex = bytes.readUInt32BE(this.#isGcm ? end + this.#rtcpTagBytes : end);
    const [index, isEncrypted] = [flagAndIndex & 0x7fffffff, flagAndIndex >>> 31 === 1];
    const clear = this.#sealRtcp(bytes.subarray(0, end), index, isEncrypted).subarray(0, end);
    const again = this.#sealRtcp(clear, index, isEncrypted);
    return again.equals(bytes) ? new Uint8Array(clear) : null;
  }

  /** ROC of the 48-bit index nearest to the last one of this SSRC (RFC 3711 §3.3.1, Appendix A). */
  #roc(packet: Buffer): number {
    const [ssrc, sequence] = [packet.readUInt32BE(8), packet.readUInt16BE(2)];
    const highest = this.#highest.get(ssrc) ?? sequence;
    const roc = Math.floor(highest / 65536);
    const candidates = [roc - 1, roc, roc + 1].filter((one) => one >= 0);
    const distance = (one: number): number => Math.abs(one * 65536 + sequence - highest);
    const best = candidates.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    this.#highest.set(ssrc, Math.max(highest, best * 65536 + sequence));
    return best;
  }
}
