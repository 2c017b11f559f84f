/**
 * The path of a packet, the same for every engine: (leg, bytes, address, port) in, a length and
 * where to send it out. Awaits nothing, throws nothing, keeps nothing: a drop is a counter with a
 * reason. Order of the checks: source, header, ceiling, replay, authentication, decryption, latch.
 * Each leg has RTCP at its own port or at that of RTP (RFC 5761), whatever the other does.
 */
import {
  isRtcp,
  isRtp,
  payloadType,
  rtcpSsrc,
  rtpHeaderBytes,
  sequenceNumber,
  ssrc,
} from "../rtp/packet.ts";
import { packetScratch } from "../rtp/packet-scratch.ts";
import { DROP, DROP_REASONS } from "./counters.ts";
import type { LegSettings } from "./engine.ts";
import type { Latch } from "./latch.ts";
import { type Channel, configureLeg, type RelayLeg } from "./relay-leg.ts";

/** More than an Ethernet frame carries was put together from fragments: no phone sends that. */
export const PACKET_BYTES_MAX = 1500;
/** UDPTL (T.38 §9.1): sequence number, length of the primary packet, and something in it. */
const UDPTL_BYTES_MIN = 4;
/** Unknown sources cost an HMAC each on an SRTP leg, so they share a tenth of the ceiling. */
const STRANGERS_PART = 10;
const EMPTY = new Uint8Array(0);

/** Words of SrtpContext.refusal. */
const DROP_OF_REFUSAL: Readonly<Record<string, number>> = {
  replay: DROP.replay,
  auth: DROP.auth,
  malformed: DROP.malformed,
  "ssrc-limit": DROP["ssrc-limit"],
};

export type RelayOptions = {
  /** Packets a second of one leg and channel; what is above is dropped. */
  readonly packetsPerSecond: number;
  readonly maxSsrcs: number;
};

export class Relay {
  /**
   * The packet to send after receiveRtp() or receiveRtcp() gave its length. Valid until the next
   * call.
   */
  output: Uint8Array = EMPTY;
  /** It leaves from the peer's RTCP port, to leg.peer.rtcp.latch's target; else from the RTP port. */
  isForRtcpPort = false;
  /** When the packet came that is given next, on a clock that is never set; finer than tick(). */
  arrivalMs = 0;
  /** Drops of all streams, by DROP. */
  readonly drops = new Float64Array(DROP_REASONS.length);
  #nowMs = 0;
  #window = 0;
  /** The last packet was under the key before: it says nothing of where its sender is now. */
  #isLate = false;

  constructor(readonly options: RelayOptions) {}

  /**
   * Time of the packet path: the engine calls this about ten times a second, and before
   * configure().
   */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#window = Math.floor(nowMs / 1000);
  }

  configure(leg: RelayLeg, settings: LegSettings): void {
    configureLeg(leg, settings, { nowMs: this.#nowMs, maxSsrcs: this.options.maxSsrcs });
  }

  /**
   * A datagram on the RTP port of `leg`. Length of `output`; 0 = nothing.
   */
  receiveRtp(
    leg: RelayLeg,
    packet: Uint8Array,
    length: number,
    address: string,
    port: number,
  ): number {
    const { rtp } = leg;
    const { latch } = rtp;
    if (leg.settings === null) return this.drop(leg, DROP["not-open"]);
    if (length > PACKET_BYTES_MAX) return this.drop(leg, DROP.oversize);
    if (leg.isUdptl) return this.#receiveUdptl(leg, packet, length, address, port);
    if (!isRtp(packet, length)) return this.#receiveOther(leg, packet, length, address, port);
    if (rtpHeaderBytes(packet, length) === 0) return this.drop(leg, DROP.malformed);
    const isSource = port === latch.sourcePort && address === latch.sourceAddress;
    const refused = this.#checkSource(leg, rtp, isSource, address, port);
    if (refused >= 0) return this.drop(leg, refused);
    if (leg.inbound === null) return this.#pass(leg, packet, length);
    packetScratch.load(packet, length);
    const clearLength = this.#unprotect(leg, length);
    if (clearLength === 0) return this.#noteRefused(leg, isSource, address);
    if (this.#isLate) return this.#pass(leg, packetScratch.bytes, clearLength);
    this.#learnAuthentic(latch, isSource, this.#isNewest(leg), address, port);
    return this.#pass(leg, packetScratch.bytes, clearLength);
  }

  /** The same for the RTCP port. */
  receiveRtcp(
    leg: RelayLeg,
    packet: Uint8Array,
    length: number,
    address: string,
    port: number,
  ): number {
    if (leg.settings === null || leg.isUdptl) return this.drop(leg, DROP["not-open"]);
    if (length > PACKET_BYTES_MAX) return this.drop(leg, DROP.oversize);
    if (!isRtcp(packet, length)) return this.drop(leg, DROP["not-rtp"]);
    return this.#receiveReport(leg, leg.rtcp, packet, length, address, port);
  }

  /** Not RTP, on the port of RTP: RTCP where both share it, told apart by its type (RFC 5761 §4). */
  #receiveOther(
    leg: RelayLeg,
    packet: Uint8Array,
    length: number,
    address: string,
    port: number,
  ): number {
    if (!leg.isMux || !isRtcp(packet, length)) return this.drop(leg, DROP["not-rtp"]);
    return this.#receiveReport(leg, leg.rtp, packet, length, address, port);
  }

  /** RTCP, at the port that `channel` stands for. */
  #receiveReport(
    leg: RelayLeg,
    channel: Channel,
    packet: Uint8Array,
    length: number,
    address: string,
    port: number,
  ): number {
    const { latch } = channel;
    const isSource = port === latch.sourcePort && address === latch.sourceAddress;
    const refused = this.#checkSource(leg, channel, isSource, address, port);
    if (refused >= 0) return this.drop(leg, refused);
    if (leg.inbound === null) return this.#passRtcp(leg, packet, length);
    packetScratch.load(packet, length);
    const clearLength = this.#unprotectRtcp(leg, length);
    if (clearLength === 0) return this.#noteRefused(leg, isSource, address);
    if (this.#isLate) return this.#passRtcp(leg, packetScratch.bytes, clearLength);
    const index = leg.inbound.context.receivedRtcpIndex;
    const isNewest = index > leg.newestRtcpIndex;
    if (isNewest) leg.newestRtcpIndex = index;
    this.#learnAuthentic(latch, isSource, isNewest, address, port);
    return this.#passRtcp(leg, packetScratch.bytes, clearLength);
  }

  /** T.38 has no header to check and no key: source, size and ceiling are all there is. */
  #receiveUdptl(
    leg: RelayLeg,
    packet: Uint8Array,
    length: number,
    address: string,
    port: number,
  ): number {
    if (length < UDPTL_BYTES_MIN) return this.drop(leg, DROP.malformed);
    const { latch } = leg.rtp;
    const isSource = port === latch.sourcePort && address === latch.sourceAddress;
    const refused = this.#checkSource(leg, leg.rtp, isSource, address, port);
    if (refused >= 0) return this.drop(leg, refused);
    if (isLeftOver(leg, packet, length)) return this.drop(leg, DROP["not-open"]);
    leg.counters.packets++;
    leg.counters.octets += length;
    leg.counters.lastSeenMs = this.#nowMs;
    const { peer } = leg;
    if (!peer.isUdptl) return this.drop(peer, DROP["not-open"]);
    if (peer.rtp.latch.targetPort === 0) return this.#dropUnsendable(peer);
    this.isForRtcpPort = false;
    return this.#emit(packet, length);
  }

  /** Counts and gives 0. */
  drop(leg: RelayLeg, reason: number): 0 {
    leg.counters.drops[reason]!++;
    this.drops[reason]!++;
    return 0;
  }

  /** -1 = go on. Plain RTP learns here, SRTP only after authentication. */
  #checkSource(
    leg: RelayLeg,
    channel: Channel,
    isSource: boolean,
    address: string,
    port: number,
  ): number {
    const { latch } = channel;
    const isPlain = leg.inbound === null;
    if (!isSource && !leg.isAllowed(address)) return foreign(leg, "foreign-source");
    if (isPlain && !(isSource && latch.isFinal) && !latch.accept(address, port, this.#nowMs)) {
      return foreign(leg, "foreign-source");
    }
    if (channel.window !== this.#window) {
      channel.window = this.#window;
      channel.inWindow = 0;
      channel.strangersInWindow = 0;
    }
    const { packetsPerSecond } = this.options;
    if (isSource || isPlain || isNamed(leg, address)) {
      return ++channel.inWindow > packetsPerSecond ? DROP.excess : -1;
    }
    const isExcess = ++channel.strangersInWindow > packetsPerSecond / STRANGERS_PART;
    return isExcess ? foreign(leg, "excess") : -1;
  }

  /** Counted as dropped already; gives 0. */
  #noteRefused(leg: RelayLeg, isSource: boolean, address: string): 0 {
    if (isSource || isNamed(leg, address)) return 0;
    leg.counters.foreign++;
    leg.counters.foreignRefused++;
    return 0;
  }

  /**
   * Works on the packet scratch; a refused packet stays as it came, so that the key before can be
   * tried.
   */
  #unprotect(leg: RelayLeg, length: number): number {
    const { context } = leg.inbound!;
    this.#isLate = false;
    const clearLength = context.unprotect(packetScratch.bytes, length);
    if (clearLength > 0) return clearLength;
    if (leg.previousInbound !== null && this.#nowMs < leg.previousUntilMs) {
      const older = leg.previousInbound.context.unprotect(packetScratch.bytes, length);
      this.#isLate = older > 0;
      if (older > 0) return older;
    }
    return this.drop(leg, DROP_OF_REFUSAL[context.refusal ?? "auth"] ?? DROP.auth);
  }

  #unprotectRtcp(leg: RelayLeg, length: number): number {
    const { context } = leg.inbound!;
    this.#isLate = false;
    const clearLength = context.unprotectRtcp(packetScratch.bytes, length);
    if (clearLength > 0) return clearLength;
    if (leg.previousInbound !== null && this.#nowMs < leg.previousUntilMs) {
      const older = leg.previousInbound.context.unprotectRtcp(packetScratch.bytes, length);
      this.#isLate = older > 0;
      if (older > 0) return older;
    }
    return this.drop(leg, DROP_OF_REFUSAL[context.refusal ?? "auth"] ?? DROP.auth);
  }

  #learnAuthentic(
    latch: Latch,
    isSource: boolean,
    isNewest: boolean,
    address: string,
    port: number,
  ): void {
    if (isSource) latch.confirmAuthentic(this.#nowMs);
    else if (isNewest) latch.move(address, port);
  }

  /** Another SSRC, or a sequence number ahead of the last one; the packet is in the scratch. */
  #isNewest(leg: RelayLeg): boolean {
    const source = ssrc(packetScratch.bytes);
    const sequence = sequenceNumber(packetScratch.bytes);
    const ahead = (sequence - leg.newestSequence) & 0xffff;
    if (source === leg.newestSsrc && (ahead === 0 || ahead > 0x7fff)) return false;
    leg.newestSsrc = source;
    leg.newestSequence = sequence;
    return true;
  }

  #pass(leg: RelayLeg, packet: Uint8Array, length: number): number {
    leg.counters.packets++;
    leg.counters.octets += length;
    leg.counters.lastSeenMs = this.#nowMs;
    if (payloadType(packet) !== leg.packetType) leg.turnTo(payloadType(packet));
    leg.reception.note(packet, this.arrivalMs, leg.msPerTick);
    const { peer } = leg;
    if (peer.rtp.latch.targetPort === 0) return this.#dropUnsendable(peer);
    if (peer.isUdptl) return this.drop(peer, DROP["not-open"]);
    this.isForRtcpPort = false;
    if (peer.outbound === null) return this.#emit(packet, length);
    packetScratch.load(packet, length);
    const newLength = peer.outbound.context.protect(packetScratch.bytes, length);
    if (newLength === 0) return this.drop(peer, DROP.protect);
    return this.#emit(packetScratch.bytes, newLength);
  }

  #passRtcp(leg: RelayLeg, packet: Uint8Array, length: number): number {
    leg.counters.rtcpPackets++;
    const { peer } = leg;
    leg.reports.note(packet, length, this.arrivalMs, peer);
    const { latch } = peer.isMux ? peer.rtp : peer.rtcp;
    if (latch.targetPort === 0) return this.#dropUnsendable(peer);
    if (peer.isUdptl) return this.drop(peer, DROP["not-open"]);
    this.isForRtcpPort = !peer.isMux;
    if (peer.outbound === null) return this.#emit(packet, length);
    packetScratch.load(packet, length);
    const newLength = peer.outbound.context.protectRtcp(packetScratch.bytes, length);
    if (newLength === 0) return this.drop(peer, DROP.protect);
    return this.#emit(packetScratch.bytes, newLength);
  }

  #dropUnsendable(peer: RelayLeg): 0 {
    if (peer.settings === null) return this.drop(peer, DROP["not-open"]);
    return this.drop(peer, DROP[peer.settings.isHeld ? "held" : "waiting-for-latch"]);
  }

  #emit(packet: Uint8Array, length: number): number {
    if (packet === packetScratch.bytes) this.output = packetScratch.prefix(length);
    else this.output = packet.length === length ? packet : packet.subarray(0, length);
    return length;
  }
}

/** Audio that was on its way when the fax began: it would leave in the clear where SRTP was promised. */
function isLeftOver(leg: RelayLeg, packet: Uint8Array, length: number): boolean {
  const { ssrc: heard } = leg;
  if (isRtp(packet, length)) return ssrc(packet) === heard;
  return isRtcp(packet, length) && rtcpSsrc(packet) === heard;
}

function foreign(leg: RelayLeg, reason: "foreign-source" | "excess"): number {
  leg.counters.foreign++;
  return DROP[reason];
}

/**
 * By its SDP or as the source of its SIP: a flood of strangers must not use up this peer's ceiling.
 */
function isNamed(leg: RelayLeg, address: string): boolean {
  return address === leg.settings?.sipSource || address === leg.settings?.signalled?.address;
}
