import { expect, test } from "bun:test";
import vectors from "../../test/vectors/libsrtp.json";
import { slowKeys, slowProtect } from "../../test/vectors/slow-srtp.ts";
import type { CryptoSuite } from "./crypto-suite.ts";
import { packetScratch } from "./packet-scratch.ts";
import { SrtpContext } from "./srtp-context.ts";
import { POSITION_CELLS } from "./srtp-position.ts";

const SUITE: CryptoSuite = "AES_CM_128_HMAC_SHA1_80";
const key = Buffer.from(vectors.masterKey + vectors.masterSalt, "hex");
const keys = slowKeys(key, "srtp");
const SSRC = 0xcafebabe;

const context = (options: { suite?: CryptoSuite; mkiBytes?: Uint8Array; maxSsrcs?: number } = {}) =>
  new SrtpContext({ suite: SUITE, key, ...options });

function rtp(sequence: number, ssrc = SSRC, payload = "sound of 20 ms"): Buffer {
  const header = Buffer.from("8008000000000000", "hex");
  header.writeUInt16BE(sequence, 2);
  const source = Buffer.alloc(4);
  source.writeUInt32BE(ssrc);
  return Buffer.concat([header, source, Buffer.from(payload)]);
}

/** The packet a peer with this ROC sends. */
const signed = (sequence: number, roc: number, ssrc = SSRC): Buffer =>
  slowProtect(keys, rtp(sequence, ssrc), roc, 10);

function unprotect(receiver: SrtpContext, packet: Uint8Array): string {
  const copy = new Uint8Array(packet);
  const length = receiver.unprotect(copy, copy.length);
  if (length === 0) return receiver.refusal ?? "no reason";
  return Buffer.from(copy.subarray(0, length)).toString("hex");
}

function protect(sender: SrtpContext, packet: Uint8Array): string {
  const room = new Uint8Array(packet.length + sender.overheadBytes);
  room.set(packet);
  const length = sender.protect(room, packet.length);
  if (length === 0) return sender.refusal ?? "no reason";
  return Buffer.from(room.subarray(0, length)).toString("hex");
}

const plain = (sequence: number, ssrc = SSRC): string => rtp(sequence, ssrc).toString("hex");

test("the packet of libsrtp's own test is made and read", () => {
  const packet = Buffer.from(vectors.rtp.plain, "hex");
  expect(protect(context(), packet)).toBe(vectors.rtp.protected);
  expect(unprotect(context(), Buffer.from(vectors.rtp.protected, "hex"))).toBe(vectors.rtp.plain);
});

test("_32 has a tag of 4 bytes, the packet is else the same", () => {
  const suite = "AES_CM_128_HMAC_SHA1_32";
  const packet = slowProtect(keys, rtp(7), 0, 4);
  expect(protect(context({ suite }), rtp(7))).toBe(packet.toString("hex"));
  expect(unprotect(context({ suite }), packet)).toBe(plain(7));
});

test("CSRCs and the header extension stay in the clear, the padding bit is kept", () => {
  const header = "b2881234decafbadcafebabe0000000100000002bede000111223344";
  const packet = Buffer.from(`${header}aabbccdd0000000004`, "hex");
  const out = slowProtect(keys, packet, 0, 10);
  expect(protect(context(), packet)).toBe(out.toString("hex"));
  expect(out.toString("hex").startsWith(header)).toBe(true);
  expect(unprotect(context(), out)).toBe(packet.toString("hex"));
});

test("a packet without payload is authenticated too", () => {
  const empty = rtp(1, SSRC, "");
  const out = slowProtect(keys, empty, 0, 10);
  expect(protect(context(), empty)).toBe(out.toString("hex"));
  expect(unprotect(context(), out)).toBe(empty.toString("hex"));
});

test("an array that starts at an odd address works, and what lies behind the packet stays", () => {
  const packet = signed(5, 0);
  const arena = new Uint8Array(packet.length + 8).fill(0x55);
  arena.set(packet, 3);
  const view = arena.subarray(3);
  const length = context().unprotect(view, packet.length);
  expect(Buffer.from(view.subarray(0, length)).toString("hex")).toBe(plain(5));
  expect([...arena.subarray(0, 3), ...arena.subarray(-5)]).toEqual(Array(8).fill(0x55));
});

test("a packet in the thread's scratch is worked on where it is", () => {
  const sender = context();
  packetScratch.bytes.set(rtp(9));
  const length = sender.protect(packetScratch.bytes, rtp(9).length);
  expect(Buffer.from(packetScratch.prefix(length)).toString("hex")).toBe(
    signed(9, 0).toString("hex"),
  );
  expect(context().unprotect(packetScratch.bytes, length)).toBe(rtp(9).length);
  expect(Buffer.from(packetScratch.prefix(rtp(9).length)).toString("hex")).toBe(plain(9));
});

test("a refused packet is left as it came, so that an older key can try it", () => {
  const otherKey = new SrtpContext({ suite: SUITE, key: Buffer.alloc(30, 1) });
  packetScratch.bytes.set(signed(9, 0));
  const { length } = signed(9, 0);
  expect(otherKey.unprotect(packetScratch.bytes, length)).toBe(0);
  expect(otherKey.refusal).toBe("auth");
  expect(context().unprotect(packetScratch.bytes, length)).toBe(length - 10);
});

test("too short, too long and broken packets are malformed", () => {
  const receiver = context();
  const packet = signed(1, 0);
  expect(unprotect(receiver, packet.subarray(0, 21))).toBe("malformed");
  expect(unprotect(receiver, new Uint8Array(0))).toBe("malformed");
  const withoutRoomForCsrc = Buffer.from(packet.subarray(0, 24));
  withoutRoomForCsrc[0] = 0x8f;
  expect(unprotect(receiver, withoutRoomForCsrc)).toBe("malformed");
  const long = Buffer.alloc(2045);
  long.set(rtp(1));
  expect(unprotect(receiver, long)).toBe("malformed");
  expect(receiver.unprotect(packet, packet.length + 1)).toBe(0);
  expect(receiver.unprotectRtcp(Buffer.from("80c80006cafebabe", "hex"), 40)).toBe(0);
  expect(context().protect(new Uint8Array(30).fill(0x80), 21)).toBe(0);
  expect(context().protect(new Uint8Array(11), 11)).toBe(0);
});

test("every bit of a packet is protected", () => {
  const receiver = context();
  const packet = signed(1, 0);
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const tampered = Buffer.from(packet);
    tampered[bit >> 3] = tampered[bit >> 3]! ^ (1 << (bit & 7));
    expect(["auth", "malformed"]).toContain(unprotect(receiver, tampered));
  }
  expect(receiver.ssrcCount).toBe(0);
  expect(unprotect(receiver, packet)).toBe(plain(1));
});

test("a packet with a bad tag creates no SSRC and moves no ROC", () => {
  const receiver = context();
  expect(unprotect(receiver, signed(65_500, 0))).toBe(plain(65_500));
  for (let sequence = 0; sequence < 32_000; sequence += 1000) {
    const forged = signed(sequence, 7);
    expect(unprotect(receiver, forged)).toBe("auth");
  }
  expect(unprotect(receiver, signed(3, 9, 0x1111))).toBe("auth");
  expect(receiver.ssrcCount).toBe(1);
  expect(unprotect(receiver, signed(65_501, 0))).toBe(plain(65_501));
  expect(unprotect(receiver, signed(2, 1))).toBe(plain(2));
});

test("a replay is refused, also after the ROC has moved on and one ROC later", () => {
  const receiver = context();
  expect(unprotect(receiver, signed(65_535, 0))).toBe(plain(65_535));
  expect(unprotect(receiver, signed(0, 1))).toBe(plain(0));
  expect(unprotect(receiver, signed(65_535, 0))).toBe("replay");
  expect(unprotect(receiver, signed(0, 1))).toBe("replay");
  expect(unprotect(receiver, signed(65_534, 0))).toBe(plain(65_534));
  for (let sequence = 20_000; sequence < 65_536; sequence += 20_000) {
    expect(unprotect(receiver, signed(sequence, 1))).toBe(plain(sequence));
  }
  expect(unprotect(receiver, signed(0, 2))).toBe(plain(0));
  expect(unprotect(receiver, signed(0, 1))).toBe("replay");
  expect(unprotect(receiver, signed(1, 1))).toBe("auth");
});

test("a receiver that comes late, after the sender's ROC became 1, recovers", () => {
  const receiver = context();
  expect(unprotect(receiver, signed(5, 1))).toBe(plain(5));
  expect(receiver.recovered).toBe(1);
  expect(unprotect(receiver, signed(6, 1))).toBe(plain(6));
  expect(receiver.recovered).toBe(1);
});

test("a gap of more than half the sequence space is recovered by ROC + 1", () => {
  const receiver = context();
  expect(unprotect(receiver, signed(100, 0))).toBe(plain(100));
  expect(unprotect(receiver, signed(40_000, 0))).toBe(plain(40_000));
  expect(unprotect(receiver, signed(39_000, 0))).toBe("replay");
  expect(unprotect(receiver, signed(39_000, 1))).toBe(plain(39_000));
  expect(unprotect(receiver, signed(60_000, 2))).toBe(plain(60_000));
  expect(receiver.recovered).toBe(2);
});

test("a phone that restarts ROC or numbers is heard again after expectRestart(), once", () => {
  const receiver = context();
  for (const sequence of [65_000, 200]) {
    unprotect(receiver, signed(sequence, sequence === 200 ? 1 : 0));
  }
  expect(unprotect(receiver, signed(201, 0))).toBe("auth");
  receiver.expectRestart();
  expect(unprotect(receiver, signed(201, 0))).toBe(plain(201));
  expect(unprotect(receiver, signed(202, 0))).toBe(plain(202));
  expect(unprotect(receiver, signed(20, 0))).toBe("replay");
  receiver.expectRestart();
  expect(unprotect(receiver, signed(20, 0))).toBe(plain(20));
  expect(unprotect(receiver, signed(20, 0))).toBe("replay");
  expect(unprotect(receiver, signed(21, 0))).toBe(plain(21));
});

test("the permission to restart ends after 256 packets", () => {
  const receiver = context();
  unprotect(receiver, signed(5000, 0));
  receiver.expectRestart();
  for (let sequence = 5001; sequence <= 5256; sequence++) unprotect(receiver, signed(sequence, 0));
  expect(unprotect(receiver, signed(7, 0))).toBe("replay");
});

test("a replayed old packet can use up the restart, but the honest stream goes on", () => {
  const receiver = context();
  unprotect(receiver, signed(65_000, 0));
  unprotect(receiver, signed(30_000, 1));
  receiver.expectRestart();
  expect(unprotect(receiver, signed(50_000, 0))).toBe(plain(50_000));
  expect(unprotect(receiver, signed(30_001, 1))).toBe(plain(30_001));
  expect(unprotect(receiver, signed(50_001, 0))).toBe("auth");
  expect(unprotect(receiver, signed(30_002, 1))).toBe(plain(30_002));
});

test("recovery stays possible in a flood of forged packets, at one look in eight", () => {
  const receiver = context();
  unprotect(receiver, signed(100, 0));
  for (let sequence = 200; sequence < 1000; sequence++) {
    expect(unprotect(receiver, signed(sequence, 5))).toBe("auth");
  }
  const results = Array.from({ length: 8 }, (_, i) => unprotect(receiver, signed(50_000 + i, 1)));
  expect(results.filter((result) => result === "auth").length).toBeLessThan(8);
  expect(receiver.recovered).toBe(1);
});

test("SSRCs may change in mid-call; one that returns keeps its ROC and its window", () => {
  const receiver = context({ maxSsrcs: 2 });
  unprotect(receiver, signed(65_535, 0, 1));
  expect(unprotect(receiver, signed(0, 1, 1))).toBe(plain(0, 1));
  for (let ssrc = 2; ssrc < 20; ssrc++) {
    expect(unprotect(receiver, signed(10, 0, ssrc))).toBe(plain(10, ssrc));
  }
  expect(unprotect(receiver, signed(0, 1, 1))).toBe("replay");
  expect(unprotect(receiver, signed(1, 1, 1))).toBe(plain(1, 1));
  expect(receiver.recovered).toBe(0);
  expect(receiver.ssrcCount).toBe(19);
});

test("a key that was used by 64 times maxSsrcs SSRCs takes no further one", () => {
  const sender = context({ maxSsrcs: 1 });
  const receiver = context({ maxSsrcs: 1 });
  for (let ssrc = 1; ssrc <= 64; ssrc++) {
    expect(protect(sender, rtp(1, ssrc))).toBe(signed(1, 0, ssrc).toString("hex"));
    unprotect(receiver, signed(1, 0, ssrc));
  }
  expect(protect(sender, rtp(1, 65))).toBe("ssrc-limit");
  expect(protect(sender, rtp(2, 64))).toBe(signed(2, 0, 64).toString("hex"));
  packetScratch.bytes.set(signed(1, 0, 65));
  expect(receiver.unprotect(packetScratch.bytes, signed(1, 0, 65).length)).toBe(0);
  expect(receiver.refusal).toBe("ssrc-limit");
  expect(context().unprotect(packetScratch.bytes, signed(1, 0, 65).length)).toBeGreaterThan(0);
});

test("an MKI stands before the tag, is not signed, and has to be the right one", () => {
  const mkiBytes = new Uint8Array([0, 0, 1, 9]);
  const packet = slowProtect(keys, rtp(3), 0, 10, mkiBytes);
  expect(protect(context({ mkiBytes }), rtp(3))).toBe(packet.toString("hex"));
  expect(unprotect(context({ mkiBytes }), packet)).toBe(plain(3));
  expect(unprotect(context({ mkiBytes: new Uint8Array([0, 0, 1, 8]) }), packet)).toBe("auth");
});

test("the sender counts wraps, and late packets from upstream get the ROC they belong to", () => {
  const sender = context();
  for (const [sequence, roc] of [
    [65_534, 0],
    [1, 1],
    [65_535, 0],
    [0, 1],
    [30_000, 1],
    [62_000, 1],
    [5, 2],
  ] as const) {
    expect(protect(sender, rtp(sequence))).toBe(signed(sequence, roc).toString("hex"));
  }
});

test("a sequence number is never sent twice under one key, whatever its content", () => {
  const sender = context();
  expect(protect(sender, rtp(1000))).toBe(signed(1000, 0).toString("hex"));
  expect(protect(sender, rtp(1000, SSRC, "something else"))).toBe("replay");
  expect(protect(sender, rtp(700))).toBe("replay");
  expect(protect(sender, rtp(1001))).toBe(signed(1001, 0).toString("hex"));
});

test("a source that starts its numbers again goes on with the next ones", () => {
  const sender = context();
  const receiver = context();
  const relay = (sequence: number): string => {
    const out = protect(sender, rtp(sequence));
    return out === "replay" ? out : unprotect(receiver, Buffer.from(out, "hex"));
  };
  expect(relay(30_000)).toBe(plain(30_000));
  expect(relay(100)).toBe("replay");
  expect(relay(101)).toBe(plain(30_001));
  expect(relay(102)).toBe(plain(30_002));
  expect(relay(104)).toBe(plain(30_004));
  expect(relay(103)).toBe(plain(30_003));
  expect(relay(102)).toBe("replay");
});

function positionOf(died: SrtpContext): Float64Array {
  const cells = new Float64Array(POSITION_CELLS + 2).fill(7, POSITION_CELLS);
  died.writePosition(cells, 0);
  expect([...cells.subarray(POSITION_CELLS)]).toEqual([7, 7]);
  return cells;
}

test("every SSRC of a leg goes on where it was, not only the one heard last", () => {
  const died = context();
  const ssrcs = Array.from({ length: 16 }, (_, at) => at);
  const packets = ssrcs.map((ssrc) => signed(100, 0, ssrc));
  for (const packet of packets) expect(unprotect(died, packet)).not.toBe("replay");
  const receiver = context();
  receiver.resume(positionOf(died));
  expect(packets.map((packet) => unprotect(receiver, packet))).toEqual(ssrcs.map(() => "replay"));
  expect(unprotect(receiver, signed(101, 0, 3))).not.toBe("replay");
  const sent = context();
  for (const ssrc of ssrcs) protect(sent, rtp(100, ssrc));
  const sender = context();
  sender.resume(positionOf(sent));
  expect(ssrcs.map((ssrc) => protect(sender, rtp(100, ssrc)))).toEqual(ssrcs.map(() => "replay"));
});

test("fewer SSRCs than before leave none of the older ones behind", () => {
  const cells = new Float64Array(POSITION_CELLS);
  const many = context();
  for (const ssrc of [1, 2, 3]) protect(many, rtp(5, ssrc));
  many.writePosition(cells, 0);
  const one = context();
  protect(one, rtp(9, 1));
  one.writePosition(cells, 0);
  const next = context();
  next.resume(cells);
  expect(next.ssrcCount).toBe(1);
});

test("no index of a report is used twice, though the sender died before it noted any", () => {
  const report = Buffer.from("80c80006cafebabe0000000000000000000000000000000000000000", "hex");
  const sent = (sender: SrtpContext): number => {
    const room = new Uint8Array(report.length + sender.rtcpOverheadBytes);
    room.set(report);
    expect(sender.protectRtcp(room, report.length)).toBe(room.length);
    return Buffer.from(room).readUInt32BE(report.length) & 0x7fff_ffff;
  };
  const died = context();
  const noted = positionOf(died);
  const used = Array.from({ length: 300 }, () => sent(died));
  const next = context();
  next.resume(noted);
  expect(sent(next)).toBeGreaterThan(Math.max(...used));
});

test("a source that has started again is numbered on, also by the next context", () => {
  const died = context();
  for (const sequence of [20_000, 20_001, 10, 11, 12]) protect(died, rtp(sequence));
  const next = context();
  next.resume(positionOf(died));
  // 11 went out as 20,002, 12 as 20,003.
  expect(Buffer.from(protect(next, rtp(13)), "hex").readUInt16BE(2)).toBe(20_004);
});

test("a source that starts again while its position was not noted gets none of the old indexes", () => {
  const died = context();
  protect(died, rtp(20_000));
  const noted = positionOf(died);
  const used = [20_001, 20_002, 20_003].map((sequence) => protect(died, rtp(sequence)));
  expect(used).not.toContain("replay");
  const next = context();
  next.resume(noted);
  expect(protect(next, rtp(10))).toBe("replay");
  const first = Buffer.from(protect(next, rtp(11)), "hex").readUInt16BE(2);
  expect(first).toBeGreaterThan(20_003);
});
