/**
 * Views on the reports of one RTCP compound packet (RFC 3550 §6.4): nothing is copied and nothing allocated.
 * SDES, BYE, APP and feedback are stepped over. Ask isRtcpCompound() first: the others trust its lengths.
 *
 *   V=2|P|RC  PT  length(16)   SSRC   [NTP(64)  RTP time(32)  packets(32)  octets(32)]   report block(192) * RC
 */
import { readUint32 } from "./packet.ts";

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const HEADER_BYTES = 4;
const SENDER_INFO_BYTES = 20;
const BLOCK_BYTES = 24;

/**
 * Every packet of it is whole, of version 2, and they end where the datagram ends (RFC 3550 §A.2); padding stands
 * in the last one only. What it begins with is not asked: RFC 5506 lets feedback come alone.
 */
export function isRtcpCompound(packet: Uint8Array, length: number): boolean {
  let at = 0;
  while (at + HEADER_BYTES <= length) {
    const end = rtcpEnd(packet, at);
    const isPadded = (packet[at]! & 0x20) !== 0;
    if (packet[at]! >> 6 !== 2 || end > length || (isPadded && end !== length)) return false;
    if (isReport(packet, at) && firstBlock(packet, at) + blockBytes(packet, at) > end) return false;
    at = end;
  }
  return at === length && length > 0;
}

/** Where the packet at `at` ends and the next one begins. */
export function rtcpEnd(packet: Uint8Array, at: number): number {
  return at + HEADER_BYTES + 4 * ((packet[at + 2]! << 8) | packet[at + 3]!);
}

export function isSenderReport(packet: Uint8Array, at: number): boolean {
  return packet[at + 1] === SENDER_REPORT;
}

/** Middle 32 bits of the NTP time of the sender report at `at`, in 1/65536 s: what its receivers repeat. */
export function ntpMiddle(packet: Uint8Array, at: number): number {
  return readUint32(packet, at + 10);
}

/** How many blocks the packet at `at` has; 0 when it is no report. */
export function blockCount(packet: Uint8Array, at: number): number {
  return isReport(packet, at) ? packet[at]! & 31 : 0;
}

/** Where the n-th block (from 0) of the report at `at` begins. */
export function blockAt(packet: Uint8Array, at: number, n: number): number {
  return firstBlock(packet, at) + BLOCK_BYTES * n;
}

/** Whom a block is about. */
export function blockSsrc(packet: Uint8Array, block: number): number {
  return readUint32(packet, block);
}

/** Packets lost so far; less than none when duplicates outnumber them. */
export function cumulativeLost(packet: Uint8Array, block: number): number {
  return (readUint32(packet, block + 4) << 8) >> 8;
}

/** Interarrival jitter in units of the RTP clock. */
export function reportedJitter(packet: Uint8Array, block: number): number {
  return readUint32(packet, block + 12);
}

/** ntpMiddle() of the last sender report that came to whoever writes the block; 0 = none came. */
export function lastSenderReport(packet: Uint8Array, block: number): number {
  return readUint32(packet, block + 16);
}

/** How long ago that was, in ms. */
export function sinceSenderReportMs(packet: Uint8Array, block: number): number {
  return (readUint32(packet, block + 20) * 1000) / 65_536;
}

function isReport(packet: Uint8Array, at: number): boolean {
  const type = packet[at + 1];
  return type === SENDER_REPORT || type === RECEIVER_REPORT;
}

function firstBlock(packet: Uint8Array, at: number): number {
  return at + 8 + (isSenderReport(packet, at) ? SENDER_INFO_BYTES : 0);
}

function blockBytes(packet: Uint8Array, at: number): number {
  return BLOCK_BYTES * (packet[at]! & 31);
}
