/**
 * SRTP (RFC 3711) with one key in one direction. Owns what is known of each SSRC: index (ROC and
 * sequence number) and replay window, changed only by packets that were authenticated. Nothing is
 * kept per packet.
 *
 *   header | payload (encrypted) | MKI | tag          tag = HMAC(header | encrypted payload | ROC)
 */
import type { CryptoSuite } from "./crypto-suite.ts";
import { rtpHeaderBytes, sequenceNumber, ssrc as ssrcOf, writeUint32 } from "./packet.ts";
import { PACKET_SCRATCH_BYTES, packetScratch } from "./packet-scratch.ts";
import type { Refusal } from "./refusal.ts";
import { SrtcpContext } from "./srtcp-context.ts";
import { CounterModeCipher } from "./srtp-cipher-cm.ts";
import { estimateRoc, type SsrcState, SsrcTable } from "./ssrc-table.ts";

export type SrtpContextOptions = {
  readonly suite: CryptoSuite;
  /** Master key followed by master salt; see masterKeyBytes(). Wrong length: RangeError. */
  readonly key: Uint8Array;
  /** The MKI as it stands in every packet; left out = none. */
  readonly mkiBytes?: Uint8Array;
  /** SSRCs that get their keystream ahead; default 16. */
  readonly maxSsrcs?: number;
};

const DEFAULT_MAX_SSRCS = 16;
const ROC_BYTES = 4;
const ROC_MAX = 0xffff_ffff;
const INDEX_MAX = 2 ** 48 - 1;
/** Packets after expectRestart() within which an SSRC may start again: about 5 s of audio. */
const RESTART_PACKETS = 256;
/**
 * Failures in a row that get a second look; after them only one in this many, so that a flood stays
 * cheap.
 */
const RECOVERY_FAILURES = 8;

const NO_MKI = new Uint8Array(0);
// What stood where the ROC goes: MKI (at most 128 bytes) and tag. Every thread has its own.
const trailer = new Uint8Array(128 + 16);

export class SrtpContext {
  /** Set by every call that gave 0. */
  refusal: Refusal | null = null;
  /** Packets that were accepted with another ROC than the estimated one. */
  recovered = 0;
  readonly #options: SrtpContextOptions;
  readonly #mki: Uint8Array;
  readonly #cipher: CounterModeCipher;
  readonly #streams: SsrcTable;
  #srtcp: SrtcpContext | null = null;
  #failuresInARow = 0;

  constructor(options: SrtpContextOptions) {
    this.#options = options;
    this.#mki = options.mkiBytes ?? NO_MKI;
    this.#cipher = new CounterModeCipher(options.suite, options.key, "srtp");
    this.#streams = new SsrcTable(options.maxSsrcs ?? DEFAULT_MAX_SSRCS);
  }

  /** SSRCs known; an unauthenticated packet never adds one. */
  get ssrcCount(): number {
    return this.#streams.size;
  }

  /**
   * How many bytes protect() adds at most; the packet array needs that much room behind `length`.
   */
  get overheadBytes(): number {
    return this.#mki.length + this.#cipher.tagBytes;
  }

  /** The same for protectRtcp(). */
  get rtcpOverheadBytes(): number {
    return this.#rtcp.overheadBytes;
  }

  /**
   * Encrypts and signs the first `length` bytes in place; the array has room for `overheadBytes`
   * more. Gives the new length, 0 = refused. A sequence number that was sent before is refused
   * ("replay"): the same keystream must never cover two packets. A source that starts its sequence
   * numbers again under the same SSRC goes on with the next ones, since the receiver would take the
   * old ones for replays.
   */
  protect(packet: Uint8Array, length: number): number {
    this.refusal = null;
    const newLength = length + this.overheadBytes;
    const header = rtpHeaderBytes(packet, length);
    if (header === 0 || newLength > packet.length || newLength > PACKET_SCRATCH_BYTES - ROC_BYTES) {
      return this.#refuse("malformed");
    }
    const stream = this.#streams.admit(ssrcOf(packet));
    if (stream === null) return this.#refuse("ssrc-limit");
    const index = nextIndex(stream, sequenceNumber(packet));
    if (index < 0) return this.#refuse("replay");
    if (index > INDEX_MAX) return this.#refuse("key-exhausted");
    stream.window.accept(index);
    const roc = Math.floor(index / 65_536);
    const sequence = index & 0xffff;
    packetScratch.load(packet, length);
    packetScratch.bytes[2] = sequence >>> 8;
    packetScratch.bytes[3] = sequence;
    this.#applyKeystream(stream, header, length, roc, sequence);
    writeUint32(packetScratch.bytes, length, roc);
    this.#cipher.writeTag(length + ROC_BYTES, length + this.#mki.length);
    if (this.#mki.length > 0) packetScratch.bytes.set(this.#mki, length);
    packetScratch.store(packet, newLength);
    return newLength;
  }

  /**
   * Checks and decrypts the first `length` bytes in place. Gives the new length, 0 = refused; a
   * refused packet is left as it came, so that another context may try it.
   */
  unprotect(packet: Uint8Array, length: number): number {
    this.refusal = null;
    const end = length - this.overheadBytes;
    const header = rtpHeaderBytes(packet, end);
    if (header === 0 || length > packet.length || length > PACKET_SCRATCH_BYTES - ROC_BYTES) {
      return this.#refuse("malformed");
    }
    const ssrc = ssrcOf(packet);
    const sequence = sequenceNumber(packet);
    const known = this.#streams.find(ssrc);
    const estimated = estimateRoc(known === null ? -1 : known.window.highest, sequence);
    packetScratch.load(packet, length);
    const roc = this.#authenticate(known, estimated, sequence, end);
    if (roc < 0) {
      return this.#refuse(isAcceptable(known, estimated, sequence) ? "auth" : "replay");
    }
    const stream = this.#streams.admit(ssrc);
    if (stream === null) {
      this.#restoreTrailer(end);
      return this.#refuse("ssrc-limit");
    }
    acceptIndex(stream, roc * 65_536 + sequence);
    this.#applyKeystream(stream, header, end, roc, sequence);
    packetScratch.store(packet, end);
    return end;
  }

  /** As protect(), for RTCP: `rtcpOverheadBytes` are added (RFC 3711 §3.4). */
  protectRtcp(packet: Uint8Array, length: number): number {
    const newLength = this.#rtcp.protect(packet, length);
    this.refusal = this.#rtcp.refusal;
    return newLength;
  }

  /** As unprotect(), for RTCP. */
  unprotectRtcp(packet: Uint8Array, length: number): number {
    const newLength = this.#rtcp.unprotect(packet, length);
    this.refusal = this.#rtcp.refusal;
    return newLength;
  }

  /**
   * The peer may start its sequence numbers or its ROC again under the same key and SSRC, as some
   * phones do after hold. Call it when a new SDP of the peer keeps the key; within the next 256
   * packets one restart of each SSRC is accepted. At other times an old index is a replay, however
   * well it is signed.
   */
  expectRestart(): void {
    this.#streams.expectRestart(RESTART_PACKETS);
  }

  get #rtcp(): SrtcpContext {
    this.#srtcp ??= new SrtcpContext(
      new CounterModeCipher(this.#options.suite, this.#options.key, "srtcp"),
      this.#mki,
      this.#options.maxSsrcs ?? DEFAULT_MAX_SSRCS,
    );
    return this.#srtcp;
  }

  #applyKeystream(s: SsrcState, start: number, end: number, roc: number, sequence: number): void {
    this.#cipher.keystream.apply(packetScratch, start, end, s.ssrc, roc, sequence, s.ahead);
  }

  /**
   * The ROC under which the packet in the scratch is authentic, -1 = none (the scratch is then as
   * before).
   */
  #authenticate(known: SsrcState | null, estimated: number, sequence: number, end: number): number {
    const { bytes } = packetScratch;
    const overhead = this.overheadBytes;
    for (let i = 0; i < overhead; i++) trailer[i] = bytes[end + i]!;
    const roc = this.#findRoc(known, estimated, sequence, end);
    if (roc < 0) this.#restoreTrailer(end);
    return roc;
  }

  #restoreTrailer(end: number): void {
    const overhead = this.overheadBytes;
    for (let i = 0; i < overhead; i++) packetScratch.bytes[end + i] = trailer[i]!;
  }

  #findRoc(known: SsrcState | null, estimated: number, sequence: number, end: number): number {
    for (let i = 0; i < this.#mki.length; i++) if (trailer[i] !== this.#mki[i]) return -1;
    if (isAcceptable(known, estimated, sequence) && this.#isAuthentic(estimated, end)) {
      this.#failuresInARow = 0;
      return estimated;
    }
    this.#failuresInARow++;
    if (this.#failuresInARow > RECOVERY_FAILURES && this.#failuresInARow % RECOVERY_FAILURES > 0) {
      return -1;
    }
    const roc = this.#recoverRoc(known, estimated, sequence, end);
    if (roc >= 0) {
      this.#failuresInARow = 0;
      this.recovered++;
    }
    return roc;
  }

  /** Tries ROC + 1, ROC, ROC - 1 and 0, as far as the index would be no replay. */
  #recoverRoc(known: SsrcState | null, estimated: number, sequence: number, end: number): number {
    const current = known === null ? 0 : Math.max(0, Math.floor(known.window.highest / 65_536));
    for (let step = 0; step < 4; step++) {
      const roc = step === 3 ? 0 : current + 1 - step;
      if (roc < 0 || roc > ROC_MAX || roc === estimated || (step === 3 && current <= 1)) continue;
      if (isAcceptable(known, roc, sequence) && this.#isAuthentic(roc, end)) return roc;
    }
    return -1;
  }

  #isAuthentic(roc: number, end: number): boolean {
    writeUint32(packetScratch.bytes, end, roc);
    return this.#cipher.isTag(end + ROC_BYTES, trailer, this.#mki.length);
  }

  #refuse(refusal: Refusal): 0 {
    this.refusal = refusal;
    return 0;
  }
}

/**
 * The index this packet is sent with, -1 = it was sent before. Two packets in a row far behind the
 * others mean that the source started again (RFC 3550 §A.1); one alone is only late.
 */
function nextIndex(stream: SsrcState, sourceSequence: number): number {
  const { window } = stream;
  const sequence = (sourceSequence + stream.sequenceOffset) & 0xffff;
  const index = estimateRoc(window.highest, sequence) * 65_536 + sequence;
  if (window.isNew(index)) return index;
  if (!window.isTooOld(index)) return -1;
  if (sequence !== stream.restartSequence) {
    stream.restartSequence = (sequence + 1) & 0xffff;
    return -1;
  }
  const next = window.highest + 1;
  stream.sequenceOffset = (next - sourceSequence) & 0xffff;
  stream.restartSequence = -1;
  return next;
}

/** No replay; an index that is too old counts only while a restart is expected. */
function isAcceptable(known: SsrcState | null, roc: number, sequence: number): boolean {
  if (roc > ROC_MAX) return false;
  if (known === null) return true;
  const index = roc * 65_536 + sequence;
  if (known.window.isNew(index)) return true;
  return known.restartPackets > 0 && known.window.isTooOld(index);
}

function acceptIndex(stream: SsrcState, index: number): void {
  if (stream.restartPackets > 0) {
    const isRestart = !stream.window.isNew(index);
    stream.restartPackets = isRestart ? 0 : stream.restartPackets - 1;
    if (isRestart) stream.window.restart(index);
  }
  stream.window.accept(index);
}
