/**
 * SRTP and SRTCP as RFC 3711 writes them down, with node:crypto and big integers and without any
 * state: the caller says the index. Slow on purpose; it checks src/rtp and shares no code with it.
 */
import { type CipherGCMTypes, createCipheriv, createHmac } from "node:crypto";

export type SlowKeys = { cipherKey: Buffer; authKey: Buffer; salt: Buffer };

/**
 * RFC 3711 §4.3.1: x = (label || index 0) XOR master salt, key = AES-CM(master key, x * 2^16). The same with
 * AES-256 (RFC 6188 §3); a salt of 12 bytes is followed by zeros (RFC 7714 §11).
 */
export function slowKeys(
  master: Uint8Array,
  protocol: "srtp" | "srtcp",
  sizes: { readonly keyBytes: number; readonly saltBytes: number } = {
    keyBytes: 16,
    saltBytes: 14,
  },
): SlowKeys {
  const { keyBytes, saltBytes } = sizes;
  const masterKey = Buffer.from(master.subarray(0, keyBytes));
  const salt = toNumber(master.subarray(keyBytes)) << BigInt(8 * (14 - saltBytes));
  const base = protocol === "srtp" ? 0n : 3n;
  const derive = (label: bigint, length: number): Buffer => {
    const x = salt ^ (label << 48n);
    return slowKeystream(masterKey, x << 16n, length);
  };
  return {
    cipherKey: derive(base, keyBytes),
    authKey: derive(base + 1n, 20),
    salt: derive(base + 2n, saltBytes),
  };
}

/** AES-CM: E(k, iv) || E(k, iv + 1) || ... */
export function slowKeystream(key: Uint8Array, iv: bigint, length: number): Buffer {
  const cipher = createCipheriv(`aes-${8 * key.length}-ctr`, key, toBytes(iv, 16));
  return cipher.update(Buffer.alloc(length));
}

/** §4.1.1: IV = (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16). */
function crypt(keys: SlowKeys, ssrc: number, index: bigint, text: Uint8Array): Buffer {
  const iv = (toNumber(keys.salt) << 16n) ^ (BigInt(ssrc) << 64n) ^ (index << 16n);
  const keystream = slowKeystream(keys.cipherKey, iv, text.length);
  return Buffer.from(text.map((byte, at) => byte ^ (keystream[at] ?? 0)));
}

/** Header length as RFC 3550 §5.1 and §5.3.1 say; the packet is taken to be well formed. */
function headerLength(packet: Buffer): number {
  const fixed = 12 + 4 * (packet.readUInt8(0) % 16);
  const hasExtension = (packet.readUInt8(0) & 0x10) !== 0;
  return hasExtension ? fixed + 4 + 4 * packet.readUInt16BE(fixed + 2) : fixed;
}

/** The protected packet; `roc` is the rollover counter to use. */
export function slowProtect(
  keys: SlowKeys,
  plain: Uint8Array,
  roc: number,
  tagBytes: number,
  mki: Uint8Array = new Uint8Array(0),
): Buffer {
  const packet = Buffer.from(plain);
  const start = headerLength(packet);
  const index = BigInt(roc) * 65536n + BigInt(packet.readUInt16BE(2));
  const body = crypt(keys, packet.readUInt32BE(8), index, packet.subarray(start));
  const signed = Buffer.concat([packet.subarray(0, start), body]);
  const rocBytes = toBytes(BigInt(roc), 4);
  const mac = createHmac("sha1", keys.authKey).update(signed).update(rocBytes).digest();
  return Buffer.concat([signed, mki, mac.subarray(0, tagBytes)]);
}

/** The protected RTCP packet with this SRTCP index (§3.4). */
export function slowProtectRtcp(
  keys: SlowKeys,
  plain: Uint8Array,
  index: number,
  isEncrypted = true,
  mki: Uint8Array = new Uint8Array(0),
): Buffer {
  const packet = Buffer.from(plain);
  const rest = packet.subarray(8);
  const body = isEncrypted ? crypt(keys, packet.readUInt32BE(4), BigInt(index), rest) : rest;
  const flag = isEncrypted ? 0x80000000 : 0;
  const signed = Buffer.concat([packet.subarray(0, 8), body, toBytes(BigInt(flag + index), 4)]);
  const mac = createHmac("sha1", keys.authKey).update(signed).digest();
  return Buffer.concat([signed, mki, mac.subarray(0, 10)]);
}

type GcmKeys = Pick<SlowKeys, "cipherKey" | "salt">;

/** RFC 7714 §8: IV = (0 0 | SSRC | ROC | sequence number) XOR salt; the header is the associated data. */
export function slowGcm(
  keys: GcmKeys,
  plain: Uint8Array,
  roc: number,
  mki: Uint8Array = new Uint8Array(0),
): Buffer {
  const packet = Buffer.from(plain);
  const start = headerLength(packet);
  const index = (BigInt(roc) << 16n) | BigInt(packet.readUInt16BE(2));
  const header = packet.subarray(0, start);
  const sealed = seal(keys, packet.readUInt32BE(8), index, header, packet.subarray(start));
  return Buffer.concat([header, sealed, mki]);
}

/** RFC 7714 §9: E flag and index are associated data too; without the flag everything is. */
export function slowGcmRtcp(
  keys: GcmKeys,
  plain: Uint8Array,
  index: number,
  isEncrypted = true,
  mki: Uint8Array = new Uint8Array(0),
): Buffer {
  const packet = Buffer.from(plain);
  const word = toBytes(BigInt((isEncrypted ? 0x80000000 : 0) + index), 4);
  const start = isEncrypted ? 8 : packet.length;
  const clear = packet.subarray(0, start);
  const associated = Buffer.concat([clear, word]);
  const ssrc = packet.readUInt32BE(4);
  const sealed = seal(keys, ssrc, BigInt(index), associated, packet.subarray(start));
  return Buffer.concat([clear, sealed, word, mki]);
}

/** Encrypted text and tag. */
function seal(
  keys: GcmKeys,
  ssrc: number,
  index: bigint,
  associated: Uint8Array,
  text: Uint8Array,
): Buffer {
  const iv = ((BigInt(ssrc) << 48n) | index) ^ toNumber(keys.salt);
  const name = `aes-${8 * keys.cipherKey.length}-gcm` as CipherGCMTypes;
  const cipher = createCipheriv(name, keys.cipherKey, toBytes(iv, 12));
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function toBytes(value: bigint, length: number): Buffer {
  const hex = BigInt.asUintN(8 * length, value).toString(16);
  return Buffer.from(hex.padStart(2 * length, "0"), "hex");
}
