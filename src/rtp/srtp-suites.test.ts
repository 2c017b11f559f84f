/** The suites beyond AES-128 with HMAC: their published vectors, and what every suite has to do alike. */
import { describe, expect, test } from "bun:test";
import libsrtp from "../../test/vectors/libsrtp.json";
import rfc6188 from "../../test/vectors/rfc6188.json";
import rfc7714 from "../../test/vectors/rfc7714.json";
import {
  slowGcm,
  slowGcmRtcp,
  slowKeys,
  slowKeystream,
  slowProtect,
  slowProtectRtcp,
} from "../../test/vectors/slow-srtp.ts";
import { type CryptoSuite, cryptoSuites, masterKeyBytes } from "./crypto-suite.ts";
import { deriveSessionKeys } from "./key-derivation.ts";
import { SrtpContext } from "./srtp-context.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Buffer => Buffer.from(text, "hex");
const SUITES = Object.keys(cryptoSuites) as CryptoSuite[];
const keyOf = (suite: CryptoSuite): Buffer =>
  Buffer.from(Array.from({ length: masterKeyBytes(suite) }, (_, at) => (at * 37 + 11) & 0xff));

/** The work of one of the four methods on a copy; the reason where it is refused. */
function run(
  context: SrtpContext,
  method: "protect" | "unprotect" | "protectRtcp" | "unprotectRtcp",
  packet: Uint8Array,
): string {
  const room = new Uint8Array(packet.length + 64);
  room.set(packet);
  const length = context[method](room, packet.length);
  return length === 0 ? (context.refusal ?? "no reason") : hex(room.subarray(0, length));
}

test("the reference used below makes the vectors of RFC 7714 §16 and §17", () => {
  const salt = unhex(rfc7714.salt);
  for (const [key, srtp, srtcp] of [
    [rfc7714.key128, rfc7714.srtp128, rfc7714.srtcp128],
    [rfc7714.key256, rfc7714.srtp256, rfc7714.srtcp256],
  ] as const) {
    const keys = { cipherKey: unhex(key), salt };
    expect(hex(slowGcm(keys, unhex(rfc7714.rtp), 0))).toBe(srtp);
    expect(hex(slowGcmRtcp(keys, unhex(rfc7714.rtcp), rfc7714.srtcpIndex))).toBe(srtcp);
  }
  const keys = { cipherKey: unhex(rfc7714.key128), salt };
  const tagOnly = slowGcmRtcp(keys, unhex(rfc7714.rtcp), rfc7714.srtcpIndex, false);
  expect(hex(tagOnly)).toBe(rfc7714.srtcp128TagOnly);
});

test("keystream and session keys of RFC 6188 §7 come out", () => {
  const { keystream, keyDerivation } = rfc6188;
  const iv = BigInt(`0x${keystream.sessionSalt}`) << 16n;
  expect(hex(slowKeystream(unhex(keystream.sessionKey), iv, 48))).toBe(keystream.bytes);
  const master = unhex(keyDerivation.masterKey + keyDerivation.masterSalt);
  const keys = deriveSessionKeys("AES_256_CM_HMAC_SHA1_80", master, "srtp");
  expect(hex(keys.cipherKey)).toBe(keyDerivation.cipherKey);
  expect(hex(keys.salt)).toBe(keyDerivation.salt);
  expect(hex(keys.authKey)).toBe(keyDerivation.authKey);
});

test("the packets of libsrtp's own tests are made and read", () => {
  for (const { suite, key, plain, protected: sealed } of [libsrtp.aes256, libsrtp.gcm]) {
    const context = () => new SrtpContext({ suite: suite as CryptoSuite, key: unhex(key) });
    expect(run(context(), "protect", unhex(plain))).toBe(sealed);
    expect(run(context(), "unprotect", unhex(sealed))).toBe(plain);
  }
  const { key, rtcpPlain, rtcpProtected } = libsrtp.gcm;
  const context = () => new SrtpContext({ suite: "AEAD_AES_128_GCM", key: unhex(key) });
  expect(run(context(), "unprotectRtcp", unhex(rtcpProtected))).toBe(rtcpPlain);
  const sender = context();
  run(sender, "protectRtcp", unhex(rtcpPlain));
  expect(run(sender, "protectRtcp", unhex(rtcpPlain))).toBe(rtcpProtected);
});

/** A packet with CSRC and header extension, as video phones send. */
function rtp(sequence: number): Buffer {
  const header = unhex("b1880000decafbadcafebabe00000001bede000111223344");
  header.writeUInt16BE(sequence, 2);
  return Buffer.concat([header, Buffer.from("sound of 20 ms, of any length")]);
}

const report = unhex(libsrtp.rtcp.plain);

describe.each(SUITES)("%s", (suite) => {
  const key = keyOf(suite);
  const sizes = cryptoSuites[suite];
  const mki = new Uint8Array([7, 9]);
  const context = (mkiBytes = new Uint8Array(0)) => new SrtpContext({ suite, key, mkiBytes });
  const keys = slowKeys(key, "srtp", sizes);
  const rtcpKeys = slowKeys(key, "srtcp", sizes);
  const sealed = (sequence: number, roc: number, of = new Uint8Array(0)): Buffer =>
    sizes.mode === "gcm"
      ? slowGcm(keys, rtp(sequence), roc, of)
      : slowProtect(keys, rtp(sequence), roc, sizes.rtpTagBytes, of);
  const sealedRtcp = (index: number, isEncrypted = true, of = new Uint8Array(0)): Buffer =>
    sizes.mode === "gcm"
      ? slowGcmRtcp(rtcpKeys, report, index, isEncrypted, of)
      : slowProtectRtcp(rtcpKeys, report, index, isEncrypted, of);

  test("packets are as the reference makes them, over a wrap of the sequence numbers", () => {
    const sender = context();
    const receiver = context();
    for (const [sequence, roc] of [
      [65_533, 0],
      [65_535, 0],
      [65_534, 0],
      [0, 1],
      [1, 1],
      [40, 1],
    ] as const) {
      const packet = sealed(sequence, roc);
      expect(run(sender, "protect", rtp(sequence))).toBe(hex(packet));
      expect(run(receiver, "unprotect", packet)).toBe(hex(rtp(sequence)));
      expect(run(receiver, "unprotect", packet)).toBe("replay");
    }
  });

  test("every bit is protected, and a refused packet is left as it came", () => {
    const receiver = context();
    const packet = sealed(5, 0);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const tampered = Uint8Array.from(packet);
      tampered[bit >> 3] = tampered[bit >> 3]! ^ (1 << (bit & 7));
      const before = hex(tampered);
      expect(receiver.unprotect(tampered, tampered.length)).toBe(0);
      expect(hex(tampered)).toBe(before);
    }
    expect(run(receiver, "unprotect", packet)).toBe(hex(rtp(5)));
  });

  test("a receiver that comes late finds the ROC", () => {
    expect(run(context(), "unprotect", sealed(9, 1))).toBe(hex(rtp(9)));
  });

  test("an MKI is put where it belongs, and has to be the right one", () => {
    const packet = sealed(1, 0, mki);
    expect(run(context(mki), "protect", rtp(1))).toBe(hex(packet));
    expect(run(context(mki), "unprotect", packet)).toBe(hex(rtp(1)));
    expect(run(context(new Uint8Array([7, 8])), "unprotect", packet)).toBe("auth");
    const rtcp = sealedRtcp(0, true, mki);
    expect(run(context(mki), "protectRtcp", report)).toBe(hex(rtcp));
    expect(run(context(mki), "unprotectRtcp", rtcp)).toBe(hex(report));
    expect(run(context(new Uint8Array([7, 8])), "unprotectRtcp", rtcp)).toBe("auth");
  });

  test("SRTCP is as the reference makes it, encrypted or only signed; its index is told", () => {
    const receiver = context();
    expect(run(context(), "protectRtcp", report)).toBe(hex(sealedRtcp(0)));
    expect(run(receiver, "unprotectRtcp", sealedRtcp(70_000))).toBe(hex(report));
    expect(receiver.receivedRtcpIndex).toBe(70_000);
    expect(run(receiver, "unprotectRtcp", sealedRtcp(70_000))).toBe("replay");
    expect(run(receiver, "unprotectRtcp", sealedRtcp(70_001, false))).toBe(hex(report));
    const packet = sealedRtcp(70_002);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const tampered = Buffer.from(packet);
      tampered[bit >> 3] = tampered[bit >> 3]! ^ (1 << (bit & 7));
      expect(["auth", "malformed", "replay"]).toContain(run(receiver, "unprotectRtcp", tampered));
    }
  });

  test("a packet without payload is authenticated too", () => {
    const empty = rtp(1).subarray(0, 24);
    const packet = unhex(run(context(), "protect", empty));
    expect(packet.length).toBe(24 + sizes.rtpTagBytes);
    expect(run(context(), "unprotect", packet)).toBe(hex(empty));
    packet[23] = packet[23]! ^ 1;
    expect(run(context(), "unprotect", packet)).toBe("auth");
  });
});
