/**
 * One end of a call's media, cheap enough for hundreds: sends numbered packets, sealed or plain, and counts what
 * comes. Owns one UDP socket; it has no RTCP.
 */
import { randomBytes } from "node:crypto";
import type { Datagrams, Endpoint } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { SrtpContext } from "../../src/rtp/srtp-context.ts";
import { readSdp, sdp } from "../peers/sdp-text.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";
const KEY_BYTES = 30;
const PACKET_BYTES = 172;

/** Over all calls of the run. */
export type Heard = { sent: number; received: number; refused: number };

export class SoakPort {
  readonly #socket: Datagrams;
  readonly #isSrtp: boolean;
  readonly #sums: Heard;
  readonly #packet = new Uint8Array(PACKET_BYTES + 32);
  readonly #view = new DataView(this.#packet.buffer);
  #target: Endpoint | null = null;
  #key = randomBytes(KEY_BYTES);
  #sealer: SrtpContext | null = null;
  #opener: SrtpContext | null = null;
  #tag = 1;
  #sequence = 0;
  #version = 0;

  private constructor(open: (hears: (bytes: Uint8Array) => void) => Datagrams, o: PortOptions) {
    this.#socket = open((bytes) => this.#hears(bytes));
    this.#isSrtp = o.isSrtp;
    this.#sums = o.sums;
    this.#packet.fill(0xd5);
    this.#packet[0] = 0x80;
    this.#packet[1] = 8;
    this.#view.setUint32(8, randomBytes(4).readUInt32BE());
    this.changesKey();
  }

  static async open(address: string, options: PortOptions): Promise<SoakPort> {
    let hears = (_bytes: Uint8Array): void => {};
    const socket = await realWorld.openDatagrams({
      local: { address, port: 0 },
      receive: (bytes) => hears(bytes),
    });
    return new SoakPort((listener) => {
      hears = listener;
      return socket;
    }, options);
  }

  /** What it offers or answers; each time a version more. */
  sdp(): string {
    this.#version += 1;
    const inline = this.#key.toString("base64");
    const crypto = this.#isSrtp ? { crypto: [`${this.#tag} ${SUITE} inline:${inline}`] } : {};
    return sdp({ ...this.#socket.local, ...crypto, version: this.#version });
  }

  /** Takes the far end's address and key; an unchanged key goes on counting. */
  uses(body: string): void {
    const far = readSdp(body);
    this.#target = { address: far.address, port: far.port };
    if (!this.#isSrtp) return;
    const line = far.crypto.find((one) => one.includes(` ${SUITE} `)) ?? "";
    const key = Buffer.from(/inline:([A-Za-z0-9+/=]+)/.exec(line)?.[1] ?? "", "base64");
    this.#tag = Number.parseInt(line, 10);
    this.#opener ??= contextOf(key);
  }

  /** For a re-INVITE; what is sent from now on uses it. */
  changesKey(): void {
    this.#key = randomBytes(KEY_BYTES);
    this.#sealer = this.#isSrtp ? contextOf(this.#key) : null;
  }

  /** The next packet of 20 ms. */
  speaks(): void {
    if (this.#target === null) return;
    this.#sequence += 1;
    this.#view.setUint16(2, this.#sequence & 0xffff);
    this.#view.setUint32(4, (this.#sequence * 160) >>> 0);
    this.#packet.fill(this.#sequence & 255, 12, PACKET_BYTES);
    const length = this.#sealer?.protect(this.#packet, PACKET_BYTES) ?? PACKET_BYTES;
    const { address, port } = this.#target;
    this.#socket.send(this.#packet.subarray(0, length), address, port);
    this.#sums.sent += 1;
  }

  close(): void {
    this.#socket.close();
  }

  #hears(bytes: Uint8Array): void {
    const packet = new Uint8Array(bytes);
    const length = this.#opener?.unprotect(packet, packet.length) ?? packet.length;
    if (length === PACKET_BYTES && packet[12] === packet[3]) this.#sums.received += 1;
    else this.#sums.refused += 1;
  }
}

export type PortOptions = { readonly isSrtp: boolean; readonly sums: Heard };

function contextOf(key: Uint8Array): SrtpContext {
  return new SrtpContext({ suite: SUITE, key, mkiBytes: new Uint8Array(0) });
}
