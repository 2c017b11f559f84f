/**
 * STUN on the SIP port (RFC 5626 §8, RFC 8489): a phone that sends a Binding request learns its address as
 * seen from here and keeps its NAT open. Only what a keep-alive needs: no authentication, no fingerprint,
 * which RFC 5626 forbids there. Pure: bytes in, bytes out.
 *
 *  0        2        4               8                  20
 * +--------+--------+---------------+------------------+------------
 * | type   | length | magic cookie  | transaction id   | attributes: type, length, value, padded to 4
 * +--------+--------+---------------+------------------+------------
 */
import type { Endpoint } from "../io/types.ts";
import { packAddress } from "./flow-token.ts";

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const XOR_MAPPED_ADDRESS = 0x0020;
/** Types from here on may be ignored (RFC 8489 §14). */
const FIRST_OPTIONAL = 0x8000;
/** A keep-alive carries hardly more than SOFTWARE; a long one is no keep-alive. */
const MOST_BYTES = 548;

/**
 * Attributes that must be understood and are: those of RFC 8489 §14, none of which changes our answer.
 * RESPONSE-ADDRESS and CHANGE-REQUEST of RFC 3489, with which a stranger could direct the answer, are not.
 */
const UNDERSTOOD = new Set([
  0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e, 0x0020,
]);

/** No SIP message begins with a byte below 4; the two top bits of every STUN message are 0. */
export function isStun(bytes: Uint8Array): boolean {
  return (
    bytes.length >= HEADER_BYTES && bytes[0]! < 4 && viewOf(bytes).getUint32(4) === MAGIC_COOKIE
  );
}

/** The answer to a well-formed Binding request that came from `source`; null to anything else. */
export function answerBinding(bytes: Uint8Array, source: Endpoint): Uint8Array | null {
  if (!isStun(bytes) || bytes.length > MOST_BYTES) return null;
  const view = viewOf(bytes);
  if (view.getUint16(0) !== BINDING_REQUEST) return null;
  if (view.getUint16(2) !== bytes.length - HEADER_BYTES || bytes.length % 4 !== 0) return null;
  const unknown = unknownAttributes(view);
  if (unknown === null) return null;
  const head = bytes.subarray(4, HEADER_BYTES);
  return unknown.length === 0
    ? message(BINDING_SUCCESS, head, [attribute(XOR_MAPPED_ADDRESS, xorAddress(source, head))])
    : message(BINDING_ERROR, head, refusal(unknown));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** null: an attribute runs beyond the message. */
function unknownAttributes(view: DataView): number[] | null {
  const unknown: number[] = [];
  let at = HEADER_BYTES;
  while (at < view.byteLength) {
    const type = view.getUint16(at);
    const lengthBytes = view.getUint16(at + 2);
    at += 4 + lengthBytes + padding(lengthBytes);
    if (at > view.byteLength) return null;
    if (type < FIRST_OPTIONAL && !UNDERSTOOD.has(type)) unknown.push(type);
  }
  return unknown;
}

function padding(lengthBytes: number): number {
  return (4 - (lengthBytes % 4)) % 4;
}

/** RFC 8489 §6.3.1: 420 names what was not understood, in two bytes each where the request spent four. */
function refusal(unknown: readonly number[]): Buffer[] {
  const types = Buffer.alloc(unknown.length * 2);
  unknown.forEach((type, at) => {
    types.writeUInt16BE(type, at * 2);
  });
  return [attribute(ERROR_CODE, Buffer.from([0, 0, 4, 20])), attribute(UNKNOWN_ATTRIBUTES, types)];
}

/** RFC 8489 §14.2: port and address masked, so that no clever router translates them. */
function xorAddress({ address, port }: Endpoint, mask: Uint8Array): Buffer {
  const packed = packAddress(address);
  const value = Buffer.alloc(4 + packed.length);
  value[1] = packed.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 2);
  packed.forEach((byte, at) => {
    value[4 + at] = byte ^ mask[at]!;
  });
  return value;
}

function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + value.length + padding(value.length));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  bytes.set(value, 4);
  return bytes;
}

/** `head`: magic cookie and transaction id of the request. */
function message(type: number, head: Uint8Array, attributes: readonly Buffer[]): Uint8Array {
  const start = Buffer.alloc(4);
  start.writeUInt16BE(type, 0);
  start.writeUInt16BE(
    attributes.reduce((sum, one) => sum + one.length, 0),
    2,
  );
  return Buffer.concat([start, head, ...attributes]);
}
