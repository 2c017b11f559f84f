import { expect, test } from "bun:test";
import vectors from "../../test/vectors/libsrtp.json";
import { slowKeys, slowProtectRtcp } from "../../test/vectors/slow-srtp.ts";
import { SrtpContext } from "./srtp-context.ts";

const key = Buffer.from(vectors.masterKey + vectors.masterSalt, "hex");
const keys = slowKeys(key, "srtcp");
const report = Buffer.from(vectors.rtcp.plain, "hex");

const context = (mkiBytes = new Uint8Array(0), maxSsrcs = 16): SrtpContext =>
  new SrtpContext({ suite: "AES_CM_128_HMAC_SHA1_32", key, mkiBytes, maxSsrcs });

function protect(sender: SrtpContext, packet: Uint8Array): string {
  const room = new Uint8Array(packet.length + sender.rtcpOverheadBytes);
  room.set(packet);
  const length = sender.protectRtcp(room, packet.length);
  return length === 0
    ? (sender.refusal ?? "no reason")
    : Buffer.from(room.subarray(0, length)).toString("hex");
}

function unprotect(receiver: SrtpContext, packet: Uint8Array): string {
  const copy = new Uint8Array(packet);
  const length = receiver.unprotectRtcp(copy, copy.length);
  return length === 0
    ? (receiver.refusal ?? "no reason")
    : Buffer.from(copy.subarray(0, length)).toString("hex");
}

test("the second packet is libsrtp's own; the tag has 80 bits under _32 too", () => {
  const sender = context();
  expect(protect(sender, report)).toBe(slowProtectRtcp(keys, report, 0).toString("hex"));
  expect(protect(sender, report)).toBe(vectors.rtcp.protected);
  expect(unprotect(context(), Buffer.from(vectors.rtcp.protected, "hex"))).toBe(vectors.rtcp.plain);
});

test("a replay is refused, an older index within the window is not", () => {
  const receiver = context();
  for (const [index, result] of [
    [300, vectors.rtcp.plain],
    [300, "replay"],
    [290, vectors.rtcp.plain],
    [290, "replay"],
    [172, "replay"],
    [0x7fffffff, vectors.rtcp.plain],
  ] as const) {
    expect(unprotect(receiver, slowProtectRtcp(keys, report, index))).toBe(result);
  }
});

test("a packet with the E bit off is authenticated and taken as it is", () => {
  const clear = slowProtectRtcp(keys, report, 5, false);
  expect(unprotect(context(), clear)).toBe(vectors.rtcp.plain);
});

test("every bit is protected, the E bit and the index too", () => {
  const receiver = context();
  const packet = slowProtectRtcp(keys, report, 77);
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const tampered = Buffer.from(packet);
    tampered[bit >> 3] = tampered[bit >> 3]! ^ (1 << (bit & 7));
    expect(["auth", "malformed"]).toContain(unprotect(receiver, tampered));
  }
  expect(unprotect(receiver, packet)).toBe(vectors.rtcp.plain);
});

test("what is shorter than a header, an index and a tag is malformed", () => {
  const packet = slowProtectRtcp(keys, report.subarray(0, 8), 1);
  expect(packet.length).toBe(22);
  expect(unprotect(context(), packet)).toBe(report.subarray(0, 8).toString("hex"));
  expect(unprotect(context(), packet.subarray(0, 21))).toBe("malformed");
  expect(unprotect(context(), new Uint8Array(0))).toBe("malformed");
  expect(protect(context(), new Uint8Array(7))).toBe("malformed");
  expect(context().protectRtcp(Buffer.from(report), report.length)).toBe(0);
});

test("an MKI stands between index and tag", () => {
  const mkiBytes = new Uint8Array([1, 2]);
  const packet = slowProtectRtcp(keys, report, 0, true, mkiBytes);
  expect(protect(context(mkiBytes), report)).toBe(packet.toString("hex"));
  expect(unprotect(context(mkiBytes), packet)).toBe(vectors.rtcp.plain);
  expect(unprotect(context(new Uint8Array([1, 3])), packet)).toBe("auth");
});

test("SSRCs beyond the limit are refused, the known ones go on", () => {
  const receiver = context(new Uint8Array(0), 1);
  const from = (ssrc: number): Buffer => {
    const packet = Buffer.from(report);
    packet.writeUInt32BE(ssrc, 4);
    return packet;
  };
  for (let ssrc = 1; ssrc <= 64; ssrc++) unprotect(receiver, slowProtectRtcp(keys, from(ssrc), 1));
  expect(unprotect(receiver, slowProtectRtcp(keys, from(65), 1))).toBe("ssrc-limit");
  expect(unprotect(receiver, slowProtectRtcp(keys, from(1), 2))).toBe(from(1).toString("hex"));
});
