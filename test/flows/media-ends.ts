/**
 * Media sessions on the simulated network, with far ends that send and note what they receive.
 * Addresses: proxy 203.0.113.1 outside and 10.0.1.1 inside, phone 198.51.100.7, instance 10.0.1.10.
 */
import type { Datagrams, Endpoint, Log } from "../../src/io/types.ts";
import type { MediaSession, SessionRequest } from "../../src/media/media-session.ts";
import { type MediaOptions, MediaSessions } from "../../src/media/media-sessions.ts";
import { NativeEngine } from "../../src/media/native-engine.ts";
import { SrtpContext } from "../../src/rtp/srtp-context.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

export const OUTER = "203.0.113.1";
export const INNER = "10.0.1.1";
export const PHONE = "198.51.100.7";
export const INSTANCE = "10.0.1.10";

const SILENT_LOG: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => SILENT_LOG,
};

export const MEDIA_OPTIONS: MediaOptions = {
  outerPorts: { from: 30_000, to: 30_099 },
  innerPorts: { from: 20_000, to: 20_099 },
  outerAddress: OUTER,
  innerAddress: INNER,
  sessionsMax: 100,
  instanceSessionsMax: 100,
  instances: 1,
  linesMax: 20,
  mediaSilentMs: 60_000,
  mediaTimeoutMs: 300_000,
  portRestMs: 30_000,
  learnsAnySource: false,
  forbiddenAddresses: [],
};

/** Overrides of the usual call: SRTP outside, RTP inside. */
export type Ends = {
  readonly callId?: string;
  readonly instance?: string;
  readonly outer?: Partial<SessionRequest["outer"]>;
  readonly inner?: Partial<SessionRequest["inner"]>;
};

export function sessionRequest(ends: Ends = {}): SessionRequest {
  return {
    callId: ends.callId ?? "call-1",
    instance: ends.instance ?? "mycompany",
    outer: {
      bindAddress: OUTER,
      advertise: OUTER,
      media: "srtp",
      acceptsPlain: false,
      isPlain: false,
      suites: ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"],
      signallingAddress: PHONE,
      ...ends.outer,
    },
    inner: {
      bindAddress: INNER,
      addresses: [INSTANCE],
      networks: [],
      media: "rtp",
      allowsClearT38: false,
      ...ends.inner,
    },
  };
}

export class MediaLab {
  readonly network = new SimulatedNetwork();
  readonly counted: string[] = [];
  readonly warned: unknown[] = [];
  readonly silent: MediaSession[] = [];
  readonly sessions: MediaSessions;

  /** `random` left out: that of the simulated network. */
  constructor(
    options: Partial<MediaOptions> = {},
    o: { addresses?: readonly string[]; random?: (lengthBytes: number) => Uint8Array } = {},
  ) {
    const { clock } = this.network;
    const world = this.network.world({ addresses: o.addresses ?? [OUTER, INNER] });
    const relay = { packetsPerSecond: 1000, maxSsrcs: 16 };
    this.sessions = new MediaSessions({
      engine: new NativeEngine({
        clock,
        openDatagrams: world.openDatagrams,
        relay,
        trafficClass: 0xb8,
      }),
      clock,
      random: o.random ?? world.random,
      log: { ...SILENT_LOG, warn: (...said) => void this.warned.push(said) },
      count: (reason) => void this.counted.push(reason),
      options: { ...MEDIA_OPTIONS, ...options },
      onSilent: (session) => void this.silent.push(session),
    });
  }

  session(ends: Ends = {}): MediaSession {
    return this.sessions.create(sessionRequest(ends));
  }

  /** A far end at this address and port. */
  async peer(address: string, port: number): Promise<MediaPeer> {
    const world = this.network.world({ addresses: [address] });
    const received: Uint8Array[] = [];
    const socket = await world.openDatagrams({
      local: { address, port },
      receive: (bytes) => void received.push(bytes),
    });
    return new MediaPeer(this.network, socket, received);
  }
}

export class MediaPeer {
  readonly #network: SimulatedNetwork;
  readonly #socket: Datagrams;

  constructor(
    network: SimulatedNetwork,
    socket: Datagrams,
    readonly received: Uint8Array[],
  ) {
    this.#network = network;
    this.#socket = socket;
  }

  /** Sends and lets it arrive. */
  async send(bytes: Uint8Array, to: Endpoint): Promise<void> {
    this.#socket.send(bytes, to.address, to.port);
    await this.#network.settle();
  }

  /** What came since the last call, as text of the payload's first byte, e.g. "1,2". */
  heard(): string {
    return this.received
      .splice(0)
      .map((packet) => packet[12])
      .join(",");
  }
}

/** 160 bytes of payload, all `fill`. */
export function rtpPacket(
  sequence: number,
  o: { fill?: number; ssrc?: number } = {},
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(172).fill(o.fill ?? sequence & 255);
  packet.set([0x80, 0, sequence >> 8, sequence & 255, 0, 0, 0, 0]);
  new DataView(packet.buffer).setUint32(8, o.ssrc ?? 0x01020304);
  return packet;
}

/** A receiver report without blocks, padded with an SDES-like tail to `lengthBytes`. */
export function rtcpPacket(
  o: { ssrc?: number; lengthBytes?: number } = {},
): Uint8Array<ArrayBuffer> {
  const length = o.lengthBytes ?? 8;
  const packet = new Uint8Array(length).fill(7);
  packet.set([0x80, 201, 0, length / 4 - 1]);
  new DataView(packet.buffer).setUint32(4, o.ssrc ?? 0x01020304);
  return packet;
}

/** Without blocks; `ntp` are the middle 32 bits of its time. */
export function senderReport(ssrc: number, ntp: number): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(28);
  packet.set([0x80, 200, 0, 6]);
  const view = new DataView(packet.buffer);
  view.setUint32(4, ssrc);
  view.setUint32(10, ntp);
  return packet;
}

/** One block, written at once after the sender report that it answers. */
export function receiverReport(
  ssrc: number,
  o: { readonly about: number; readonly lost?: number; readonly lastReport?: number },
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(32);
  packet.set([0x81, 201, 0, 7]);
  const view = new DataView(packet.buffer);
  view.setUint32(4, ssrc);
  view.setUint32(8, o.about);
  view.setUint32(12, o.lost ?? 0);
  view.setUint32(24, o.lastReport ?? 0);
  return packet;
}

export type SdpOptions = {
  readonly address: string;
  readonly port: number;
  readonly proto?: string;
  /** Further lines of the m= section. */
  readonly lines?: readonly string[];
};

/** One audio line. */
export function sdpOf(o: SdpOptions): string {
  const lines = [
    "v=0",
    `o=- 1 1 IN IP4 ${o.address}`,
    "s=-",
    `c=IN IP4 ${o.address}`,
    "t=0 0",
    `m=audio ${o.port} ${o.proto ?? "RTP/AVP"} 0 8`,
    ...(o.lines ?? []),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** a=crypto with a key that is all `fill`. */
export function cryptoLine(tag: number, fill: number, suite = "AES_CM_128_HMAC_SHA1_80"): string {
  return `a=crypto:${tag} ${suite} inline:${keyText(fill)}`;
}

export function keyOf(fill: number): Uint8Array {
  return new Uint8Array(30).fill(fill);
}

export function keyText(fill: number): string {
  return Buffer.from(keyOf(fill)).toString("base64");
}

/** Port of the m= line at this position. */
export function portIn(sdp: string, at = 0): number {
  return Number([...sdp.matchAll(/^m=\S+ (\d+)/gm)][at]?.[1]);
}

/** Key of the first a=crypto line. */
export function keyIn(sdp: string): Uint8Array {
  return new Uint8Array(Buffer.from(/inline:(\S+)/.exec(sdp)?.[1] ?? "", "base64"));
}

/** The text, or a throw with the reason. */
export function textOf(result: { ok: true; sdp: string } | { ok: false; reason: string }): string {
  if (!result.ok) throw new Error(`refused: ${result.reason}`);
  return result.sdp;
}

export const SUITE = "AES_CM_128_HMAC_SHA1_80";
/** Overrides for RTP phones. */
export const RTP: Ends = { outer: { media: "rtp" } };
export const AT_INSTANCE: Endpoint = { address: INSTANCE, port: 12_000 };
export const AT_PHONE: Endpoint = { address: PHONE, port: 4000 };

export function contextOf(key: Uint8Array, mki: readonly number[] = []): SrtpContext {
  return new SrtpContext({ suite: SUITE, key, mkiBytes: new Uint8Array(mki) });
}

export function protect(context: SrtpContext, packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(packet.length + 16);
  bytes.set(packet);
  return bytes.slice(0, context.protect(bytes, packet.length));
}

export function unprotect(context: SrtpContext, packet: Uint8Array): Uint8Array {
  const bytes = packet.slice();
  return bytes.slice(0, context.unprotect(bytes, packet.length));
}

/** RTP/SAVP with one key that is all `fill`. */
export function securedSdp(o: SdpOptions & { fill: number }): string {
  return sdpOf({ ...o, proto: "RTP/SAVP", lines: [cryptoLine(1, o.fill), ...(o.lines ?? [])] });
}

/** The phone calls, the instance answers 200. `outer` and `inner` are our ports. */
export async function answeredCall(
  session: MediaSession,
  offer: string,
  answer = sdpOf(AT_INSTANCE),
) {
  const toInstance = textOf(await session.offer("outer", offer));
  const toPhone = textOf(session.answer("inner", answer, { branch: "a", final: true }));
  return {
    toInstance,
    toPhone,
    outer: { address: OUTER, port: portIn(toPhone) },
    inner: { address: INNER, port: portIn(toInstance) },
  };
}

/** An SRTP phone and an RTP instance in a call; `key` is what the phone sends with. */
export async function srtpCall(lab: MediaLab) {
  const session = lab.session();
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const places = await answeredCall(session, securedSdp({ ...AT_PHONE, fill: 1 }));
  return { session, phone, instance, ...places, key: contextOf(keyOf(1)) };
}
