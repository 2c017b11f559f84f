/**
 * As much of a TLS 1.2 client (RFC 5246, ECDHE with X25519, AES-128-GCM) as it takes to say within the
 * encrypted connection what no library will: a second ClientHello. It checks nothing the server says.
 */
import {
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Endpoint } from "../../src/io/types.ts";

const HANDSHAKE = 22;
const CHANGE_CIPHER = 20;
export const APPLICATION_DATA = 23;

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const u24 = (value: number): Buffer => Buffer.from([value >> 16, (value >> 8) & 255, value & 255]);
const message = (type: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type]), u24(body.length), body]);
const extension = (type: number, body: Buffer): Buffer =>
  Buffer.concat([u16(type), u16(body.length), body]);

/** `verified` of the handshake before, when it is a renegotiation (RFC 5746 §3.5). */
function clientHello(random: Buffer, verified: Buffer): Buffer {
  const extensions = Buffer.concat([
    extension(10, Buffer.from([0, 2, 0, 0x1d])),
    extension(11, Buffer.from([1, 0])),
    extension(13, Buffer.from([0, 4, 8, 4, 4, 1])),
    extension(0xff01, Buffer.concat([Buffer.from([verified.length]), verified])),
  ]);
  const fixed = Buffer.from([0, 0, 2, 0xc0, 0x2f, 1, 0]);
  const parts = [u16(0x0303), random, fixed, u16(extensions.length), extensions];
  return message(1, Buffer.concat(parts));
}

/** P_SHA256 (RFC 5246 §5). */
function expand(secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
  const start = Buffer.concat([Buffer.from(label), seed]);
  const hmac = (data: Buffer): Buffer => createHmac("sha256", secret).update(data).digest();
  let a = hmac(start);
  let out: Buffer = Buffer.alloc(0);
  while (out.length < length) {
    out = Buffer.concat([out, hmac(Buffer.concat([a, start]))]);
    a = hmac(a);
  }
  return out.subarray(0, length);
}

/** The DER head of an X25519 public key. */
const X25519 = Buffer.from("302a300506032b656e032100", "hex");

export class Tls12Client {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);
  /** Of handshake records, taken out of those. */
  #text: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #said: Buffer[] = [];
  #keys: { readonly key: Buffer; readonly salt: Buffer } | null = null;
  #sequence = 0n;
  #verified: Buffer = Buffer.alloc(0);

  constructor(to: Endpoint) {
    this.socket = connect({ host: to.address, port: to.port });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
    this.socket.on("data", (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
  }

  async handshake(): Promise<void> {
    const own = randomBytes(32);
    this.#say(clientHello(own, this.#verified));
    const random = (await this.#hears(2)).subarray(6, 38);
    await this.#hears(11);
    const point = (await this.#hears(12)).subarray(8, 40);
    await this.#hears(14);
    const pair = generateKeyPairSync("x25519");
    const mine = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
    this.#say(message(16, Buffer.concat([Buffer.from([32]), mine])));
    const far = createPublicKey({
      key: Buffer.concat([X25519, point]),
      format: "der",
      type: "spki",
    });
    const shared = diffieHellman({ privateKey: pair.privateKey, publicKey: far });
    const master = expand(shared, "master secret", Buffer.concat([own, random]), 48);
    const block = expand(master, "key expansion", Buffer.concat([random, own]), 40);
    const hash = createHash("sha256").update(Buffer.concat(this.#said)).digest();
    this.#verified = expand(master, "client finished", hash, 12);
    this.record(CHANGE_CIPHER, Buffer.from([1]));
    this.#keys = { key: block.subarray(0, 16), salt: block.subarray(32, 36) };
    this.record(HANDSHAKE, message(20, this.#verified));
  }

  /** A second handshake inside the first: only its ClientHello. */
  renegotiates(): void {
    this.record(HANDSHAKE, clientHello(randomBytes(32), this.#verified));
  }

  /** One record, encrypted once the handshake is over. */
  record(type: number, body: Buffer): void {
    const sealed = this.#keys === null ? body : this.#sealed(type, body);
    this.socket.write(Buffer.concat([Buffer.from([type, 3, 3]), u16(sealed.length), sealed]));
  }

  #sealed(type: number, body: Buffer): Buffer {
    const { key, salt } = this.#keys!;
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(this.#sequence++);
    const cipher = createCipheriv("aes-128-gcm", key, Buffer.concat([salt, counter]));
    cipher.setAAD(Buffer.concat([counter, Buffer.from([type, 3, 3]), u16(body.length)]));
    return Buffer.concat([counter, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
  }

  #say(text: Buffer): void {
    this.#said.push(text);
    this.record(HANDSHAKE, text);
  }

  /** The next handshake message, which must be of this type. */
  async #hears(type: number): Promise<Buffer> {
    for (;;) {
      const found = this.#take();
      if (found !== null) {
        if (found[0] !== type) throw new Error(`handshake message ${found[0]}, not ${type}`);
        this.#said.push(found);
        return found;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(): Buffer | null {
    while (this.#bytes.length >= 5 && this.#bytes.length >= 5 + this.#bytes.readUInt16BE(3)) {
      const end = 5 + this.#bytes.readUInt16BE(3);
      if (this.#bytes[0] !== HANDSHAKE) throw new Error(`record of type ${this.#bytes[0]}`);
      this.#text = Buffer.concat([this.#text, this.#bytes.subarray(5, end)]);
      this.#bytes = this.#bytes.subarray(end);
    }
    if (this.#text.length < 4) return null;
    const length = 4 + this.#text.readUIntBE(1, 3);
    if (this.#text.length < length) return null;
    const found = this.#text.subarray(0, length);
    this.#text = this.#text.subarray(length);
    return found;
  }
}
