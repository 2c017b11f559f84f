/**
 * Many receives, or many sends, by one system call (io_uring, Linux 5.17 and later): a system call costs as much
 * as the rest of a small packet where the kernel has to guard itself, and more in a virtual machine. Nothing
 * waits here: what is handed over is done when submit() returns. Memory that the kernel reads and writes is one
 * array that never moves; every address is its start plus an offset of SLOT.
 */
import { addressOf, libc, memoryAt } from "./libc.ts";

export const RING_SLOTS = 32;
/** A packet of a slot; more than an Ethernet frame. */
const PACKET_BYTES = 2048;
/** struct msghdr (56) and struct iovec (16) for each way, the source, the packet. */
const SLOT = { source: 0, inHeader: 32, inVector: 96, outHeader: 112, outVector: 176, packet: 192 };
const SLOT_BYTES = SLOT.packet + PACKET_BYTES;
const SOURCE_BYTES = 32;
const HEADER = { name: 0, nameLength: 8, vectors: 16, vectorCount: 24 } as const;
const VECTOR = { base: 0, length: 8 } as const;

const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const PARAMS_BYTES = 120;
const PARAM = { sqEntries: 0, cqEntries: 4, features: 20, sq: 40, cq: 80 } as const;
const SQ = { tail: 4, mask: 8, array: 24 } as const;
const CQ = { head: 0, tail: 4, mask: 8, entries: 20 } as const;
const SQES_OFFSET = 0x10000000;
const SQE_WORDS = 16;
const CQE_WORDS = 4;
const FEATURE_SINGLE_MMAP = 1;
const FEATURE_CQE_SKIP = 1 << 11;
const OP_SENDMSG = 9;
const OP_RECVMSG = 10;
/** A send that succeeds tells nothing. */
const SKIP_SUCCESS = 1 << 6;
const GET_EVENTS = 1;
const MSG_DONTWAIT = 0x40;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 1 | 0x8000;
/** In a completion, beside the slot. */
const IS_SEND = 1 << 16;
const NOTHING = -1;
/** Room for the audio of nearly all. */
const SHORT_BYTES = 256;

export class CallRing {
  /** Of the packet received in each slot; negative = none. */
  readonly lengths = new Int32Array(RING_SLOTS);
  readonly fd: number;
  readonly #libc = libc();
  readonly #memory = new ArrayBuffer(SLOT_BYTES * RING_SLOTS);
  readonly #words = new Uint32Array(this.#memory);
  readonly #base: number;
  readonly #packet: Uint8Array;
  readonly #packetStart: Uint8Array;
  readonly #receiveBytes: number;
  /** By slot: its packet, whole and the first part, which is all of most. */
  readonly #whole: Uint8Array[] = [];
  readonly #short: Uint8Array[] = [];
  readonly #ring: Uint32Array;
  readonly #entries: Uint32Array;
  readonly #sq: { readonly tail: number; readonly mask: number };
  readonly #cq: { readonly head: number; readonly tail: number; readonly mask: number };
  readonly #completions: number;
  #queued = 0;
  #expected = 0;

  /**
   * `packet`: the one that is worked on, at most PACKET_BYTES. `receiveBytes`: longer ones are cut to that. Throws
   * where the kernel has no io_uring, or not enough of it.
   */
  constructor(packet: Uint8Array, receiveBytes: number) {
    this.#packet = packet;
    this.#packetStart = packet.subarray(0, SHORT_BYTES);
    this.#receiveBytes = receiveBytes;
    const params = new Uint32Array(new ArrayBuffer(PARAMS_BYTES));
    this.fd = this.#libc.syscall(SYS_IO_URING_SETUP, RING_SLOTS, addressOf(params), 0, 0, 0, 0);
    if (this.fd < 0) throw new Error("no io_uring");
    const at = (offset: number): number => params[offset >> 2]!;
    const needed = FEATURE_SINGLE_MMAP | FEATURE_CQE_SKIP;
    if ((at(PARAM.features) & needed) !== needed) throw this.#closed("io_uring is too old");
    const sqBytes = at(PARAM.sq + SQ.array) + 4 * at(PARAM.sqEntries);
    const cqBytes = at(PARAM.cq + CQ.entries) + 4 * CQE_WORDS * at(PARAM.cqEntries);
    this.#ring = this.#map(Math.max(sqBytes, cqBytes), 0);
    this.#entries = this.#map(4 * SQE_WORDS * at(PARAM.sqEntries), SQES_OFFSET);
    const ring = this.#ring;
    this.#sq = {
      tail: at(PARAM.sq + SQ.tail) >> 2,
      mask: ring[at(PARAM.sq + SQ.mask) >> 2]!,
    };
    this.#cq = {
      head: at(PARAM.cq + CQ.head) >> 2,
      tail: at(PARAM.cq + CQ.tail) >> 2,
      mask: ring[at(PARAM.cq + CQ.mask) >> 2]!,
    };
    this.#completions = at(PARAM.cq + CQ.entries) >> 2;
    const array = at(PARAM.sq + SQ.array) >> 2;
    for (let i = 0; i <= this.#sq.mask; i++) ring[array + i] = i;
    this.#base = addressOf(new Uint8Array(this.#memory));
    for (let slot = 0; slot < RING_SLOTS; slot++) this.#makeSlot(slot);
  }

  /** A datagram is to be received into this slot. */
  queueReceive(slot: number, fd: number): void {
    const header = slot * SLOT_BYTES + SLOT.inHeader;
    this.#words[(header + HEADER.nameLength) >> 2] = SOURCE_BYTES;
    this.lengths[slot] = NOTHING;
    this.#queue(OP_RECVMSG, fd, header, slot);
    this.#expected++;
  }

  /** The first `length` bytes of the packet are to be sent; `target` is where a socket address is. */
  queueSend(slot: number, fd: number, length: number, target: number, targetLength: number): void {
    const start = slot * SLOT_BYTES;
    if (length <= SHORT_BYTES) this.#short[slot]!.set(this.#packetStart);
    else this.#whole[slot]!.set(this.#packet);
    const header = start + SLOT.outHeader;
    this.#writeAddress(header + HEADER.name, target);
    this.#words[(header + HEADER.nameLength) >> 2] = targetLength;
    this.#words[(start + SLOT.outVector + VECTOR.length) >> 2] = length;
    this.#queue(OP_SENDMSG | (SKIP_SUCCESS << 8), fd, header, slot | IS_SEND);
  }

  /** Does all that is queued; `unsent` gets the slots of sends that failed. */
  submit(unsent: (slot: number) => void): void {
    if (this.#queued === 0) return;
    const [queued, expected] = [this.#queued, this.#expected];
    this.#queued = 0;
    this.#expected = 0;
    const enter = SYS_IO_URING_ENTER;
    const done = this.#libc.syscall(enter, this.fd, queued, expected, GET_EVENTS, 0, 0);
    if (done !== queued) this.#takeBack(queued - Math.max(0, done), unsent);
    const ring = this.#ring;
    const { head, tail, mask } = this.#cq;
    let next = ring[head]!;
    for (; next !== ring[tail]!; next = (next + 1) >>> 0) {
      const at = this.#completions + (next & mask) * CQE_WORDS;
      const what = ring[at]!;
      if ((what & IS_SEND) === 0) this.lengths[what] = ring[at + 2]!;
      else unsent(what & ~IS_SEND);
    }
    ring[head] = next;
  }

  /** What was received in this slot becomes the packet, its source goes to the first of `words`. */
  take(slot: number, length: number, words: Uint32Array): void {
    const from = (slot * SLOT_BYTES + SLOT.source) >> 2;
    for (let i = 0; i < SOURCE_BYTES >> 2; i++) words[i] = this.#words[from + i]!;
    this.#packet.set(length <= SHORT_BYTES ? this.#short[slot]! : this.#whole[slot]!);
  }

  close(): void {
    this.#libc.close(this.fd);
  }

  #queue(operation: number, fd: number, header: number, what: number): void {
    const ring = this.#ring;
    const tail = ring[this.#sq.tail]!;
    const entries = this.#entries;
    const at = (tail & this.#sq.mask) * SQE_WORDS;
    entries[at] = operation;
    entries[at + 1] = fd;
    const address = this.#base + header;
    entries[at + 4] = address;
    entries[at + 5] = address / 2 ** 32;
    entries[at + 6] = 1;
    entries[at + 7] = MSG_DONTWAIT;
    entries[at + 8] = what;
    ring[this.#sq.tail] = tail + 1;
    this.#queued++;
  }

  /** The kernel had no room for the last ones: they must not be done later, when their slots hold other packets. */
  #takeBack(count: number, unsent: (slot: number) => void): void {
    const ring = this.#ring;
    for (let i = 0; i < count; i++) {
      const tail = (ring[this.#sq.tail]! - 1) >>> 0;
      ring[this.#sq.tail] = tail;
      const what = this.#entries[(tail & this.#sq.mask) * SQE_WORDS + 8]!;
      if ((what & IS_SEND) !== 0) unsent(what & ~IS_SEND);
    }
  }

  #makeSlot(slot: number): void {
    const start = slot * SLOT_BYTES;
    const { packet } = SLOT;
    this.#whole.push(new Uint8Array(this.#memory, start + packet, PACKET_BYTES));
    this.#short.push(new Uint8Array(this.#memory, start + packet, SHORT_BYTES));
    this.#writeAddress(start + SLOT.inHeader + HEADER.name, this.#base + start + SLOT.source);
    for (const [header, vector, length] of [
      [SLOT.inHeader, SLOT.inVector, this.#receiveBytes],
      [SLOT.outHeader, SLOT.outVector, 0],
    ] as const) {
      this.#writeAddress(start + header + HEADER.vectors, this.#base + start + vector);
      this.#words[(start + header + HEADER.vectorCount) >> 2] = 1;
      this.#writeAddress(start + vector + VECTOR.base, this.#base + start + packet);
      this.#words[(start + vector + VECTOR.length) >> 2] = length;
    }
  }

  #writeAddress(at: number, address: number): void {
    this.#words[at >> 2] = address;
    this.#words[(at >> 2) + 1] = address / 2 ** 32;
  }

  #map(lengthBytes: number, offset: number): Uint32Array {
    const flags = MAP_SHARED_POPULATE;
    const at = this.#libc.mmap(0, lengthBytes, PROT_READ_WRITE, flags, this.fd, offset);
    if (at <= 0 || at >= 2 ** 53) throw this.#closed("io_uring cannot be mapped");
    return new Uint32Array(memoryAt(at, lengthBytes));
  }

  #closed(reason: string): Error {
    this.close();
    return new Error(reason);
  }
}
