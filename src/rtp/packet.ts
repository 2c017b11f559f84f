/**
 * Views on one datagram of a media port: which protocol it is and the fixed fields of RTP and RTCP.
 * Nothing is copied and nothing allocated; the buffer may be longer than the packet, so `length` is
 * always passed.
 *
 *   RTP (RFC 3550 §5.1)   V=2|P|X|CC  M|PT  sequence(16)  time(32)  SSRC(32)  CSRC*CC  [extension]
 *   RTCP (§6.4)           V=2|P|RC    PT    length(16)    SSRC of sender(32)  ...
 */

export type PacketKind = "rtp" | "rtcp" | "stun" | "dtls" | "unknown";

export const RTP_FIXED_HEADER_BYTES = 12;

/** By first bytes only (RFC 7983, RFC 5761 §4); the lengths are checked by rtpHeaderBytes(). */
export function packetKind(packet: Uint8Array, length: number): PacketKind {
  if (isRtp(packet, length)) return "rtp";
  if (isRtcp(packet, length)) return "rtcp";
  const first = packet[0]!;
  if (length >= 20 && first <= 3) return "stun";
  return length >= 13 && first >= 20 && first <= 63 ? "dtls" : "unknown";
}

export function isRtp(packet: Uint8Array, length: number): boolean {
  return length >= RTP_FIXED_HEADER_BYTES && packet[0]! >> 6 === 2 && !isRtcpType(packet[1]!);
}

export function isRtcp(packet: Uint8Array, length: number): boolean {
  return length >= 8 && packet[0]! >> 6 === 2 && isRtcpType(packet[1]!);
}

/**
 * Packet types 192..223; in RTP they would be payload types 64..95 with the marker, which nobody
 * uses.
 */
function isRtcpType(type: number): boolean {
  return type >= 192 && type <= 223;
}

/** Header length with CSRC list and extension, always a multiple of 4; 0 = malformed or no RTP. */
export function rtpHeaderBytes(packet: Uint8Array, length: number): number {
  if (length < RTP_FIXED_HEADER_BYTES) return 0;
  const first = packet[0]!;
  if (first >> 6 !== 2) return 0;
  let header = RTP_FIXED_HEADER_BYTES + ((first & 15) << 2);
  if ((first & 16) !== 0) {
    if (header + 4 > length) return 0;
    header += 4 + (((packet[header + 2]! << 8) | packet[header + 3]!) << 2);
  }
  return header > length ? 0 : header;
}

export function payloadType(packet: Uint8Array): number {
  return packet[1]! & 127;
}

export function marker(packet: Uint8Array): boolean {
  return packet[1]! >= 128;
}

export function sequenceNumber(packet: Uint8Array): number {
  return (packet[2]! << 8) | packet[3]!;
}

/** Unsigned 32 bits. */
export function timestamp(packet: Uint8Array): number {
  return readUint32(packet, 4);
}

/** SSRC of an RTP packet. */
export function ssrc(packet: Uint8Array): number {
  return readUint32(packet, 8);
}

/** SSRC of the sender of an RTCP packet. */
export function rtcpSsrc(packet: Uint8Array): number {
  return readUint32(packet, 4);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
