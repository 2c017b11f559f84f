import { expect, test } from "bun:test";
import {
  isRtcp,
  isRtp,
  marker,
  packetKind,
  payloadType,
  rtcpSsrc,
  rtpHeaderBytes,
  sequenceNumber,
  ssrc,
  timestamp,
} from "./packet.ts";

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const kind = (hex: string): string => packetKind(bytes(hex), hex.length / 2);
const headerOf = (hex: string): number => rtpHeaderBytes(bytes(hex), hex.length / 2);

const RTP = "80881234decafbadfafebabe";

test("the fixed fields of RTP are read unsigned", () => {
  const packet = bytes(RTP);
  expect(marker(packet)).toBe(true);
  expect(payloadType(packet)).toBe(8);
  expect(sequenceNumber(packet)).toBe(0x1234);
  expect(timestamp(packet)).toBe(0xdecafbad);
  expect(ssrc(packet)).toBe(0xfafebabe);
  expect(rtcpSsrc(bytes("80c90001fafebabe"))).toBe(0xfafebabe);
});

test("first bytes tell RTP, RTCP, STUN and DTLS apart (RFC 7983)", () => {
  expect(kind(RTP)).toBe("rtp");
  expect(kind("80c90001cafebabe")).toBe("rtcp");
  expect(kind("80cd000acafebabe00000000")).toBe("rtcp");
  expect(kind("000100002112a442000000000000000000000000")).toBe("stun");
  expect(kind("16feff0000000000000000002a")).toBe("dtls");
  expect(kind("40881234decafbadfafebabe")).toBe("unknown");
  expect(kind("80")).toBe("unknown");
  expect(kind("")).toBe("unknown");
});

test("types 192 to 223 are RTCP, their neighbours are RTP", () => {
  for (const [type, isControl] of [
    [191, false],
    [192, true],
    [223, true],
    [224, false],
  ] as const) {
    const packet = bytes(RTP);
    packet[1] = type;
    expect(isRtcp(packet, 12)).toBe(isControl);
    expect(isRtp(packet, 12)).toBe(!isControl);
  }
});

test("the header grows with CSRCs and the extension", () => {
  expect(headerOf(RTP)).toBe(12);
  expect(headerOf(`82${RTP.slice(2)}${"00".repeat(8)}`)).toBe(20);
  expect(headerOf(`90${RTP.slice(2)}bede0001${"00".repeat(4)}`)).toBe(20);
  expect(headerOf(`91${RTP.slice(2)}${"00".repeat(4)}bede0000`)).toBe(20);
});

test("a header that claims more than there is is malformed", () => {
  expect(headerOf(RTP.slice(2))).toBe(0);
  expect(headerOf(`81${RTP.slice(2)}0000`)).toBe(0);
  expect(headerOf(`90${RTP.slice(2)}bede`)).toBe(0);
  expect(headerOf(`90${RTP.slice(2)}bede0002${"00".repeat(4)}`)).toBe(0);
  expect(headerOf(`90${RTP.slice(2)}bedeffff${"00".repeat(4)}`)).toBe(0);
  expect(headerOf(`00${RTP.slice(2)}`)).toBe(0);
});
