/**
 * Who has no business in any call: from an address of its own, next to the product's, it sends audio to media
 * ports and counts what it gets for it (RTPBleed: somebody's audio; RTPinject: somebody's ear). Owns one UDP
 * socket and one timer.
 */
import { ToneSource } from "../../src/demo/tone.ts";
import type { Datagrams, Endpoint } from "../../src/io/types.ts";
import { worldIn } from "./world-in.ts";

/** Its tone: no phone and no extension has it. */
export const STRANGER_HZ = 1800;
const ADDRESSES = { inside: "10.0.1.66", internet: "203.0.113.66", lan: "192.168.10.66" } as const;
const TICK_MS = 20;
const SPRAYED_PER_TICK = 120;
/** How far ahead of the call's own packets: whoever believed them would drop the call's own as too late. */
const AHEAD = 500;

/** How an RTP packet of the call went on at that moment: what a stranger who can listen would know. */
export type Overheard = { readonly ssrc: number; readonly sequence: number };

export class Stranger {
  /** Packets that came to it. */
  received = 0;
  readonly #socket: Datagrams;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #tone = new ToneSource("PCMA", STRANGER_HZ);
  readonly #jobs: (() => void)[] = [];

  private constructor(open: (received: () => void) => Datagrams) {
    this.#socket = open(() => {
      this.received += 1;
    });
    // A busy machine ticks late: what was due meanwhile is made up for, a second of it at most.
    let due = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      due = Math.max(due, now - 1000);
      for (; due <= now; due += TICK_MS) for (const job of this.#jobs) job();
    }, TICK_MS);
  }

  static async in(zone: keyof typeof ADDRESSES): Promise<Stranger> {
    let received = (): void => {};
    const socket = await worldIn("stranger", zone).world.openDatagrams({
      local: { address: ADDRESSES[zone], port: 0 },
      receive: () => received(),
    });
    return new Stranger((count) => {
      received = count;
      return socket;
    });
  }

  /** From now on every port of the range, again and again: whoever calls just then is found. */
  sprays(address: string, from: number, to: number): void {
    let port = from;
    let sequence = 0;
    this.#jobs.push(() => {
      for (let count = 0; count < SPRAYED_PER_TICK; count += 1) {
        this.#send({ address, port }, { ssrc: 0x6666_6666, sequence: sequence++ });
        port = port >= to ? from : port + 1;
      }
    });
  }

  /** From now on 50 packets a second to one port, as the call itself would go on soon. */
  injects(to: Endpoint, after: Overheard): void {
    let sequence = after.sequence + AHEAD;
    this.#jobs.push(() => {
      sequence += 1;
      this.#send(to, { ssrc: after.ssrc, sequence });
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #send(to: Endpoint, { ssrc, sequence }: Overheard): void {
    const packet = Buffer.alloc(12 + 160);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt8(8, 1);
    packet.writeUInt16BE(sequence & 0xffff, 2);
    packet.writeUInt32BE((sequence * 160) >>> 0, 4);
    packet.writeUInt32BE(ssrc, 8);
    packet.set(this.#tone.nextFrame(), 12);
    this.#socket.send(packet, to.address, to.port);
  }
}
