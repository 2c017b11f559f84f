/** 10,000 packets each way through one stream keep nothing of ours, however its legs are encrypted. */
import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { INSTANCE, keyOf, PHONE, rtpPacket, SUITE } from "../../test/flows/media-ends.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import type { LegCrypto } from "./engine.ts";
import { innerSettings, outerSettings } from "./leg-settings.ts";
import { Relay } from "./relay.ts";
import { type RelayLeg, RelayStream } from "./relay-leg.ts";

const PACKETS = 10_000;
/** What the engine makes for itself meanwhile; one object for each packet would be 20,000. */
const CONSTANT_OBJECTS = 200;
const CONSTANT_BYTES = 64 << 10;

const crypto = (fill: number): LegCrypto => ({
  suite: SUITE,
  key: keyOf(fill),
  mki: new Uint8Array(0),
});

const remote = (address: string, rtpPort: number) =>
  ({
    ...{ address, rtpPort, rtcpPort: rtpPort + 1, rtcpAddress: null },
    isHeld: false,
    direction: "sendrecv",
    carries: "rtp",
    codecs: [],
  }) as const;

/** One sender: the same packet over and over, with the next number, sealed anew where it is SRTP. */
class Sender {
  readonly #leg: RelayLeg;
  readonly #address: string;
  readonly #port: number;
  readonly #sealer: SrtpContext | null;
  readonly #packet = new Uint8Array(300);

  constructor(leg: RelayLeg, from: readonly [string, number], key: LegCrypto | null) {
    this.#leg = leg;
    [this.#address, this.#port] = from;
    this.#sealer = key === null ? null : new SrtpContext({ ...key, mkiBytes: key.mki });
    this.#packet.set(rtpPacket(0));
  }

  /** Whether it came through. */
  sends(relay: Relay, sequence: number): boolean {
    const packet = this.#packet;
    packet[2] = (sequence >> 8) & 255;
    packet[3] = sequence & 255;
    const length = this.#sealer?.protect(packet, 172) ?? 172;
    return relay.receiveRtp(this.#leg, packet, length, this.#address, this.#port) > 0;
  }
}

function heap(): { readonly objects: number; readonly bytes: number } {
  Bun.gc(true);
  const { objectCount, heapSize } = heapStats();
  return { objects: objectCount, bytes: heapSize };
}

const MODES = [
  { name: "RTP-RTP", outer: false, inner: false },
  { name: "SRTP-RTP", outer: true, inner: false },
  { name: "SRTP-SRTP", outer: true, inner: true },
] as const;

test.each([...MODES])("$name", ({ outer, inner }) => {
  const relay = new Relay({ packetsPerSecond: 1000, maxSsrcs: 16 });
  const stream = new RelayStream();
  const keys = (isSrtp: boolean, fill: number) => ({
    inbound: isSrtp ? crypto(fill) : null,
    outbound: isSrtp ? crypto(fill + 1) : null,
  });
  const [phoneKeys, instanceKeys] = [keys(outer, 1), keys(inner, 3)];
  relay.tick(1000);
  const outside = { bindAddress: "203.0.113.1", signallingAddress: PHONE, forbiddenAddresses: [] };
  const inside = { bindAddress: "10.0.1.1", allowedNetworks: [INSTANCE] };
  relay.configure(
    stream.outer,
    outerSettings({ ...outside, learnsAnySource: false }, remote(PHONE, 4000), phoneKeys),
  );
  relay.configure(stream.inner, innerSettings(inside, remote(INSTANCE, 12_000), instanceKeys));
  const phone = new Sender(stream.outer, [PHONE, 4000], phoneKeys.inbound);
  const instance = new Sender(stream.inner, [INSTANCE, 12_000], instanceKeys.inbound);
  let sequence = 0;
  const talk = (count: number): number => {
    let passed = 0;
    for (const end = sequence + count; sequence < end; sequence += 1) {
      relay.tick(1000 + sequence * 20);
      if (phone.sends(relay, sequence)) passed += 1;
      if (instance.sends(relay, sequence)) passed += 1;
    }
    return passed;
  };
  talk(PACKETS);
  const before = heap();
  expect(talk(PACKETS)).toBe(2 * PACKETS);
  const after = heap();
  expect(after.objects - before.objects).toBeLessThan(CONSTANT_OBJECTS);
  expect(after.bytes - before.bytes).toBeLessThan(CONSTANT_BYTES);
});
