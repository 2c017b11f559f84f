/**
 * One end of an audio stream: an RTP port (and the RTCP port above it, which is only held) on one address,
 * in the clear or SRTP. Listens to one peer address only. Owns its sockets and its SRTP contexts.
 */
import type { Datagrams, Endpoint, World } from "../io/types.ts";
import { isRtp, writeUint32 } from "../rtp/packet.ts";
import type { SrtpContext } from "../rtp/srtp-context.ts";

export type RtpPortOptions = {
  readonly world: Pick<World, "openDatagrams" | "random">;
  readonly address: string;
  /** A whole, authentic RTP packet in the clear; may be changed. */
  received(packet: Uint8Array): void;
};

const TRIES = 40;
const HEADER_BYTES = 12;
const SRTP_ROOM_BYTES = 16;
const MAX_PACKET_BYTES = 1500;

export class RtpPort {
  readonly #rtp: Datagrams;
  readonly #rtcp: Datagrams;
  readonly ssrc: number;
  /** Where to send; also the only address that is listened to. Null = nowhere. */
  target: Endpoint | null = null;
  srtp: { readonly send: SrtpContext; readonly receive: SrtpContext } | null = null;
  /** Packets. */
  sent = 0;
  received = 0;
  refused = 0;
  #sequence: number;
  #timestamp: number;

  private constructor(rtp: Datagrams, rtcp: Datagrams, random: Uint8Array) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    const view = new DataView(random.buffer, random.byteOffset, random.byteLength);
    this.ssrc = view.getUint32(0);
    this.#timestamp = view.getUint32(4);
    this.#sequence = view.getUint16(8) >> 1; // the first wrap is far away
  }

  /** Rejects when no even port with a free one above it is found. */
  static async open(options: RtpPortOptions): Promise<RtpPort> {
    const { world } = options;
    let port: RtpPort | null = null;
    const receive = (bytes: Uint8Array, address: string): void => {
      if (port?.accepts(bytes, address) === true) options.received(bytes.subarray(0, port.length));
    };
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const rtp = await world.openDatagrams({
        local: { address: options.address, port: 0 },
        receive,
      });
      const rtcp = rtp.local.port % 2 === 0 ? await openAbove(world, rtp.local) : null;
      if (rtcp !== null) {
        port = new RtpPort(rtp, rtcp, world.random(10));
        return port;
      }
      rtp.close();
    }
    throw new Error(`no pair of free UDP ports on ${options.address}`);
  }

  get local(): Endpoint {
    return this.#rtp.local;
  }

  /** Length of the packet that accepts() has just let in. */
  private length = 0;

  private accepts(bytes: Uint8Array, address: string): boolean {
    const isFromPeer = address === this.target?.address && bytes.length <= MAX_PACKET_BYTES;
    this.length = bytes.length;
    if (isFromPeer && isRtp(bytes, bytes.length)) {
      if (this.srtp !== null) this.length = this.srtp.receive.unprotect(bytes, bytes.length);
      if (this.length >= HEADER_BYTES) {
        this.received++;
        return true;
      }
    }
    this.refused++;
    return false;
  }

  /** The next frame of a stream of our own; 20 ms of 8 kHz audio. Returns its RTP timestamp. */
  sendFrame(payloadType: number, payload: Uint8Array): number {
    const packet = new Uint8Array(HEADER_BYTES + payload.length);
    packet[0] = 0x80;
    packet[1] = payloadType | (this.sent === 0 ? 0x80 : 0); // the marker begins a talkspurt
    packet[2] = this.#sequence >> 8;
    packet[3] = this.#sequence & 0xff;
    const timestamp = this.#timestamp;
    writeUint32(packet, 4, timestamp);
    writeUint32(packet, 8, this.ssrc);
    packet.set(payload, HEADER_BYTES);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (timestamp + payload.length) >>> 0;
    this.send(packet);
    return timestamp;
  }

  /** A whole packet as it is, sealed when this is an SRTP port. */
  send(packet: Uint8Array): void {
    const { target, srtp } = this;
    if (target === null) return;
    let sealed = packet;
    if (srtp !== null) {
      sealed = new Uint8Array(packet.length + SRTP_ROOM_BYTES);
      sealed.set(packet);
      sealed = sealed.subarray(0, srtp.send.protect(sealed, packet.length));
    }
    if (sealed.length > 0 && this.#rtp.send(sealed, target.address, target.port)) this.sent++;
  }

  close(): void {
    this.target = null;
    this.#rtp.close();
    this.#rtcp.close();
  }
}

async function openAbove(
  world: Pick<World, "openDatagrams">,
  rtp: Endpoint,
): Promise<Datagrams | null> {
  try {
    const local = { address: rtp.address, port: rtp.port + 1 };
    return await world.openDatagrams({ local, receive() {} });
  } catch {
    return null; // taken by somebody else: the next pair
  }
}
