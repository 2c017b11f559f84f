/**
 * The RTP end of a scripted peer: a UDP port that sends numbered packets with readable payloads and
 * keeps what it hears, in the clear or as SRTP by the slow reference (slow-srtp.ts).
 */
import { createHash } from "node:crypto";
import type { Datagrams, Endpoint } from "../../src/io/types.ts";
import type { Outside } from "./outside.ts";
import { readSdp, type SdpParts, sdp } from "./sdp-text.ts";
import { SlowSrtp, type Suite, slowKeyBytes } from "./slow-srtp.ts";

export type HeardPacket = {
  readonly payload: string;
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly from: Endpoint;
};

export type MediaPortOptions = {
  readonly address: string;
  /** Even; left out = one of its own. */
  readonly port?: number;
  /** Present = SRTP with a key of our own. */
  readonly suite?: Suite;
  readonly name?: string;
  /** Wants RTCP at the port of RTP (RFC 5761). */
  readonly mux?: boolean;
};

const SAMPLES = 160;

export class MediaPort {
  readonly outside: Outside;
  readonly rtp: Datagrams;
  readonly rtcp: Datagrams;
  readonly suite: Suite | null;
  readonly mux: boolean;
  readonly heard: HeardPacket[] = [];
  readonly heardRtcp: Uint8Array[] = [];
  /** Packets whose tag was wrong, or that came before a key was known. */
  refused = 0;
  ssrc: number;
  sequence = 100;
  timestamp = 8000;
  /** Where it sends; set from the far end's SDP. */
  target: Endpoint | null = null;
  /** Both sides want it. */
  isMux = false;
  #key: Uint8Array;
  #sealer: SlowSrtp | null = null;
  #opener: SlowSrtp | null = null;
  #tag = 1;
  #keyCount = 0;
  readonly #name: string;

  private constructor(outside: Outside, o: MediaPortOptions, rtp: Datagrams, rtcp: Datagrams) {
    this.outside = outside;
    this.rtp = rtp;
    this.rtcp = rtcp;
    this.ssrc = 0x1000_0000 + rtp.local.port;
    this.suite = o.suite ?? null;
    this.mux = o.mux ?? false;
    this.#name = o.name ?? o.address;
    this.#key = this.#newKey();
  }

  static async open(outside: Outside, options: MediaPortOptions): Promise<MediaPort> {
    let port: MediaPort | null = null;
    const { rtp, rtcp } = await openPair(outside, options, {
      rtp: (bytes, from) => port?.hears(bytes, from),
      rtcp: (bytes) => port?.hearsRtcp(bytes),
    });
    port = new MediaPort(outside, options, rtp, rtcp);
    return port;
  }

  /** Our crypto line: tag, suite, key. */
  get crypto(): string {
    const inline = Buffer.from(this.#key).toString("base64");
    return `${this.#tag} ${this.suite} inline:${inline}`;
  }

  /** Our SDP; with our key when this is an SRTP port. */
  sdp(parts: Partial<SdpParts> = {}): string {
    return sdp({
      address: this.rtp.local.address,
      port: this.rtp.local.port,
      ...(this.suite === null ? {} : { crypto: [this.crypto] }),
      ...(this.mux ? { lines: ["a=rtcp-mux"] } : {}),
      ...parts,
    });
  }

  /** Takes address and key of the far end from its SDP; returns whether it speaks SRTP to us. */
  uses(body: string): void {
    const far = readSdp(body);
    this.target = { address: far.address, port: far.port };
    this.isMux = this.mux && /^a=rtcp-mux\r?$/m.test(body);
    if (this.suite === null) return;
    const line = far.crypto.find((one) => one.split(" ")[1] === this.suite);
    if (line === undefined) throw new Error(`no ${this.suite} in\n${body}`);
    this.#tag = Number(line.split(" ")[0]);
    const key = /inline:([A-Za-z0-9+/=]+)/.exec(line)?.[1] ?? "";
    this.#opener = new SlowSrtp(this.suite, new Uint8Array(Buffer.from(key, "base64")));
  }

  /** New key for a re-INVITE; what is sent from now on uses it. */
  changesKey(): void {
    this.#key = this.#newKey();
  }

  /** Sends one packet per text, 20 ms of sequence numbers each, without waiting between them. */
  says(...payloads: string[]): void {
    for (const payload of payloads) this.sendsPacket(this.packet(payload));
  }

  /** The bytes of the next packet, sealed when this is an SRTP port. */
  packet(payload: string, payloadType = 8): Uint8Array {
    const packet = rtpPacket(payload, payloadType, this);
    this.sequence = (this.sequence + 1) & 0xffff;
    this.timestamp = (this.timestamp + SAMPLES) >>> 0;
    return this.#sealer?.protect(packet) ?? packet;
  }

  sendsPacket(bytes: Uint8Array, to = this.target): void {
    if (to === null) throw new Error(`${this.#name} does not know where to send`);
    this.rtp.send(bytes, to.address, to.port);
  }

  /** A sender report with nothing in it but the SSRC and a mark, which is its time, too. */
  sendsRtcp(mark: number): void {
    const plain = Buffer.alloc(28);
    plain.writeUInt8(0x80, 0);
    plain.writeUInt8(200, 1);
    plain.writeUInt16BE(6, 2);
    plain.writeUInt32BE(this.ssrc, 4);
    plain.writeUInt32BE(mark, 10);
    plain.writeUInt32BE(mark, 24);
    const bytes = this.#sealer?.protectRtcp(plain) ?? plain;
    if (this.target === null) throw new Error(`${this.#name} does not know where to send`);
    if (this.isMux) this.rtp.send(bytes, this.target.address, this.target.port);
    else this.rtcp.send(bytes, this.target.address, this.target.port + 1);
  }

  /** Waits until at least `count` packets came and takes them all: their payloads in order. */
  async hearsAtLeast(count: number): Promise<string[]> {
    const enough = (): string[] | undefined =>
      this.heard.length < count ? undefined : this.heard.splice(0).map(({ payload }) => payload);
    return await this.outside.waitFor(enough, () => {
      const have = this.heard.map(({ payload }) => payload).join(", ");
      return `${this.#name} heard [${have}], ${this.refused} refused; wanted ${count} packets`;
    });
  }

  /** What it heard since the last time, once the network is at rest. */
  async hasHeard(): Promise<string[]> {
    await this.outside.settle();
    return this.heard.splice(0).map(({ payload }) => payload);
  }

  close(): void {
    this.rtp.close();
    this.rtcp.close();
  }

  private hears(bytes: Uint8Array, from: Endpoint): void {
    const type = bytes[1] ?? 0;
    if (this.isMux && type >= 192 && type <= 223) return this.hearsRtcp(bytes);
    const clear = this.suite === null ? bytes : (this.#opener?.unprotect(bytes) ?? null);
    if (clear === null) this.refused += 1;
    else this.heard.push(readRtp(Buffer.from(clear), from));
    this.outside.changed();
  }

  private hearsRtcp(bytes: Uint8Array): void {
    const clear = this.suite === null ? bytes : (this.#opener?.unprotectRtcp(bytes) ?? null);
    if (clear === null) this.refused += 1;
    else this.heardRtcp.push(clear);
    this.outside.changed();
  }

  #newKey(): Uint8Array {
    this.#keyCount += 1;
    const length = this.suite === null ? 0 : slowKeyBytes(this.suite);
    const seed = `${this.#name} ${this.rtp.local.port} ${this.#keyCount}`;
    const key = new Uint8Array(createHash("sha512").update(seed).digest().subarray(0, length));
    this.#sealer = this.suite === null ? null : new SlowSrtp(this.suite, key);
    return key;
  }
}

type Receivers = {
  rtp(bytes: Uint8Array, from: Endpoint): void;
  rtcp(bytes: Uint8Array): void;
};

/** An even port and the odd one above it; tries on while others hold one of them. */
async function openPair(
  outside: Outside,
  options: MediaPortOptions,
  receivers: Receivers,
): Promise<{ rtp: Datagrams; rtcp: Datagrams }> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const rtp = await outside.world.openDatagrams({
      local: { address: options.address, port: options.port ?? 0 },
      receive: (bytes, address, port) => receivers.rtp(bytes, { address, port }),
    });
    try {
      if (rtp.local.port % 2 === 1) throw new Error("an odd port");
      const rtcp = await outside.world.openDatagrams({
        local: { address: options.address, port: rtp.local.port + 1 },
        receive: (bytes) => receivers.rtcp(bytes),
      });
      return { rtp, rtcp };
    } catch (error) {
      rtp.close();
      if (options.port !== undefined) throw error;
    }
  }
  throw new Error(`no pair of free ports on ${options.address}`);
}

function rtpPacket(
  payload: string,
  payloadType: number,
  at: { sequence: number; timestamp: number; ssrc: number },
): Uint8Array {
  const packet = Buffer.alloc(12 + payload.length);
  packet.writeUInt8(0x80, 0);
  packet.writeUInt8(payloadType, 1);
  packet.writeUInt16BE(at.sequence, 2);
  packet.writeUInt32BE(at.timestamp, 4);
  packet.writeUInt32BE(at.ssrc, 8);
  packet.write(payload, 12, "latin1");
  return new Uint8Array(packet);
}

function readRtp(bytes: Buffer, from: Endpoint): HeardPacket {
  return {
    payload: bytes.toString("latin1", 12),
    payloadType: (bytes[1] ?? 0) & 0x7f,
    sequence: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
    ssrc: bytes.readUInt32BE(8),
    from,
  };
}
