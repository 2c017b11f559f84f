/**
 * RTCP sender and receiver reports (RFC 3550 §6.4), read and written as far as loss and round trip
 * need them. Other packets of a compound are stepped over. Pure; not on the relay's packet path, so
 * it may allocate.
 *
 *   V=2|P|RC  PT  length(16)  SSRC  [NTP(64)  RTP time(32)  packets(32)  octets(32)]
 *   report block(192) * RC
 */
import { readUint32, writeUint32 } from "./packet.ts";

export type SenderInfo = {
  /** NTP time: seconds since 1900 and fraction in 1/2^32 s. */
  readonly ntpSeconds: number;
  readonly ntpFraction: number;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
};

export type ReportBlock = {
  /** Whom the block is about. */
  readonly ssrc: number;
  /** Share of packets lost since the last report, in 1/256. */
  readonly fractionLost: number;
  /** Signed, -2^23..2^23-1. */
  readonly cumulativeLost: number;
  readonly highestSequenceNumber: number;
  /** In units of the RTP clock. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last SR that came in; 0 = none came. */
  readonly lastSenderReport: number;
  /** In 1/65536 s. */
  readonly delaySinceLastSenderReport: number;
};

export type RtcpReport = {
  readonly ssrc: number;
  /** Null in a receiver report. */
  readonly sender: SenderInfo | null;
  readonly blocks: readonly ReportBlock[];
};

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const SOURCE_DESCRIPTION = 202;
const CNAME = 1;
const SENDER_INFO_BYTES = 20;
const BLOCK_BYTES = 24;
const SECONDS_1900_TO_1970 = 2_208_988_800;

/** SR and RR of a (decrypted) compound packet, up to the first malformed one. */
export function readRtcpReports(packet: Uint8Array, length: number): RtcpReport[] {
  const reports: RtcpReport[] = [];
  let at = 0;
  while (at + 8 <= length && packet[at]! >> 6 === 2) {
    const end = at + 4 + 4 * ((packet[at + 2]! << 8) | packet[at + 3]!);
    if (end > length) break;
    const report = readReport(packet, at, end);
    if (report !== null) reports.push(report);
    at = end;
  }
  return reports;
}

function readReport(packet: Uint8Array, at: number, end: number): RtcpReport | null {
  const type = packet[at + 1]!;
  if (type !== SENDER_REPORT && type !== RECEIVER_REPORT) return null;
  const first = at + 8 + (type === SENDER_REPORT ? SENDER_INFO_BYTES : 0);
  const count = packet[at]! & 31;
  if (first + count * BLOCK_BYTES > end) return null;
  const blocks: ReportBlock[] = [];
  for (let i = 0; i < count; i++) blocks.push(readBlock(packet, first + i * BLOCK_BYTES));
  const sender = type === SENDER_REPORT ? readSenderInfo(packet, at + 8) : null;
  return { ssrc: readUint32(packet, at + 4), sender, blocks };
}

function readSenderInfo(packet: Uint8Array, at: number): SenderInfo {
  return {
    ntpSeconds: readUint32(packet, at),
    ntpFraction: readUint32(packet, at + 4),
    rtpTimestamp: readUint32(packet, at + 8),
    packets: readUint32(packet, at + 12),
    octets: readUint32(packet, at + 16),
  };
}

function readBlock(packet: Uint8Array, at: number): ReportBlock {
  const lost = readUint32(packet, at + 4);
  return {
    ssrc: readUint32(packet, at),
    fractionLost: lost >>> 24,
    cumulativeLost: (lost << 8) >> 8,
    highestSequenceNumber: readUint32(packet, at + 8),
    jitter: readUint32(packet, at + 12),
    lastSenderReport: readUint32(packet, at + 16),
    delaySinceLastSenderReport: readUint32(packet, at + 20),
  };
}

/**
 * One compound packet: the SR or RR and the SDES with the CNAME that RFC 3550 §6.1 wants. At most
 * 31 blocks.
 */
export function formatRtcpReport(report: RtcpReport, cname: string): Uint8Array {
  const infoBytes = report.sender === null ? 0 : SENDER_INFO_BYTES;
  const reportBytes = 8 + infoBytes + BLOCK_BYTES * report.blocks.length;
  const name = Buffer.from(cname, "latin1").subarray(0, 255);
  // SDES items end with at least one zero byte and are filled up to 32 bits.
  const descriptionBytes = 8 + 4 * Math.ceil((2 + name.length + 1) / 4);
  const packet = new Uint8Array(reportBytes + descriptionBytes);
  const type = report.sender === null ? RECEIVER_REPORT : SENDER_REPORT;
  writeHeader(packet, 0, report.blocks.length, type, reportBytes, report.ssrc);
  if (report.sender !== null) writeSenderInfo(packet, 8, report.sender);
  report.blocks.forEach((block, i) => {
    writeBlock(packet, 8 + infoBytes + i * BLOCK_BYTES, block);
  });
  writeHeader(packet, reportBytes, 1, SOURCE_DESCRIPTION, descriptionBytes, report.ssrc);
  packet.set([CNAME, name.length, ...name], reportBytes + 8);
  return packet;
}

function writeHeader(
  packet: Uint8Array,
  at: number,
  count: number,
  type: number,
  lengthBytes: number,
  ssrc: number,
): void {
  writeUint32(packet, at, (2 << 30) | (count << 24) | (type << 16) | (lengthBytes / 4 - 1));
  writeUint32(packet, at + 4, ssrc);
}

function writeSenderInfo(packet: Uint8Array, at: number, sender: SenderInfo): void {
  writeUint32(packet, at, sender.ntpSeconds);
  writeUint32(packet, at + 4, sender.ntpFraction);
  writeUint32(packet, at + 8, sender.rtpTimestamp);
  writeUint32(packet, at + 12, sender.packets);
  writeUint32(packet, at + 16, sender.octets);
}

function writeBlock(packet: Uint8Array, at: number, block: ReportBlock): void {
  writeUint32(packet, at, block.ssrc);
  writeUint32(packet, at + 4, (block.fractionLost << 24) | (block.cumulativeLost & 0xff_ffff));
  writeUint32(packet, at + 8, block.highestSequenceNumber);
  writeUint32(packet, at + 12, block.jitter);
  writeUint32(packet, at + 16, block.lastSenderReport);
  writeUint32(packet, at + 20, block.delaySinceLastSenderReport);
}

/** NTP time of a clock's milliseconds since 1970. */
export function ntpTime(nowMs: number): { ntpSeconds: number; ntpFraction: number } {
  const seconds = Math.floor(nowMs / 1000);
  const ntpFraction = Math.floor((nowMs / 1000 - seconds) * 2 ** 32);
  return { ntpSeconds: (seconds + SECONDS_1900_TO_1970) % 2 ** 32, ntpFraction };
}

/** The middle 32 bits, in 1/65536 s: what `lastSenderReport` holds. */
export function ntpMiddle(time: { ntpSeconds: number; ntpFraction: number }): number {
  return ((time.ntpSeconds << 16) | (time.ntpFraction >>> 16)) >>> 0;
}

/**
 * Round trip by a block about our own SSRC (RFC 3550 §6.4.1), null when the peer had no SR of ours
 * yet.
 */
export function roundTripMs(block: ReportBlock, nowMs: number): number | null {
  if (block.lastSenderReport === 0) return null;
  const now = ntpMiddle(ntpTime(nowMs));
  const units = (now - block.lastSenderReport - block.delaySinceLastSenderReport) | 0;
  return Math.max(0, (units / 65_536) * 1000);
}
