/**
 * What a media thread tells the control side without a message: the numbers of each stream in shared memory,
 * written by the thread a few times a second (RelayLeg -> cells), read whenever somebody asks. Numbers only,
 * so that telling costs the packet path neither garbage nor a wait.
 */
import {
  readSocketAddress,
  SOCKET_ADDRESS_BYTES,
  writeSocketAddress,
} from "../io/socket-address.ts";
import type { Endpoint } from "../io/types.ts";
import { POSITION_CELLS } from "../rtp/srtp-position.ts";
import { DROP_REASONS, type LegView, type StreamCounters } from "./counters.ts";
import type { LegName } from "./engine.ts";
import type { Channel, RelayLeg, RelayStream } from "./relay-leg.ts";

/** Cells of one leg, each a number; an endpoint is the 32 bytes of its socket address, 0 = not latched. */
const ENDPOINT_CELLS = SOCKET_ADDRESS_BYTES / 8;
const CELL = {
  packets: 0,
  octets: 1,
  rtcpPackets: 2,
  moves: 3,
  lastSeenMs: 4,
  foreign: 5,
  foreignRefused: 6,
  expected: 7,
  lost: 8,
  duplicates: 9,
  reordered: 10,
  jitterMs: 11,
  roundTripMs: 12,
  peerLost: 13,
  peerJitterMs: 14,
  payloadType: 15,
  latched: 16,
  latchedRtcp: 16 + ENDPOINT_CELLS,
  inbound: 16 + 2 * ENDPOINT_CELLS,
  outbound: 16 + 2 * ENDPOINT_CELLS + POSITION_CELLS,
  drops: 16 + 2 * ENDPOINT_CELLS + 2 * POSITION_CELLS,
} as const;
const LEG_CELLS = CELL.drops + DROP_REASONS.length;
const STREAM_CELLS = 2 * LEG_CELLS;
const LEG_AT: Readonly<Record<LegName, number>> = { outer: 0, inner: LEG_CELLS };
/** 32-bit words before all cells: turns of the thread's loop; the number of the thread that may go on. */
const WORD = { turns: 0, owner: 1 } as const;
const WORDS_BYTES = 8;

/** How far SRTP has come in each direction (srtp-position.ts). */
export type LegPositions = { readonly inbound: Float64Array; readonly outbound: Float64Array };

export class StreamSlab {
  /** Of all streams since the thread began, by DROP. */
  readonly drops: Float64Array;
  readonly #words: Int32Array;
  readonly #cells: Float64Array;
  readonly #bytes: Uint8Array;

  constructor(readonly memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, 2);
    this.drops = new Float64Array(memory, WORDS_BYTES, DROP_REASONS.length);
    const start = WORDS_BYTES + 8 * DROP_REASONS.length;
    this.#cells = new Float64Array(memory, start);
    this.#bytes = new Uint8Array(memory, start);
  }

  static create(streams: number): StreamSlab {
    const cells = DROP_REASONS.length + STREAM_CELLS * streams;
    return new StreamSlab(new SharedArrayBuffer(WORDS_BYTES + 8 * cells));
  }

  /** Of the thread's loop, over and over from the start. */
  get turns(): number {
    return Atomics.load(this.#words, WORD.turns);
  }

  countTurn(): void {
    this.#words[WORD.turns] = this.#words[WORD.turns]! + 1;
  }

  /** A thread that finds another number than its own has been given up and must not go on. */
  get owner(): number {
    return this.#words[WORD.owner]!;
  }

  set owner(thread: number) {
    Atomics.store(this.#words, WORD.owner, thread);
  }

  write(slot: number, stream: RelayStream): void {
    this.#writeLeg(slot * STREAM_CELLS + LEG_AT.outer, stream.outer);
    this.#writeLeg(slot * STREAM_CELLS + LEG_AT.inner, stream.inner);
  }

  clear(slot: number): void {
    this.#cells.fill(0, slot * STREAM_CELLS, (slot + 1) * STREAM_CELLS);
  }

  /** All begins at 0 but for what a successor has to know. */
  clearCounts(slot: number): void {
    for (const at of [LEG_AT.outer, LEG_AT.inner]) {
      const start = slot * STREAM_CELLS + at;
      this.#cells.fill(0, start, start + CELL.inbound);
      this.#cells.fill(0, start + CELL.drops, start + LEG_CELLS);
    }
  }

  read(slot: number): StreamCounters {
    return { outer: this.#readLeg(slot, "outer"), inner: this.#readLeg(slot, "inner") };
  }

  positions(slot: number, leg: LegName): LegPositions {
    const at = slot * STREAM_CELLS + LEG_AT[leg];
    return {
      inbound: this.#cells.slice(at + CELL.inbound, at + CELL.inbound + POSITION_CELLS),
      outbound: this.#cells.slice(at + CELL.outbound, at + CELL.outbound + POSITION_CELLS),
    };
  }

  #writeLeg(at: number, leg: RelayLeg): void {
    const cells = this.#cells;
    const { counters, reception, reports, rtp, rtcp } = leg;
    cells[at + CELL.packets] = counters.packets;
    cells[at + CELL.octets] = counters.octets;
    cells[at + CELL.rtcpPackets] = counters.rtcpPackets;
    cells[at + CELL.moves] = rtp.latch.moves;
    cells[at + CELL.lastSeenMs] = counters.lastSeenMs;
    cells[at + CELL.foreign] = counters.foreign;
    cells[at + CELL.foreignRefused] = counters.foreignRefused;
    cells[at + CELL.expected] = reception.expected;
    cells[at + CELL.lost] = reception.lost;
    cells[at + CELL.duplicates] = reception.duplicates;
    cells[at + CELL.reordered] = reception.reordered;
    cells[at + CELL.jitterMs] = reception.jitterMs;
    // One more, so that memory never written reads as "not known".
    cells[at + CELL.roundTripMs] = reports.roundTripMs + 1;
    cells[at + CELL.peerLost] = reports.lost + 1;
    cells[at + CELL.peerJitterMs] = reports.jitterTicks * leg.peer.msPerTick;
    cells[at + CELL.payloadType] = leg.payloadType + 1;
    for (let i = 0; i < DROP_REASONS.length; i++) cells[at + CELL.drops + i] = counters.drops[i]!;
    this.#writeSource(at + CELL.latched, rtp);
    this.#writeSource(at + CELL.latchedRtcp, rtcp);
    leg.inbound?.context.writePosition(cells, at + CELL.inbound);
    leg.outbound?.context.writePosition(cells, at + CELL.outbound);
  }

  #readLeg(slot: number, leg: LegName): LegView {
    const at = slot * STREAM_CELLS + LEG_AT[leg];
    const cells = this.#cells;
    return {
      packets: cells[at + CELL.packets]!,
      octets: cells[at + CELL.octets]!,
      rtcpPackets: cells[at + CELL.rtcpPackets]!,
      moves: cells[at + CELL.moves]!,
      lastSeenMs: cells[at + CELL.lastSeenMs]!,
      foreign: cells[at + CELL.foreign]!,
      foreignRefused: cells[at + CELL.foreignRefused]!,
      expected: cells[at + CELL.expected]!,
      lost: cells[at + CELL.lost]!,
      duplicates: cells[at + CELL.duplicates]!,
      reordered: cells[at + CELL.reordered]!,
      jitterMs: cells[at + CELL.jitterMs]!,
      roundTripMs: cells[at + CELL.roundTripMs]! - 1,
      peerLost: cells[at + CELL.peerLost]! - 1,
      peerJitterMs: cells[at + CELL.peerJitterMs]!,
      payloadType: cells[at + CELL.payloadType]! - 1,
      drops: cells.slice(at + CELL.drops, at + CELL.drops + DROP_REASONS.length),
      latched: this.#readEndpoint(at + CELL.latched),
      latchedRtcp: this.#readEndpoint(at + CELL.latchedRtcp),
    };
  }

  #writeSource(at: number, channel: Channel): void {
    const { sourceAddress, sourcePort } = channel.latch;
    if (channel.toldPort === sourcePort && channel.toldAddress === sourceAddress) return;
    writeSocketAddress(this.#bytes, 8 * at, sourceAddress, sourcePort);
    channel.toldAddress = sourceAddress;
    channel.toldPort = sourcePort;
  }

  #readEndpoint(at: number): Endpoint | null {
    const endpoint = readSocketAddress(this.#bytes, 8 * at);
    return endpoint.port === 0 ? null : endpoint;
  }
}
