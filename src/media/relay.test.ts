import { beforeEach, expect, test } from "bun:test";
import {
  contextOf,
  keyOf,
  protect,
  rtcpPacket,
  rtpPacket,
  SUITE,
  unprotect,
} from "../../test/flows/media-ends.ts";
import { dropsByReason } from "./counters.ts";
import type { LegCrypto, LegSettings } from "./engine.ts";
import { Relay } from "./relay.ts";
import { RelayStream } from "./relay-leg.ts";

const PHONE = "198.51.100.7";
const INSTANCE = "10.0.1.10";

function settings(o: Partial<LegSettings> = {}): LegSettings {
  return {
    carries: "rtp",
    clocks: [0, 8000],
    signalled: { address: PHONE, port: 4000 },
    signalledRtcp: { address: PHONE, port: 4001 },
    sipSource: PHONE,
    learnsAnySource: false,
    allowedNetworks: null,
    forbiddenNetworks: ["127.0.0.0/8"],
    early: { address: PHONE, port: 4000 },
    earlyRtcp: { address: PHONE, port: 4001 },
    isSignalledTrusted: false,
    isHeld: false,
    inbound: null,
    outbound: null,
    ...o,
  };
}

function key(fill: number, mki: number[] = []): LegCrypto {
  return { suite: SUITE, key: keyOf(fill), mki: new Uint8Array(mki) };
}

const INNER_SETTINGS = settings({
  signalled: { address: INSTANCE, port: 12_000 },
  signalledRtcp: { address: INSTANCE, port: 12_001 },
  sipSource: null,
  learnsAnySource: true,
  allowedNetworks: ["10.0.1.0/24"],
  early: { address: INSTANCE, port: 12_000 },
  earlyRtcp: { address: INSTANCE, port: 12_001 },
  isSignalledTrusted: true,
});

let relay: Relay;
let stream: RelayStream;

beforeEach(() => {
  relay = new Relay({ packetsPerSecond: 1000, maxSsrcs: 16 });
  relay.tick(5000);
  stream = new RelayStream();
});

function open(outer: LegSettings = settings(), inner: LegSettings = INNER_SETTINGS): void {
  relay.configure(stream.outer, outer);
  relay.configure(stream.inner, inner);
}

/** What goes to the instance when this comes from outside; null = nothing. */
function fromPhone(packet: Uint8Array, address = PHONE, port = 4000): Uint8Array | null {
  const length = relay.receiveRtp(stream.outer, packet, packet.length, address, port);
  return length === 0 ? null : relay.output.slice();
}

function outerDrops(): Record<string, number> {
  return dropsByReason(stream.outer.counters.drops);
}

test("before the answer nothing passes", () => {
  expect(fromPhone(rtpPacket(1))).toBeNull();
  expect(outerDrops()).toEqual({ "not-open": 1 });
  expect(stream.outer.rtp.latch.isLatched).toBe(false);
});

test("a packet leaves as the very bytes that came in when nothing has to be encrypted", () => {
  open();
  const packet = rtpPacket(1);
  expect(relay.receiveRtp(stream.outer, packet, packet.length, PHONE, 4000)).toBe(172);
  expect(relay.output).toBe(packet);
  const { targetAddress, targetPort } = stream.inner.rtp.latch;
  expect([targetAddress, targetPort]).toEqual([INSTANCE, 12_000]);
});

test("a packet in a longer buffer leaves with its own length", () => {
  open();
  const buffer = new Uint8Array(1501);
  buffer.set(rtpPacket(1));
  expect(relay.receiveRtp(stream.outer, buffer, 172, PHONE, 4000)).toBe(172);
  expect(relay.output).toEqual(rtpPacket(1));
});

const STUN = new Uint8Array(20).fill(0).with(1, 1);
const DTLS_HELLO = new Uint8Array(60).with(0, 22);
const MALFORMED: readonly [string, Uint8Array, string][] = [
  ["an empty datagram", new Uint8Array(0), "not-rtp"],
  ["four zero bytes", new Uint8Array(4), "not-rtp"],
  ["eleven bytes", rtpPacket(1).slice(0, 11), "not-rtp"],
  ["RTP version 1", rtpPacket(1).with(0, 0x40), "not-rtp"],
  ["STUN", STUN, "not-rtp"],
  ["a DTLS hello", DTLS_HELLO, "not-rtp"],
  ["RTCP on the RTP port", rtcpPacket({ lengthBytes: 32 }), "not-rtp"],
  ["more CSRCs than bytes", rtpPacket(1).slice(0, 60).with(0, 0x8f), "malformed"],
  ["an extension longer than the packet", rtpPacket(1, { fill: 255 }).with(0, 0x90), "malformed"],
  ["1501 bytes", largePacket(1501), "oversize"],
];

function largePacket(lengthBytes: number): Uint8Array {
  const packet = new Uint8Array(lengthBytes);
  packet.set(rtpPacket(1));
  return packet;
}

for (const [name, packet, reason] of MALFORMED) {
  test(`${name} is dropped as ${reason} and does not latch`, () => {
    open();
    expect(fromPhone(packet)).toBeNull();
    expect(outerDrops()).toEqual({ [reason]: 1 });
    expect(stream.outer.rtp.latch.isLatched).toBe(false);
  });
}

test("1500 bytes pass, encrypted too", () => {
  open(settings(), { ...INNER_SETTINGS, outbound: key(2) });
  expect(fromPhone(largePacket(1500))?.length).toBe(1510);
});

test("a forbidden network is never learnt, whatever it sends", () => {
  open(settings({ learnsAnySource: true }));
  expect(fromPhone(rtpPacket(1), "127.0.0.1", 4000)).toBeNull();
  expect(outerDrops()).toEqual({ "foreign-source": 1 });
});

test("a forbidden network is not learnt with the right key either", () => {
  open(settings({ inbound: key(1) }));
  expect(fromPhone(protect(contextOf(keyOf(1)), rtpPacket(1)), "127.0.0.1", 4000)).toBeNull();
  expect(outerDrops()).toEqual({ "foreign-source": 1 });
});

test("of 3000 packets in one second exactly 1000 pass, and the next second is free again", () => {
  open();
  let passed = 0;
  for (let i = 0; i < 3000; i++) if (fromPhone(rtpPacket(i)) !== null) passed++;
  expect(passed).toBe(1000);
  expect(outerDrops()).toEqual({ excess: 2000 });
  relay.tick(6000);
  expect(fromPhone(rtpPacket(3001))).not.toBeNull();
});

test("a flood of forged SRTP has a small ceiling of its own and costs the phone nothing", () => {
  open(settings({ inbound: key(1) }));
  const phone = contextOf(keyOf(1));
  fromPhone(protect(phone, rtpPacket(1)));
  const forged = protect(contextOf(keyOf(9)), rtpPacket(2));
  for (let i = 0; i < 500; i++) fromPhone(forged, "192.0.2.66", 1);
  expect(outerDrops()).toEqual({ auth: 100, excess: 400 });
  for (let i = 2; i < 900; i++) expect(fromPhone(protect(phone, rtpPacket(i)))).not.toBeNull();
});

test("a bad tag is counted and never ends the stream", () => {
  open(settings({ inbound: key(1) }));
  const phone = contextOf(keyOf(1));
  for (let i = 1; i <= 200; i++) {
    const packet = protect(phone, rtpPacket(i));
    packet[20]! ^= 1;
    expect(fromPhone(packet)).toBeNull();
  }
  expect(outerDrops()).toEqual({ auth: 200 });
  expect(fromPhone(protect(phone, rtpPacket(300)))).toEqual(rtpPacket(300));
});

test("a replayed packet is dropped as one", () => {
  open(settings({ inbound: key(1) }));
  const packet = protect(contextOf(keyOf(1)), rtpPacket(1));
  expect(fromPhone(packet)).toEqual(rtpPacket(1));
  expect(fromPhone(packet)).toBeNull();
  expect(outerDrops()).toEqual({ replay: 1 });
});

test("packets that carry an MKI are understood", () => {
  open(settings({ inbound: key(1, [0, 0, 0, 1]) }));
  const phone = contextOf(keyOf(1), [0, 0, 0, 1]);
  expect(fromPhone(protect(phone, rtpPacket(1)))).toEqual(rtpPacket(1));
});

test("what the instance sends is encrypted with our key and counted on its leg", () => {
  open(settings({ outbound: key(3) }));
  const packet = rtpPacket(77);
  const length = relay.receiveRtp(stream.inner, packet, packet.length, INSTANCE, 12_000);
  expect(length).toBe(182);
  expect(unprotect(contextOf(keyOf(3)), relay.output)).toEqual(rtpPacket(77));
  const { packets, octets, lastSeenMs } = stream.inner.counters;
  expect([packets, octets, lastSeenMs]).toEqual([1, 172, 5000]);
});

test("the same key after new SDP keeps its rollover counter, also after another key in between", () => {
  open(settings({ inbound: key(1) }));
  const phone = contextOf(keyOf(1));
  fromPhone(protect(phone, rtpPacket(65_535)));
  fromPhone(protect(phone, rtpPacket(0)));
  relay.configure(stream.outer, settings({ inbound: key(2) }));
  relay.tick(60_000);
  relay.configure(stream.outer, settings({ inbound: key(1) }));
  expect(fromPhone(protect(phone, rtpPacket(1)))).toEqual(rtpPacket(1));
});

test("RTCP on the RTCP port only, from the address of RTP only", () => {
  open();
  fromPhone(rtpPacket(1));
  const report = rtcpPacket({ lengthBytes: 32 });
  const receive = (packet: Uint8Array, address: string) =>
    relay.receiveRtcp(stream.outer, packet, packet.length, address, 4001);
  expect(receive(report, "192.0.2.66")).toBe(0);
  expect(receive(rtpPacket(2), PHONE)).toBe(0);
  expect(receive(report, PHONE)).toBe(32);
  expect(stream.inner.rtcp.latch.targetPort).toBe(12_001);
  expect(outerDrops()).toEqual({ "foreign-source": 1, "not-rtp": 1 });
  expect(stream.outer.counters.rtcpPackets).toBe(1);
});

test("random and mutated packets neither throw nor pass", () => {
  open(settings({ inbound: key(1) }), { ...INNER_SETTINGS, outbound: key(2) });
  const phone = contextOf(keyOf(1));
  let seed = 42;
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed >>> 8;
  };
  for (let i = 0; i < 20_000; i++) {
    const packet = protect(phone, rtpPacket(i & 0xffff));
    const at = random() % packet.length;
    packet[at]! ^= 1 + (random() % 255);
    const length = random() % 3 === 0 ? random() % (packet.length + 1) : packet.length;
    relay.tick(5000 + i * 20);
    expect(relay.receiveRtp(stream.outer, packet, length, PHONE, 4000)).toBe(0);
    expect(relay.receiveRtcp(stream.outer, packet, length, PHONE, 4001)).toBe(0);
  }
  expect(fromPhone(protect(phone, rtpPacket(20_001)))).not.toBeNull();
});
