/**
 * SRTP (RFC 3711) with one key in one direction. Owns what is known of each SSRC: index (ROC and
 * sequence number) and replay window, changed only by packets that were authenticated. Nothing is
 * kept per packet.
 */
import type { CryptoSuite } from "./crypto-suite.ts";
import { rtpHeaderBytes, sequenceNumber, ssrc as ssrcOf } from "./packet.ts";
import { PACKET_SCRATCH_BYTES, packetScratch } from "./packet-scratch.ts";
import type { Refusal } from "./refusal.ts";
import { SrtcpContext } from "./srtcp-context.ts";
import { type CipherOptions, type RtpCipher, rtcpCipher, rtpCipher } from "./srtp-cipher.ts";
import { resumePosition, writePosition } from "./srtp-position.ts";
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
/** Room that a cipher may need behind the packet while it works (the ROC of RFC 3711 §4.2). */
const WORK_BYTES = 4;
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
// The index of the packet that is being worked on. Every thread has its own.
const index = { ssrc: 0, roc: 0, sequence: 0 };

export class SrtpContext {
  /** Set by every call that gave 0. */
  refusal: Refusal | null = null;
  /** Packets that were accepted with another ROC than the estimated one. */
  recovered = 0;
  readonly #cipherOptions: CipherOptions;
  readonly #maxSsrcs: number;
  readonly #cipher: RtpCipher;
  readonly #streams: SsrcTable;
  #srtcp: SrtcpContext | null = null;
  #failuresInARow = 0;

  constructor(options: SrtpContextOptions) {
    const { suite, key: masterKey, mkiBytes: mki = NO_MKI } = options;
    this.#cipherOptions = { suite, masterKey, mki };
    this.#maxSsrcs = options.maxSsrcs ?? DEFAULT_MAX_SSRCS;
    this.#cipher = rtpCipher(this.#cipherOptions);
    this.#streams = new SsrcTable(this.#maxSsrcs);
  }

  /** SSRCs known; an unauthenticated packet never adds one. */
  get ssrcCount(): number {
    return this.#streams.size;
  }

  /**
   * How many bytes protect() adds at most; the packet array needs that much room behind `length`.
   */
  get overheadBytes(): number {
    return this.#cipher.overheadBytes;
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
    if (
      header === 0 ||
      newLength > packet.length ||
      newLength > PACKET_SCRATCH_BYTES - WORK_BYTES
    ) {
      return this.#refuse("malformed");
    }
    const stream = this.#streams.admit(ssrcOf(packet));
    if (stream === null) return this.#refuse("ssrc-limit");
    const packetIndex = nextIndex(stream, sequenceNumber(packet));
    if (packetIndex < 0) return this.#refuse("replay");
    if (packetIndex > INDEX_MAX) return this.#refuse("key-exhausted");
    stream.window.accept(packetIndex);
    setIndex(stream.ssrc, Math.floor(packetIndex / 65_536), packetIndex & 0xffff);
    packetScratch.load(packet, length);
    packetScratch.bytes[2] = index.sequence >>> 8;
    packetScratch.bytes[3] = index.sequence;
    this.#cipher.protect(header, length, index, stream.ahead);
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
    if (header === 0 || length > packet.length || length > PACKET_SCRATCH_BYTES - WORK_BYTES) {
      return this.#refuse("malformed");
    }
    const ssrc = ssrcOf(packet);
    const sequence = sequenceNumber(packet);
    const known = this.#streams.find(ssrc);
    const estimated = estimateRoc(known === null ? -1 : known.window.highest, sequence);
    packetScratch.load(packet, length);
    setIndex(ssrc, estimated, sequence);
    if (!this.#findRoc(known, header, end)) {
      return this.#refuse(isAcceptable(known, estimated, sequence) ? "auth" : "replay");
    }
    const stream = this.#streams.admit(ssrc);
    if (stream === null) return this.#refuse("ssrc-limit");
    acceptIndex(stream, index.roc * 65_536 + sequence);
    this.#cipher.decrypt(header, end, index, stream.ahead);
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

  /** Tells how far this context has come, in POSITION_CELLS cells from `at` (srtp-position.ts). */
  writePosition(cells: Float64Array, at: number): void {
    writePosition(cells, at, this.#streams, this.#srtcp === null ? 0 : this.#srtcp.nextIndex);
  }

  /** Before the first packet: nothing up to this position is taken or sent again. */
  resume(position: Float64Array): void {
    this.#rtcp.nextIndex = resumePosition(position, this.#streams);
  }

  /** Index of the packet that unprotectRtcp() accepted last (RFC 3711 §3.4). */
  get receivedRtcpIndex(): number {
    return this.#rtcp.receivedIndex;
  }

  get #rtcp(): SrtcpContext {
    this.#srtcp ??= new SrtcpContext(rtcpCipher(this.#cipherOptions), this.#maxSsrcs);
    return this.#srtcp;
  }

  /** Whether the packet in the scratch is authentic; `index` then has the ROC that made it so. */
  #findRoc(known: SsrcState | null, header: number, end: number): boolean {
    if (this.#isAuthentic(known, header, end)) {
      this.#failuresInARow = 0;
      return true;
    }
    this.#failuresInARow++;
    if (this.#failuresInARow > RECOVERY_FAILURES && this.#failuresInARow % RECOVERY_FAILURES > 0) {
      return false;
    }
    if (!this.#recoverRoc(known, header, end)) return false;
    this.#failuresInARow = 0;
    this.recovered++;
    return true;
  }

  /** Tries ROC + 1, ROC, ROC - 1 and 0, as far as the index would be no replay. */
  #recoverRoc(known: SsrcState | null, header: number, end: number): boolean {
    const estimated = index.roc;
    const current = known === null ? 0 : Math.max(0, Math.floor(known.window.highest / 65_536));
    for (let step = 0; step < 4; step++) {
      const roc = step === 3 ? 0 : current + 1 - step;
      if (roc < 0 || roc === estimated || (step === 3 && current <= 1)) continue;
      index.roc = roc;
      if (this.#isAuthentic(known, header, end)) return true;
    }
    return false;
  }

  #isAuthentic(known: SsrcState | null, header: number, end: number): boolean {
    if (!isAcceptable(known, index.roc, index.sequence)) return false;
    return this.#cipher.isAuthentic(header, end, index);
  }

  #refuse(refusal: Refusal): 0 {
    this.refusal = refusal;
    return 0;
  }
}

function setIndex(ssrc: number, roc: number, sequence: number): void {
  index.ssrc = ssrc;
  index.roc = roc;
  index.sequence = sequence;
}

/**
 * The index this packet is sent with, -1 = it was sent before. Two packets in a row far behind the
 * others mean that the source started again (RFC 3550 §A.1); one alone is only late.
 */
function nextIndex(stream: SsrcState, sourceSequence: number): number {
  const { window } = stream;
  const sequence = (sourceSequence + stream.sequenceOffset) & 0xffff;
  const estimated = estimateRoc(window.highest, sequence) * 65_536 + sequence;
  if (window.isNew(estimated)) return estimated;
  if (!window.isTooOld(estimated)) return -1;
  if (sequence !== stream.restartSequence) {
    stream.restartSequence = (sequence + 1) & 0xffff;
    return -1;
  }
  const next = window.highest + 1 + stream.skipped;
  stream.skipped = 0;
  stream.sequenceOffset = (next - sourceSequence) & 0xffff;
  stream.restartSequence = -1;
  return next;
}

/** No replay; an index that is too old counts only while a restart is expected. */
function isAcceptable(known: SsrcState | null, roc: number, sequence: number): boolean {
  if (roc > ROC_MAX) return false;
  if (known === null) return true;
  const candidate = roc * 65_536 + sequence;
  if (known.window.isNew(candidate)) return true;
  return known.restartPackets > 0 && known.window.isTooOld(candidate);
}

function acceptIndex(stream: SsrcState, packetIndex: number): void {
  if (stream.restartPackets > 0) {
    const isRestart = !stream.window.isNew(packetIndex);
    stream.restartPackets = isRestart ? 0 : stream.restartPackets - 1;
    if (isRestart) stream.window.restart(packetIndex);
  }
  stream.window.accept(packetIndex);
}
