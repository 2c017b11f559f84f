/**
 * SRTCP (RFC 3711 §3.4) with one key in one direction; part of an SrtpContext, which hands the
 * calls on. The index is sent in the packet, so nothing is estimated. Owns the sending index and
 * the windows by SSRC; what stands where is the cipher's.
 */
import { isRtcp, readUint32, rtcpSsrc } from "./packet.ts";
import { PACKET_SCRATCH_BYTES, packetScratch } from "./packet-scratch.ts";
import type { Refusal } from "./refusal.ts";
import { ENCRYPTED_FLAG, INDEX_MASK } from "./srtcp-format.ts";
import type { RtcpCipher } from "./srtp-cipher.ts";
import { SsrcTable } from "./ssrc-table.ts";

export class SrtcpContext {
  refusal: Refusal | null = null;
  /** Of the packet that unprotect() accepted last. */
  receivedIndex = -1;
  readonly #cipher: RtcpCipher;
  readonly #streams: SsrcTable;
  /** One count for all SSRCs: it grows for each of them, and no (SSRC, index) comes twice. */
  nextIndex = 0;

  constructor(cipher: RtcpCipher, maxSsrcs: number) {
    this.#cipher = cipher;
    this.#streams = new SsrcTable(maxSsrcs);
  }

  get overheadBytes(): number {
    return this.#cipher.overheadBytes;
  }

  protect(packet: Uint8Array, length: number): number {
    this.refusal = null;
    const newLength = length + this.overheadBytes;
    if (!isRtcp(packet, length) || newLength > packet.length || newLength > PACKET_SCRATCH_BYTES) {
      return this.#refuse("malformed");
    }
    if (this.nextIndex > INDEX_MASK) return this.#refuse("key-exhausted");
    const index = this.nextIndex++;
    packetScratch.load(packet, length);
    this.#cipher.protect(length, rtcpSsrc(packet), ENCRYPTED_FLAG | index);
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
    const flagAndIndex = readUint32(packet, this.#cipher.indexAt(end));
    const index = flagAndIndex & INDEX_MASK;
    if (this.#streams.find(ssrc)?.window.isNew(index) === false) return this.#refuse("replay");
    packetScratch.load(packet, length);
    if (!this.#cipher.isAuthentic(end, ssrc, flagAndIndex)) return this.#refuse("auth");
    const stream = this.#streams.admit(ssrc);
    if (stream === null) return this.#refuse("ssrc-limit");
    stream.window.accept(index);
    this.receivedIndex = index;
    this.#cipher.decrypt(end, ssrc, flagAndIndex);
    packetScratch.store(packet, end);
    return end;
  }

  #refuse(refusal: Refusal): 0 {
    this.refusal = refusal;
    return 0;
  }
}
