/**
 * Flow tokens (RFC 5626 §5.2, RFC 3327): the user part of our Path, Record-Route and rewritten Contact.
 * The instance stores them for as long as a registration lives, so they are authenticated with a key
 * that survives a restart and name the phone's binding rather than a connection.
 *
 *  0         10 11 12             18           26       28
 * +-----------+--+--+--------------+------------+--------+-----------+
 * | HMAC (10) |v |k | instance (6) | id (8)     | port   | address   |   port and address only with UDP
 * +-----------+--+--+--------------+------------+--------+-----------+
 * v = version and key number, k = kind flags; 26 bytes (35 characters), 32 (43) with an IPv4 address.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Endpoint } from "../io/types.ts";
import { LastResults } from "./remembered.ts";

const MAC_BYTES = 10;
const HEAD_BYTES = 26;
const VERSION = 1;
const KIND_BINDING = 1;
const KIND_UDP = 2;
const KIND_IPV6 = 4;
const LONGEST_TOKEN = 64;

/** `number` 0..15 tells which key made a token, so that a new key can be brought in beside the old one. */
export type TokenKey = { readonly number: number; readonly secret: Uint8Array };

export type FlowTarget = {
  /** @see instanceTag */
  readonly instanceTag: string;
  /** A binding survives the connection it came on; a flow that never registered has only itself. */
  readonly kind: "binding" | "flow";
  /** 16 hex digits: binding id or connection id. */
  readonly id: string;
  /** With UDP the phone's address is in the token, so that it is found again after a restart. */
  readonly udp: Endpoint | null;
};

/** 12 hex digits that stand for an instance in tokens: stable over configurations, and tells no name. */
export function instanceTag(name: string): string {
  return createHash("sha256").update(name.toLowerCase()).digest("hex").slice(0, 12);
}

/** 4 or 16 bytes. */
export function packAddress(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("%", 1)[0]!.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = Array(8 - left.length - right.length).fill("0");
  const groups = address.includes("::") ? [...left, ...zeros, ...right] : left;
  const bytes = Buffer.alloc(16);
  groups.forEach((group, at) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  });
  return bytes;
}

function unpackAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return groups.join(":");
}

/** A call shows its token in each of its requests, and is given it in each of its answers. */
const KNOWN_TOKENS = 1024;

export class FlowTokens {
  readonly #keys: readonly TokenKey[];
  readonly #made = new LastResults<string>(KNOWN_TOKENS);
  readonly #opened = new LastResults<FlowTarget>(KNOWN_TOKENS);

  /** The first key makes tokens, all of them open tokens. */
  constructor(keys: readonly TokenKey[]) {
    if (keys.length === 0) throw new Error("a flow token needs a key");
    this.#keys = keys;
  }

  make(target: FlowTarget): string {
    const { instanceTag: tag, kind, id, udp } = target;
    const name = `${tag} ${kind} ${id} ${udp === null ? "" : `${udp.port} ${udp.address}`}`;
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const token = this.#make(target);
    this.#made.set(name, token);
    return token;
  }

  #make(target: FlowTarget): string {
    const key = this.#keys[0]!;
    const address = target.udp === null ? null : packAddress(target.udp.address);
    const body = Buffer.alloc(HEAD_BYTES - MAC_BYTES + (address === null ? 0 : 2 + address.length));
    body[0] = (VERSION << 4) | key.number;
    body[1] =
      (target.kind === "binding" ? KIND_BINDING : 0) |
      (address === null ? 0 : KIND_UDP) |
      (address?.length === 16 ? KIND_IPV6 : 0);
    body.write(target.instanceTag, 2, 6, "hex");
    body.write(target.id, 8, 8, "hex");
    if (address !== null && target.udp !== null) {
      body.writeUInt16BE(target.udp.port, 16);
      address.copy(body, 18);
    }
    return Buffer.concat([this.#mac(key, body), body]).toString("base64url");
  }

  /** null: not one of ours, made by another proxy, or changed on the way. */
  open(token: string): FlowTarget | null {
    const known = this.#opened.get(token);
    if (known !== undefined) return known;
    const target = this.#open(token);
    if (target !== null) this.#opened.set(token, target);
    return target;
  }

  #open(token: string): FlowTarget | null {
    if (token.length > LONGEST_TOKEN || !/^[A-Za-z0-9_-]{35,}$/.test(token)) return null;
    const bytes = Buffer.from(token, "base64url");
    if (bytes.length < HEAD_BYTES) return null;
    const body = bytes.subarray(MAC_BYTES);
    const key = this.#keys.find((candidate) => body[0] === ((VERSION << 4) | candidate.number));
    if (key === undefined) return null;
    if (!timingSafeEqual(this.#mac(key, body), bytes.subarray(0, MAC_BYTES))) return null;
    const flags = body[1]!;
    const isUdp = (flags & KIND_UDP) !== 0;
    return {
      instanceTag: body.toString("hex", 2, 8),
      kind: (flags & KIND_BINDING) !== 0 ? "binding" : "flow",
      id: body.toString("hex", 8, 16),
      udp: isUdp
        ? { address: unpackAddress(body.subarray(18)), port: body.readUInt16BE(16) }
        : null,
    };
  }

  #mac(key: TokenKey, body: Uint8Array): Buffer {
    return createHmac("sha256", key.secret).update(body).digest().subarray(0, MAC_BYTES);
  }
}
