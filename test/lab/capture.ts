/**
 * RTP as it is on the wire at one interface of the appliance: tcpdump's file (classic pcap, Ethernet, IPv4,
 * UDP) read back. Owns one tcpdump process.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commandIn, eventually, startPeer, TREE } from "./peers.ts";

const PCMA = 8;

export type CapturedRtp = {
  readonly from: string;
  readonly to: string;
  readonly toPort: number;
  readonly sequence: number;
  readonly ssrc: number;
  readonly payload: Uint8Array;
};

export type Capture = {
  /** Every PCMA packet so far, in order. */
  packets(): CapturedRtp[];
  /** Ends the capture and gives every packet of that payload type (PCMA) in order. */
  stop(payloadType?: number): Promise<CapturedRtp[]>;
};

/** `eth0` is the inside, `eth1` the internet, `eth2` the lan. Resolves when packets are being taken. */
export async function startCapture(interfaceName: "eth0" | "eth1" | "eth2"): Promise<Capture> {
  const file = `/lab/${interfaceName}.pcap`;
  const log = join(TREE, `lab/${interfaceName}.tcpdump`);
  const argv = ["tcpdump", "-i", interfaceName, "-U", "-Z", "root", "-w", file, "udp"];
  const peer = startPeer(commandIn("app", argv), log);
  await eventually(
    5000,
    () => (readFileSync(log, "utf8").includes("listening on") ? true : null),
    () => `no tcpdump: ${readFileSync(log, "utf8")}`,
  );
  return {
    packets: () => readRtp(readFileSync(join(TREE, file))),
    stop: async (payloadType = PCMA) => {
      await peer.stop();
      return readRtp(readFileSync(join(TREE, file)), payloadType);
    },
  };
}

/** Every version 2 packet of one payload type; SRTP looks the same up to its payload (RFC 3711 §3.1). */
export function readRtp(pcap: Uint8Array, payloadType = PCMA): CapturedRtp[] {
  const packets: CapturedRtp[] = [];
  const view = new DataView(pcap.buffer, pcap.byteOffset, pcap.byteLength);
  for (let at = 24; at + 16 <= pcap.length; at += 16 + view.getUint32(at + 8, true)) {
    const frame = pcap.subarray(at + 16, at + 16 + view.getUint32(at + 8, true));
    const packet = readFrame(frame, payloadType);
    if (packet) packets.push(packet);
  }
  return packets;
}

function readFrame(frame: Uint8Array, payloadType: number): CapturedRtp | null {
  const ip = frame.subarray(14);
  if ((ip[0] ?? 0) >> 4 !== 4) return null;
  const udp = ip.subarray(((ip[0] ?? 0) & 15) * 4);
  const rtp = udp.subarray(8);
  if (rtp.length < 12 || (rtp[0] ?? 0) >> 6 !== 2) return null;
  if (((rtp[1] ?? 0) & 127) !== payloadType) return null;
  const view = new DataView(rtp.buffer, rtp.byteOffset);
  return {
    from: ip.subarray(12, 16).join("."),
    to: ip.subarray(16, 20).join("."),
    toPort: new DataView(udp.buffer, udp.byteOffset).getUint16(2),
    sequence: view.getUint16(2),
    ssrc: view.getUint32(8),
    payload: rtp.subarray(12),
  };
}

/** G.711 A-law to 16-bit samples (ITU-T G.711). */
export function decodeAlaw(packets: readonly CapturedRtp[]): Int16Array {
  const bytes = packets.flatMap((packet) => [...packet.payload.subarray(0, 160)]);
  return Int16Array.from(bytes, (byte) => {
    const code = byte ^ 0x55;
    const exponent = (code >> 4) & 7;
    const mantissa = ((code & 15) << 4) + 8;
    const magnitude = exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1);
    return code & 0x80 ? magnitude : -magnitude;
  });
}
