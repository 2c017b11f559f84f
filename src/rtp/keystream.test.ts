import { expect, test } from "bun:test";
import vectors from "../../test/vectors/rfc3711.json";
import { slowKeystream } from "../../test/vectors/slow-srtp.ts";
import { Keystream, KeystreamAhead } from "./keystream.ts";
import { PacketScratch } from "./packet-scratch.ts";

const { sessionKey, sessionSalt, blocks } = vectors.keystream;
const key = Buffer.from(sessionKey, "hex");
const salt = Buffer.from(sessionSalt, "hex");
const scratch = new PacketScratch();

function keystream(
  lengthBytes: number,
  ssrc: number,
  roc: number,
  sequence: number,
  ahead: KeystreamAhead | null,
): string {
  scratch.bytes.fill(0);
  shared.apply(scratch, 12, 12 + lengthBytes, ssrc, roc, sequence, ahead);
  return Buffer.from(scratch.bytes.subarray(12, 12 + lengthBytes)).toString("hex");
}
const shared = new Keystream("aes-128", key, salt);

function expected(lengthBytes: number, ssrc: number, roc: number, sequence: number): string {
  const index = BigInt(roc) * 65536n + BigInt(sequence);
  const iv = (BigInt(`0x${sessionSalt}`) << 16n) ^ (BigInt(ssrc) << 64n) ^ (index << 16n);
  return slowKeystream(key, iv, lengthBytes).toString("hex");
}

test("the first blocks of RFC 3711 B.2 come out, with and without keystream ahead", () => {
  const first = blocks.slice(0, 3).map((block) => block.bytes);
  expect(keystream(48, 0, 0, 0, null)).toBe(first.join(""));
  expect(keystream(48, 0, 0, 0, new KeystreamAhead())).toBe(first.join(""));
});

test("the reference used in these tests makes all blocks of RFC 3711 B.2", () => {
  for (const { at, bytes } of blocks) {
    const iv = (BigInt(`0x${sessionSalt}`) << 16n) + BigInt(at);
    expect(slowKeystream(key, iv, 16).toString("hex")).toBe(bytes);
  }
});

test("packets in order, late, far ahead and of growing size all get their own keystream", () => {
  const ahead = new KeystreamAhead();
  const sequences = [100, 101, 102, 120, 121, 103, 111, 112, 65_520, 65_535, 65_519, 65_534];
  for (const roc of [0, 1, 0xffff_ffff]) {
    for (const [step, sequence] of sequences.entries()) {
      const length = 20 + step * 19;
      expect(keystream(length, 0xfedcba98, roc, sequence, ahead)).toBe(
        expected(length, 0xfedcba98, roc, sequence),
      );
    }
  }
});

test("a late packet and a far one leave the keystream made ahead alone", () => {
  const ahead = new KeystreamAhead();
  keystream(160, 1, 0, 160, ahead);
  keystream(160, 1, 0, 161, ahead);
  expect(ahead.group).toBe(10);
  keystream(160, 1, 0, 150, ahead);
  keystream(160, 1, 0, 5000, ahead);
  expect(ahead.group).toBe(10);
  keystream(160, 1, 0, 176, ahead);
  expect(ahead.group).toBe(11);
});

test("a payload of the largest packet is covered to its last byte, without keystream ahead", () => {
  const ahead = new KeystreamAhead();
  expect(keystream(2032, 7, 3, 9, ahead)).toBe(expected(2032, 7, 3, 9));
  expect(ahead.bytes.length).toBe(0);
  expect(keystream(0, 7, 3, 9, ahead)).toBe("");
});
