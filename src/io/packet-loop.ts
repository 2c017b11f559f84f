/**
 * A receive loop over many UDP sockets by bun:ffi, on memory that never moves: all that has come is received by
 * one system call and sent on by another (call-ring.ts); where the kernel has no such calls, by recvfrom and
 * sendto. No garbage. Blocks its thread while it waits: for a Worker of its own. Linux on x64 and arm64. One
 * packet is worked on at a time, in the array that is passed in.
 *
 * A wrong pointer ends the process: every address given to the kernel is `base` plus an offset of LAYOUT.
 */
import { CallRing, RING_SLOTS } from "./call-ring.ts";
import { addressOf, libc } from "./libc.ts";
import { readSocketAddress, SOCKET_ADDRESS_BYTES, writeSocketAddress } from "./socket-address.ts";

const EVENTS_MAX = RING_SLOTS;
/** Sockets of one loop: both ranges of ports of a proxy hold fewer. */
export const LOOP_SOCKETS_MAX = 65_536;
/** struct epoll_event is packed on x64 only: events (4), data (8). */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENT_WORDS = EVENT_BYTES >> 2;
const DATA_OFFSET = EVENT_BYTES - 8;
const LAYOUT = {
  source: 0,
  sourceLength: 32,
  wakeCount: 40,
  change: 48,
  events: 64,
  targets: 64 + 16 * EVENTS_MAX,
} as const;
const ARENA_BYTES = LAYOUT.targets + SOCKET_ADDRESS_BYTES * LOOP_SOCKETS_MAX;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EPOLL_CLOEXEC = 0o2000000;
const EFD_NONBLOCK_CLOEXEC = 0o2004000;
const MSG_DONTWAIT = 0x40;
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SELF_TEST = Buffer.from("pequod");
const SELF_TEST_MS = 500;
const WAKE = LOOP_SOCKETS_MAX;

/** One watched socket: whom it heard last and whom it sent to last, so that neither is worked out again. */
export class LoopSocket<Owner> {
  sourceAddress = "";
  sourcePort = 0;
  targetAddress = "";
  targetPort = 0;
  targetLength = 0;
  readonly sourceWords = new Uint32Array(7);

  constructor(
    readonly fd: number,
    /** Of this loop, and its place in the arena. */
    readonly id: number,
    readonly owner: Owner,
  ) {}
}

/** `Owner` is what the caller wants to find again by a socket. */
export class PacketLoop<Owner> {
  /** Another thread writes here to end a wait (wakePacketLoop). */
  readonly wakeFd: number;
  readonly epollFd: number;
  readonly #libc = libc();
  readonly #arena = new Uint8Array(new ArrayBuffer(ARENA_BYTES));
  readonly #words = new Uint32Array(this.#arena.buffer);
  readonly #base = addressOf(this.#arena);
  /** Kept, so that its memory stays while the kernel writes there. */
  readonly packet: Uint8Array;
  readonly #packetAt: number;
  readonly #receiveBytes: number;
  readonly #sockets: (LoopSocket<Owner> | null)[] = [];
  /** Null: one call a packet. */
  #ring: CallRing | null;
  /** By slot of the ring: who receives in this turn, and who sends. */
  readonly #receivers: (LoopSocket<Owner> | null)[] = new Array(RING_SLOTS).fill(null);
  readonly #senders: (LoopSocket<Owner> | null)[] = new Array(RING_SLOTS).fill(null);
  /** That of the packet which is being worked on, -1 = none is. */
  #slot = -1;
  readonly #freeIds: number[] = [];

  /**
   * `packet` spans an ArrayBuffer of its own of at least `receiveBytes`: packets are received there, longer
   * ones cut to `receiveBytes`. `ring`: null = one system call for each packet. Throws where there is no epoll.
   */
  constructor(packet: Uint8Array, receiveBytes: number, ring = openRing(packet, receiveBytes)) {
    this.packet = packet;
    this.#packetAt = addressOf(packet);
    this.#receiveBytes = receiveBytes;
    this.epollFd = this.#libc.epoll_create1(EPOLL_CLOEXEC);
    this.wakeFd = this.#libc.eventfd(0, EFD_NONBLOCK_CLOEXEC);
    if (this.epollFd < 0 || this.wakeFd < 0) throw new Error("no epoll or no eventfd");
    if (!this.#control(EPOLL_CTL_ADD, this.wakeFd, WAKE)) throw new Error("epoll_ctl failed");
    this.#ring = ring;
  }

  /** For whoever cleans up after a thread that has died: the loop's own. */
  get ownFds(): readonly number[] {
    const own = [this.wakeFd, this.epollFd];
    return this.#ring === null ? own : [...own, this.#ring.fd];
  }

  /** Null when the loop is full or the descriptor is none. */
  watch(fd: number, owner: Owner): LoopSocket<Owner> | null {
    const id = this.#freeIds.pop() ?? this.#sockets.length;
    if (id >= LOOP_SOCKETS_MAX || !this.#control(EPOLL_CTL_ADD, fd, id)) {
      if (id < this.#sockets.length) this.#freeIds.push(id);
      return null;
    }
    const socket = new LoopSocket(fd, id, owner);
    this.#sockets[id] = socket;
    return socket;
  }

  /** Not while turn() runs. Does not close the descriptor. */
  forget(socket: LoopSocket<Owner>): void {
    if (this.#sockets[socket.id] !== socket) return;
    this.#control(EPOLL_CTL_DEL, socket.fd, socket.id);
    this.#sockets[socket.id] = null;
    this.#freeIds.push(socket.id);
  }

  /**
   * Waits for packets and gives each socket that has some to `ready`, once. False = somebody woke the loop: no
   * packet is given then, since what the loop is to be told comes before what came after it. `unsent` gets the
   * sockets of packets that were not sent though send() took them.
   */
  turn(
    timeoutMs: number,
    ready: (socket: LoopSocket<Owner>) => void,
    unsent: (socket: LoopSocket<Owner>) => void,
  ): boolean {
    const count = this.#libc.epoll_wait(
      this.epollFd,
      this.#base + LAYOUT.events,
      EVENTS_MAX,
      timeoutMs,
    );
    const first = (LAYOUT.events + DATA_OFFSET) >> 2;
    const end = first + count * EVENT_WORDS;
    for (let word = first; word < end; word += EVENT_WORDS) {
      if (this.#words[word] !== WAKE) continue;
      this.#libc.read(this.wakeFd, this.#base + LAYOUT.wakeCount, 8);
      return false;
    }
    if (this.#ring !== null) {
      this.#turnRing(this.#ring, first, end, ready, unsent);
      return true;
    }
    for (let word = first; word < end; word += EVENT_WORDS) {
      const socket = this.#sockets[this.#words[word]!];
      if (socket != null) ready(socket);
    }
    return true;
  }

  /** The same, with all receives in one system call and all sends in another. */
  #turnRing(
    ring: CallRing,
    first: number,
    end: number,
    ready: (socket: LoopSocket<Owner>) => void,
    unsent: (socket: LoopSocket<Owner>) => void,
  ): void {
    let slots = 0;
    for (let word = first; word < end; word += EVENT_WORDS) {
      const socket = this.#sockets[this.#words[word]!];
      if (socket == null) continue;
      ring.queueReceive(slots, socket.fd);
      this.#receivers[slots++] = socket;
    }
    ring.submit(ignore);
    try {
      for (let slot = 0; slot < slots; slot++) {
        this.#slot = slot;
        ready(this.#receivers[slot]!);
      }
    } finally {
      this.#slot = -1;
    }
    ring.submit((slot) => unsent(this.#senders[slot]!));
  }

  /** Length of the packet that is now in the array, -1 = none. Its source is in the socket. */
  receive(socket: LoopSocket<Owner>): number {
    const length =
      this.#slot >= 0 && this.#ring !== null ? this.#take(this.#ring) : this.#ask(socket);
    if (length >= 0 && !this.#isKnownSource(socket)) this.#noteSource(socket);
    return length;
  }

  #take(ring: CallRing): number {
    const length = ring.lengths[this.#slot]!;
    if (length >= 0) ring.take(this.#slot, length, this.#words);
    return length;
  }

  #ask(socket: LoopSocket<Owner>): number {
    this.#words[LAYOUT.sourceLength >> 2] = SOCKET_ADDRESS_BYTES;
    return this.#libc.recvfrom(
      socket.fd,
      this.#packetAt,
      this.#receiveBytes,
      MSG_DONTWAIT,
      this.#base + LAYOUT.source,
      this.#base + LAYOUT.sourceLength,
    );
  }

  /** Sends the first `length` bytes of the array, now or at the end of the turn. False = not sent. Once a packet. */
  send(socket: LoopSocket<Owner>, length: number, address: string, port: number): boolean {
    const at = LAYOUT.targets + SOCKET_ADDRESS_BYTES * socket.id;
    if (port !== socket.targetPort || address !== socket.targetAddress) {
      socket.targetLength = writeSocketAddress(this.#arena, at, address, port);
      socket.targetAddress = address;
      socket.targetPort = port;
    }
    return this.#sendTo(socket, length, this.#base + at, socket.targetLength);
  }

  #sendTo(socket: LoopSocket<Owner>, length: number, to: number, toLength: number): boolean {
    const slot = this.#slot;
    if (slot >= 0 && this.#ring !== null) {
      this.#senders[slot] = socket;
      this.#ring.queueSend(slot, socket.fd, length, to, toLength);
      return true;
    }
    const flags = MSG_DONTWAIT;
    return this.#libc.sendto(socket.fd, this.#packetAt, length, flags, to, toLength) === length;
  }

  /** Closes what the loop has made itself; the sockets are others'. */
  close(): void {
    for (const fd of this.ownFds) this.#libc.close(fd);
  }

  /** Throws unless a datagram really comes through: another libc or kernel may lay memory out otherwise. */
  selfTest(owner: Owner): void {
    if (this.#ring !== null && !this.#echoes(owner)) {
      this.#ring.close();
      this.#ring = null;
    }
    if (this.#ring === null && !this.#echoes(owner)) {
      throw new Error("the packet loop heard nothing");
    }
  }

  #echoes(owner: Owner): boolean {
    const pair = new Int32Array(new ArrayBuffer(8));
    if (this.#libc.socketpair(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0, addressOf(pair)) !== 0) return false;
    const [near = -1, far = -1] = pair;
    const bytes = SELF_TEST.length;
    const socket = this.watch(near, owner);
    this.packet.set(SELF_TEST);
    this.#libc.sendto(far, this.#packetAt, bytes, MSG_DONTWAIT, 0, 0);
    this.packet.fill(0, 0, bytes);
    const answer = (ready: LoopSocket<Owner>): void => {
      if (ready === socket && this.receive(ready) === bytes) this.#sendTo(ready, bytes, 0, 0);
    };
    this.turn(SELF_TEST_MS, answer, ignore);
    if (socket !== null) this.forget(socket);
    this.packet.fill(0, 0, bytes);
    const length = this.#libc.recvfrom(far, this.#packetAt, bytes, MSG_DONTWAIT, 0, 0);
    this.#libc.close(near);
    this.#libc.close(far);
    return length === bytes && Buffer.compare(this.packet.subarray(0, bytes), SELF_TEST) === 0;
  }

  /** IPv4: two words tell. IPv6: all seven. */
  #isKnownSource(socket: LoopSocket<Owner>): boolean {
    const words = this.#words;
    const known = socket.sourceWords;
    if (words[0] !== known[0] || words[1] !== known[1]) return false;
    if ((words[0]! & 0xff) === 2) return true;
    return (
      words[2] === known[2] &&
      words[3] === known[3] &&
      words[4] === known[4] &&
      words[5] === known[5]
    );
  }

  #noteSource(socket: LoopSocket<Owner>): void {
    for (let i = 0; i < socket.sourceWords.length; i++) socket.sourceWords[i] = this.#words[i]!;
    const { address, port } = readSocketAddress(this.#arena, LAYOUT.source);
    socket.sourceAddress = address;
    socket.sourcePort = port;
  }

  #control(operation: number, fd: number, id: number): boolean {
    const at = LAYOUT.change >> 2;
    this.#words[at] = EPOLLIN;
    this.#words[at + (DATA_OFFSET >> 2)] = id;
    this.#words[at + (DATA_OFFSET >> 2) + 1] = 0;
    return this.#libc.epoll_ctl(this.epollFd, operation, fd, this.#base + LAYOUT.change) === 0;
  }
}

function openRing(packet: Uint8Array, receiveBytes: number): CallRing | null {
  try {
    return new CallRing(packet, receiveBytes);
  } catch {
    return null;
  }
}

function ignore(): void {}
