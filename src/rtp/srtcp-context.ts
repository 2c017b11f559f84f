/**
 * SRTCP (RFC 3711 §3.4) with one key in one direction; part of an SrtpContext, which hands the
 * calls on. The index is sent in the packet, so nothing is estimated. Owns the sending index and
 * the windows by SSRC.
 *
 *   header, SSRC (8) | rest (encrypted) | E(1) index(31) | MKI | tag
 *   tag = HMAC(all before the MKI)
 */
import { isRtcp, readUint32, rtcpSsrc, writeUint32 } from "./packet.ts";
import { PACKET_SCRATCH_BYTES, packetScratch } from "./packet-scratch.ts";
import type { Refusal } from "./refusal.ts";
import type { CounterModeCipher } from "./srtp-cipher-cm.ts";
import { SsrcTable } from "./ssrc-table.ts";

const CLEAR_BYTES = 8;
const INDEX_BYTES = 4;
const ENCRYPTED_FLAG = 0x8000_0000;
const INDEX_MAX = 0x7fff_ffff;

export class SrtcpContext {
  refusal: Refusal | null = null;
  readonly #cipher: CounterModeCipher;
  readonly #mki: Uint8Array;
  readonly #streams: SsrcTable;
  /** One count for all SSRCs: it grows for each of them, and no (SSRC, index) comes twice. */
  #nextIndex = 0;

  constructor(cipher: CounterModeCipher, mki: Uint8Array, maxSsrcs: number) {
    this.#cipher = cipher;
    this.#mki = mki;
    this.#streams = new SsrcTable(maxSsrcs);
  }

  get overheadBytes(): number {
    return INDEX_BYTES + this.#mki.length + this.#cipher.tagBytes;
  }

  protect(packet: Uint8Array, length: number): number {
    this.refusal = null;
    const newLength = length + this.overheadBytes;
    if (!isRtcp(packet, length) || newLength > packet.length || newLength > PACKET_SCRATCH_BYTES) {
      return this.#refuse("malformed");
    }
    if (this.#nextIndex > INDEX_MAX) return this.#refuse("key-exhausted");
    const index = this.#nextIndex++;
    packetScratch.load(packet, length);
    this.#applyKeystream(rtcpSsrc(packet), length, index);
    writeUint32(packetScratch.bytes, length, ENCRYPTED_FLAG | index);
    const signed = length + INDEX_BYTES;
    if (this.#mki.length > 0) packetScratch.bytes.set(this.#mki, signed);
    this.#cipher.writeTag(signed, signed + this.#mki.length);
    packetScratch.store(packet, newLength);
    return newLength;
  }

  unprotect(packet: Uint8Array, length: number): number {
    this.refusal = null;
    const end = length - this.overheadBytes;
    if (!isRtcp(packet, end) || length > packet.length || length > PACKET_SCRATCH_BYTES) {
      return this.#refuse("malformed");
    }
    const ssrc = rtcpSsrc(packet);
    const flagAndIndex = readUint32(packet, end);
    const index = flagAndIndex & INDEX_MAX;
    if (this.#streams.find(ssrc)?.window.isNew(index) === false) return this.#refuse("replay");
    packetScratch.load(packet, length);
    if (!this.#isAuthentic(end + INDEX_BYTES)) return this.#refuse("auth");
    const stream = this.#streams.admit(ssrc);
    if (stream === null) return this.#refuse("ssrc-limit");
    stream.window.accept(index);
    if ((flagAndIndex & ENCRYPTED_FLAG) !== 0) this.#applyKeystream(ssrc, end, index);
    packetScratch.store(packet, end);
    return end;
  }

  #isAuthentic(signed: number): boolean {
    const { bytes } = packetScratch;
    for (let i = 0; i < this.#mki.length; i++) if (bytes[signed + i] !== this.#mki[i]) return false;
    return this.#cipher.isTag(signed, bytes, signed + this.#mki.length);
  }

  #applyKeystream(ssrc: number, end: number, index: number): void {
    const high = index >>> 16;
    const low = index & 0xffff;
    this.#cipher.keystream.apply(packetScratch, CLEAR_BYTES, end, ssrc, high, low, null);
  }

  #refuse(refusal: Refusal): 0 {
    this.refusal = refusal;
    return 0;
  }
}
