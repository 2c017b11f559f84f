/** What a leg's ports carry: RTP with RTCP beside it, both at one port (RFC 5761), or T.38's UDPTL. */
import { beforeEach, expect, test } from "bun:test";
import {
  contextOf,
  INSTANCE,
  keyOf,
  PHONE,
  protect,
  rtcpPacket,
  rtpPacket,
  SUITE,
} from "../../test/flows/media-ends.ts";
import { dropsByReason } from "./counters.ts";
import type { Carried, LegCrypto, LegSettings } from "./engine.ts";
import { innerSettings, type LegKeys, outerSettings } from "./leg-settings.ts";
import { Relay } from "./relay.ts";
import { type RelayLeg, RelayStream } from "./relay-leg.ts";

const PLAIN: LegKeys = { inbound: null, outbound: null };
const REPORT = rtcpPacket({ lengthBytes: 32 });
const FAX = new Uint8Array([0, 1, 2, 6, 9, 0, 0]);

let relay: Relay;
let stream: RelayStream;

beforeEach(() => {
  relay = new Relay({ packetsPerSecond: 100, maxSsrcs: 16 });
  relay.tick(5000);
  stream = new RelayStream();
});

const remote = (address: string, rtpPort: number, carries: Carried) =>
  ({
    address,
    rtpPort,
    rtcpPort: rtpPort + 1,
    rtcpAddress: null,
    isHeld: false,
    direction: "sendrecv",
    carries,
    codecs: [],
  }) as const;

function outer(carries: Carried, keys: LegKeys = PLAIN): LegSettings {
  const place = { bindAddress: "203.0.113.1", signallingAddress: PHONE, forbiddenAddresses: [] };
  return outerSettings({ ...place, learnsAnySource: false }, remote(PHONE, 4000, carries), keys);
}

function inner(carries: Carried, keys: LegKeys = PLAIN): LegSettings {
  const place = { bindAddress: "10.0.1.1", allowedNetworks: [INSTANCE] };
  return innerSettings(place, remote(INSTANCE, 12_000, carries), keys);
}

function open(outside: LegSettings, inside: LegSettings): void {
  relay.configure(stream.outer, outside);
  relay.configure(stream.inner, inside);
}

/** What comes of it: bytes and the place they go to; null = dropped. */
function at(
  leg: RelayLeg,
  port: "rtp" | "rtcp",
  packet: Uint8Array,
  from: readonly [string, number],
): { readonly bytes: Uint8Array; readonly to: string } | null {
  const receive = port === "rtp" ? relay.receiveRtp.bind(relay) : relay.receiveRtcp.bind(relay);
  const length = receive(leg, packet, packet.length, from[0], from[1]);
  if (length === 0) return null;
  const { latch } = relay.isForRtcpPort ? leg.peer.rtcp : leg.peer.rtp;
  const to = `${relay.isForRtcpPort ? "rtcp" : "rtp"} ${latch.targetAddress}:${latch.targetPort}`;
  return { bytes: relay.output.slice(), to };
}

const dropsOf = (leg: RelayLeg) => dropsByReason(leg.counters.drops);

test.each([
  ["rtp", "rtp", 4001, `rtcp ${INSTANCE}:12001`, `rtcp ${PHONE}:4001`],
  ["rtp-mux", "rtp", 4000, `rtcp ${INSTANCE}:12001`, `rtp ${PHONE}:4000`],
  ["rtp", "rtp-mux", 4001, `rtp ${INSTANCE}:12000`, `rtcp ${PHONE}:4001`],
  ["rtp-mux", "rtp-mux", 4000, `rtp ${INSTANCE}:12000`, `rtp ${PHONE}:4000`],
] as const)("RTCP between a phone's %s and an instance's %s", (near, far, port, there, back) => {
  open(outer(near), inner(far));
  const ports = {
    near: near === "rtp" ? "rtcp" : "rtp",
    far: far === "rtp" ? "rtcp" : "rtp",
  } as const;
  expect(at(stream.outer, ports.near, REPORT, [PHONE, port])).toEqual({ bytes: REPORT, to: there });
  const from = far === "rtp" ? 12_001 : 12_000;
  const answer = at(stream.inner, ports.far, REPORT, [INSTANCE, from]);
  expect(answer).toEqual({ bytes: REPORT, to: back });
  expect(at(stream.outer, "rtp", rtpPacket(1), [PHONE, 4000])?.to).toBe(`rtp ${INSTANCE}:12000`);
  expect(stream.outer.counters).toMatchObject({ packets: 1, rtcpPackets: 1 });
  expect(relay.drops.every((count) => count === 0)).toBe(true);
});

test("RTCP on the port of RTP is a stranger's where nobody agreed to it", () => {
  open(outer("rtp"), inner("rtp-mux"));
  expect(at(stream.outer, "rtp", REPORT, [PHONE, 4000])).toBeNull();
  expect(dropsOf(stream.outer)).toEqual({ "not-rtp": 1 });
});

test("shared ports keep the rules: a foreign source, STUN and a flood are dropped by reason", () => {
  open(outer("rtp-mux"), inner("rtp"));
  expect(at(stream.outer, "rtp", REPORT, ["192.0.2.66", 4000])).toBeNull();
  expect(at(stream.outer, "rtp", new Uint8Array(20).with(1, 1), [PHONE, 4000])).toBeNull();
  expect(dropsOf(stream.outer)).toEqual({ "foreign-source": 1, "not-rtp": 1 });
  for (let sent = 0; sent < 101; sent++) at(stream.outer, "rtp", REPORT, [PHONE, 4000]);
  expect(dropsOf(stream.outer)["excess"]).toBe(1);
});

test("SRTCP on the port of SRTP is authenticated, moves the peer, and a forged one does neither", () => {
  const key: LegCrypto = { suite: SUITE, key: keyOf(1), mki: new Uint8Array(0) };
  open(outer("rtp-mux", { inbound: key, outbound: null }), inner("rtp"));
  const phone = contextOf(keyOf(1));
  const report = (): Uint8Array => {
    const bytes = new Uint8Array(100);
    bytes.set(REPORT);
    return bytes.slice(0, phone.protectRtcp(bytes, REPORT.length));
  };
  expect(at(stream.outer, "rtp", protect(phone, rtpPacket(1)), [PHONE, 4000])).not.toBeNull();
  const forged = report().with(12, 99);
  expect(at(stream.outer, "rtp", forged, ["192.0.2.66", 9])).toBeNull();
  expect(stream.outer.rtp.latch.sourceAddress).toBe(PHONE);
  expect(at(stream.outer, "rtp", report(), ["198.51.100.99", 40_000])?.bytes).toEqual(REPORT);
  expect(stream.outer.rtp.latch.sourceAddress).toBe("198.51.100.99");
});

test("UDPTL passes as it is, whatever its first bytes look like", () => {
  open(outer("udptl"), inner("udptl"));
  for (const first of [
    [0, 0],
    [0x80, 0],
    [0x80, 200],
    [0xff, 0xff],
  ]) {
    const packet = new Uint8Array([...first, 2, 6, 9, 0, 0]);
    const passed = at(stream.outer, "rtp", packet, [PHONE, 4000]);
    expect(passed).toEqual({ bytes: packet, to: `rtp ${INSTANCE}:12000` });
  }
  expect(at(stream.inner, "rtp", FAX, [INSTANCE, 12_000])?.to).toBe(`rtp ${PHONE}:4000`);
  expect(stream.outer.counters).toMatchObject({ packets: 4, octets: 28, lastSeenMs: 5000 });
});

test("UDPTL keeps the rules of source, size and ceiling, and has no RTCP", () => {
  open(outer("udptl"), inner("udptl"));
  expect(at(stream.outer, "rtp", FAX, ["192.0.2.66", 4000])).toBeNull();
  expect(at(stream.outer, "rtp", new Uint8Array(3), [PHONE, 4000])).toBeNull();
  expect(at(stream.outer, "rtp", new Uint8Array(1501), [PHONE, 4000])).toBeNull();
  expect(at(stream.outer, "rtcp", REPORT, [PHONE, 4001])).toBeNull();
  for (let sent = 0; sent < 101; sent++) at(stream.outer, "rtp", FAX, [PHONE, 4000]);
  expect(dropsOf(stream.outer)).toEqual({
    "foreign-source": 1,
    malformed: 1,
    oversize: 1,
    "not-open": 1,
    excess: 1,
  });
});

test("a fax never leaves on a leg that carries audio", () => {
  open(outer("udptl"), inner("rtp"));
  expect(at(stream.outer, "rtp", FAX, [PHONE, 4000])).toBeNull();
  expect(dropsOf(stream.inner)).toEqual({ "not-open": 1 });
});

test("audio that was on its way when the fax began does not leave in the clear", () => {
  const key: LegCrypto = { suite: SUITE, key: keyOf(1), mki: new Uint8Array(0) };
  open(outer("rtp", { inbound: key, outbound: key }), inner("rtp"));
  const speech = rtpPacket(1);
  expect(at(stream.inner, "rtp", speech, [INSTANCE, 12_000])?.bytes).not.toEqual(speech);
  open(outer("udptl"), inner("udptl"));
  expect(at(stream.inner, "rtp", rtpPacket(2), [INSTANCE, 12_000])).toBeNull();
  expect(at(stream.inner, "rtp", FAX, [INSTANCE, 12_000])?.bytes).toEqual(FAX);
  expect(dropsOf(stream.inner)).toEqual({ "not-open": 1 });
  open(outer("udptl"), inner("rtp"));
  expect(at(stream.inner, "rtp", rtpPacket(3), [INSTANCE, 12_000])).toBeNull();
  expect(at(stream.inner, "rtcp", REPORT, [INSTANCE, 12_001])).toBeNull();
});

test("a key of ours is never begun anew: not after two other suites, not after a fax", () => {
  const own = (fill: number): LegKeys => {
    const crypto: LegCrypto = { suite: SUITE, key: keyOf(fill), mki: new Uint8Array(0) };
    return { inbound: crypto, outbound: crypto };
  };
  const speak = () => at(stream.inner, "rtp", rtpPacket(7), [INSTANCE, 12_000]);
  open(outer("rtp", own(1)), inner("rtp"));
  const first = speak();
  for (const fill of [2, 3, 4]) open(outer("rtp", own(fill)), inner("rtp"));
  open(outer("udptl"), inner("udptl"));
  open(outer("rtp", own(1)), inner("rtp"));
  expect(first).not.toBeNull();
  expect(speak()).toBeNull();
  expect(dropsOf(stream.outer)).toEqual({ protect: 1 });
});

test("audio goes on under the key and counter it had when the fax is over", () => {
  const key: LegCrypto = { suite: SUITE, key: keyOf(1), mki: new Uint8Array(0) };
  const audio = outer("rtp", { inbound: key, outbound: null });
  open(audio, inner("rtp"));
  const phone = contextOf(keyOf(1));
  at(stream.outer, "rtp", protect(phone, rtpPacket(65_535)), [PHONE, 4000]);
  at(stream.outer, "rtp", protect(phone, rtpPacket(0)), [PHONE, 4000]);
  open(outer("udptl"), inner("udptl"));
  expect(at(stream.outer, "rtp", FAX, [PHONE, 4000])?.bytes).toEqual(FAX);
  relay.tick(90_000);
  open(audio, inner("rtp"));
  const next = at(stream.outer, "rtp", protect(phone, rtpPacket(1)), [PHONE, 4000]);
  expect(next?.bytes).toEqual(rtpPacket(1));
});
