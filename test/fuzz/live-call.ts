/**
 * A call on the simulated network whose two ends go on talking while broken packets arrive from them and from
 * strangers. It knows what has to come out at each end, packet by packet.
 */
import { expect } from "bun:test";
import type { Datagrams, Endpoint } from "../../src/io/types.ts";
import type { CryptoSuite } from "../../src/rtp/crypto-suite.ts";
import { masterKeyBytes } from "../../src/rtp/crypto-suite.ts";
import { SrtpContext } from "../../src/rtp/srtp-context.ts";
import {
  AT_INSTANCE,
  AT_PHONE,
  answeredCall,
  MediaLab,
  rtcpPacket,
  rtpPacket,
  sdpOf,
} from "../flows/media-ends.ts";
import { brokenPacket } from "./packets.ts";
import type { Random } from "./random.ts";

/** null = plain RTP; a proxy offers one list of suites on both sides. */
export type Mode = { readonly outer: CryptoSuite | null; readonly inner: CryptoSuite | null };

const STRANGER = "192.0.2.66";
/** Of each end in a round; the ceiling of a leg (1000 a second) is far away. */
const AUTHENTIC_PER_ROUND = 8;
const RECENT = 64;

type Bytes = Uint8Array<ArrayBuffer>;
type Sockets = { readonly rtp: Datagrams; readonly rtcp: Datagrams };

/** A phone or an instance. */
class End {
  readonly sealer: SrtpContext | null;
  opener: SrtpContext | null = null;
  /** Our ports for it. */
  to: Endpoint = { address: "", port: 0 };
  /** What it has sent in earnest, as it was on the wire. */
  readonly recent: Bytes[] = [];
  /** What came, opened; and what has to have come by the end of the round. */
  readonly heard: Bytes[] = [];
  readonly due: Bytes[] = [];
  refused = 0;
  #sequence = 65_000;

  constructor(
    readonly at: Endpoint,
    readonly suite: CryptoSuite | null,
    readonly fill: number,
  ) {
    this.sealer = suite === null ? null : contextOf(suite, this.key);
  }

  get key(): Bytes {
    return new Uint8Array(this.suite === null ? 0 : masterKeyBytes(this.suite)).fill(this.fill);
  }

  sdp(): string {
    if (this.suite === null) return sdpOf(this.at);
    const inline = Buffer.from(this.key).toString("base64");
    const lines = [`a=crypto:1 ${this.suite} inline:${inline}`];
    return sdpOf({ ...this.at, proto: "RTP/SAVP", lines });
  }

  /** Takes over what the other side's SDP says for this end. */
  uses(sdp: string, to: Endpoint): void {
    this.to = to;
    if (this.suite === null) return;
    const key = /a=crypto:\d+ \S+ inline:(\S+)/.exec(sdp)?.[1] ?? "";
    this.opener = contextOf(this.suite, new Uint8Array(Buffer.from(key, "base64")));
  }

  next(isReport: boolean): { readonly plain: Bytes; readonly sealed: Bytes } {
    this.#sequence += 1;
    const ssrc = 0x0a0a_0a00 + this.fill;
    const plain = isReport
      ? rtcpPacket({ ssrc, lengthBytes: 32 })
      : rtpPacket(this.#sequence & 0xffff, { ssrc });
    const { sealer } = this;
    const sealed = new Uint8Array(plain.length + 32);
    sealed.set(plain);
    if (sealer === null) return { plain, sealed: plain };
    const protect = isReport ? "protectRtcp" : "protect";
    return { plain, sealed: sealed.slice(0, sealer[protect](sealed, plain.length)) };
  }

  hears(packet: Uint8Array, isReport: boolean): void {
    const copy = new Uint8Array(packet);
    const { opener } = this;
    if (opener === null) {
      this.heard.push(copy);
      return;
    }
    const length = opener[isReport ? "unprotectRtcp" : "unprotect"](copy, copy.length);
    if (length === 0) this.refused += 1;
    else this.heard.push(copy.slice(0, length));
  }
}

function contextOf(suite: CryptoSuite, key: Uint8Array): SrtpContext {
  return new SrtpContext({ suite, key, mkiBytes: new Uint8Array(0) });
}

export class LiveCall {
  readonly lab = new MediaLab();
  readonly #random: Random;
  readonly #ends: readonly [End, End];
  /** By end: its own sockets, others at its address, a stranger's. */
  readonly #sockets = new Map<End, readonly [Sockets, Sockets, Sockets]>();
  /** Broken packets that must be counted as dropped. */
  #dropped = 0;
  sent = 0;

  private constructor(mode: Mode, random: Random) {
    this.#random = random;
    this.#ends = [new End(AT_PHONE, mode.outer, 1), new End(AT_INSTANCE, mode.inner, 2)];
  }

  static async open(mode: Mode, random: Random): Promise<LiveCall> {
    const call = new LiveCall(mode, random);
    const [phone, instance] = call.#ends;
    const session = call.lab.session({
      outer: {
        media: mode.outer === null ? "rtp" : "srtp",
        suites: mode.outer === null ? [] : [mode.outer],
      },
      inner: { media: mode.inner === null ? "rtp" : "srtp" },
    });
    for (const end of call.#ends) await call.#openSockets(end);
    const offer = phone.sdp();
    const at = await answeredCall(session, offer, instance.sdp());
    phone.uses(at.toPhone, at.outer);
    instance.uses(at.toInstance, at.inner);
    await call.round(0);
    return call;
  }

  get drops(): Readonly<Record<string, number>> {
    return this.lab.sessions.status.drops;
  }

  /** Both ends talk, with so many broken packets in between; then exactly what is due has come. */
  async round(broken: number): Promise<void> {
    const { network } = this.lab;
    const turns = AUTHENTIC_PER_ROUND;
    for (let turn = 0; turn < turns; turn += 1) {
      for (const end of this.#ends) this.#talks(end, turn === 3);
      for (let count = broken / turns; count > 0; count -= 1) this.#breaksIn();
      await network.settle();
    }
    for (const end of this.#ends) {
      expect(end.heard).toEqual(end.due);
      expect(end.refused).toBe(0);
      end.heard.length = 0;
      end.due.length = 0;
    }
    const drops = Object.values(this.drops).reduce((sum, count) => sum + count, 0);
    expect(drops).toBe(this.#dropped);
    await network.elapse(1000);
    network.sent.length = 0;
  }

  async #openSockets(end: End): Promise<void> {
    const { address, port } = end.at;
    const listen = async (local: Endpoint, isOwn: boolean): Promise<Sockets> => {
      const world = this.lab.network.world({ addresses: [local.address] });
      const open = (isReport: boolean) =>
        world.openDatagrams({
          local: { address: local.address, port: local.port + (isReport ? 1 : 0) },
          // Whatever comes to a stranger is one packet too many.
          receive: (bytes) => (isOwn ? end.hears(bytes, isReport) : end.heard.push(bytes.slice())),
        });
      return { rtp: await open(false), rtcp: await open(true) };
    };
    this.#sockets.set(end, [
      await listen({ address, port }, true),
      await listen({ address, port: port + 100 }, false),
      await listen({ address: STRANGER, port }, false),
    ]);
  }

  #talks(end: End, isReport: boolean): void {
    const { plain, sealed } = end.next(isReport);
    this.#other(end).due.push(plain);
    end.recent.push(sealed);
    if (end.recent.length > RECENT) end.recent.shift();
    this.#send(end, 0, sealed, isReport);
  }

  #breaksIn(): void {
    const end = this.#random.pick(this.#ends);
    const isReport = this.#random.once(4);
    const packet = brokenPacket(this.#random, end.recent);
    let who = this.#random.below(3);
    const other = this.#other(end);
    if (who === 0 && end.suite === null && isWellFormed(packet, isReport)) {
      // Nobody can tell it from a good one; towards SRTP its numbers would become those of the call.
      if (other.suite === null) other.due.push(packet);
      else who = 1;
    }
    if (who !== 0 || end.suite !== null || !isWellFormed(packet, isReport)) this.#dropped += 1;
    this.sent += 1;
    this.#send(end, who, packet, isReport);
  }

  #send(end: End, who: number, packet: Uint8Array, isReport: boolean): void {
    const sockets = this.#sockets.get(end)?.[who];
    const { address, port } = end.to;
    if (isReport) sockets?.rtcp.send(packet, address, port + 1);
    else sockets?.rtp.send(packet, address, port);
  }

  #other(end: End): End {
    return end === this.#ends[0] ? this.#ends[1] : this.#ends[0];
  }
}

/** What plain RTP and RTCP have to be (RFC 3550 §5.1, §6.4; RFC 5761 §4), written once more. */
function isWellFormed(packet: Uint8Array, isReport: boolean): boolean {
  const [first = 0, type = 0] = packet;
  const isRtcpType = type >= 192 && type <= 223;
  if (first >> 6 !== 2 || packet.length > 1500 || isRtcpType !== isReport) return false;
  if (isReport) return packet.length >= 8;
  let head = 12 + 4 * (first & 15);
  if ((first & 16) !== 0) {
    if (packet.length < head + 4) return false;
    head += 4 + 4 * new DataView(packet.buffer, packet.byteOffset).getUint16(head + 2);
  }
  return packet.length >= head;
}
