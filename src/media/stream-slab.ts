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
import type { SrtpPosition } from "../rtp/srtp-context.ts";
import { DROP_REASONS, type LegView, type StreamCounters } from "./counters.ts";
import type { LegName } from "./engine.ts";
import type { Latch } from "./latch.ts";
import type { RelayLeg, RelayStream } from "./relay-leg.ts";

/** Cells of one leg, each a number; an endpoint is the 32 bytes of its socket address, 0 = not latched. */
const ENDPOINT_CELLS = SOCKET_ADDRESS_BYTES / 8;
const CELL = {
  packets: 0,
  octets: 1,
  rtcpPackets: 2,
  moves: 3,
  lastSeenMs: 4,
  inbound: 5,
  outbound: 9,
  latched: 13,
  latchedRtcp: 13 + ENDPOINT_CELLS,
  drops: 13 + 2 * ENDPOINT_CELLS,
} as const;
const LEG_CELLS = CELL.drops + DROP_REASONS.length;
const STREAM_CELLS = 2 * LEG_CELLS;
const LEG_AT: Readonly<Record<LegName, number>> = { outer: 0, inner: LEG_CELLS };

export type LegPositions = { readonly inbound: SrtpPosition; readonly outbound: SrtpPosition };

export class StreamSlab {
  /** Of all streams since the thread began, by DROP. */
  readonly drops: Float64Array;
  readonly #cells: Float64Array;
  readonly #bytes: Uint8Array;

  constructor(readonly memory: SharedArrayBuffer) {
    this.drops = new Float64Array(memory, 0, DROP_REASONS.length);
    const start = 8 * DROP_REASONS.length;
    this.#cells = new Float64Array(memory, start);
    this.#bytes = new Uint8Array(memory, start);
  }

  static create(streams: number): StreamSlab {
    const cells = DROP_REASONS.length + STREAM_CELLS * streams;
    return new StreamSlab(new SharedArrayBuffer(8 * cells));
  }

  write(slot: number, stream: RelayStream): void {
    this.#writeLeg(slot * STREAM_CELLS + LEG_AT.outer, stream.outer);
    this.#writeLeg(slot * STREAM_CELLS + LEG_AT.inner, stream.inner);
  }

  clear(slot: number): void {
    this.#cells.fill(0, slot * STREAM_CELLS, (slot + 1) * STREAM_CELLS);
  }

  read(slot: number): StreamCounters {
    return { outer: this.#readLeg(slot, "outer"), inner: this.#readLeg(slot, "inner") };
  }

  positions(slot: number, leg: LegName): LegPositions {
    const at = slot * STREAM_CELLS + LEG_AT[leg];
    return {
      inbound: this.#readPosition(at + CELL.inbound),
      outbound: this.#readPosition(at + CELL.outbound),
    };
  }

  #writeLeg(at: number, leg: RelayLeg): void {
    const cells = this.#cells;
    const { counters, rtp, rtcp } = leg;
    cells[at + CELL.packets] = counters.packets;
    cells[at + CELL.octets] = counters.octets;
    cells[at + CELL.rtcpPackets] = counters.rtcpPackets;
    cells[at + CELL.moves] = rtp.latch.moves;
    cells[at + CELL.lastSeenMs] = counters.lastSeenMs;
    for (let i = 0; i < DROP_REASONS.length; i++) cells[at + CELL.drops + i] = counters.drops[i]!;
    this.#writeLatch(at + CELL.latched, rtp.latch);
    this.#writeLatch(at + CELL.latchedRtcp, rtcp.latch);
    if (leg.inbound !== null) this.#writePosition(at + CELL.inbound, leg.inbound.context.position);
    if (leg.outbound !== null) {
      this.#writePosition(at + CELL.outbound, leg.outbound.context.position);
    }
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
      drops: cells.slice(at + CELL.drops, at + CELL.drops + DROP_REASONS.length),
      latched: this.#readEndpoint(at + CELL.latched),
      latchedRtcp: this.#readEndpoint(at + CELL.latchedRtcp),
    };
  }

  /** The port says whether it is there already: a source rarely changes, and rarely keeps its port then. */
  #writeLatch(at: number, latch: Latch): void {
    if (!latch.isLatched) return;
    const known = this.#readEndpoint(at);
    if (known?.port === latch.sourcePort && known.address === latch.sourceAddress) return;
    writeSocketAddress(this.#bytes, 8 * at, latch.sourceAddress, latch.sourcePort);
  }

  #readEndpoint(at: number): Endpoint | null {
    const endpoint = readSocketAddress(this.#bytes, 8 * at);
    return endpoint.port === 0 ? null : endpoint;
  }

  /** One is added, so that memory never written reads as "no packet yet". */
  #writePosition(at: number, position: SrtpPosition): void {
    this.#cells[at] = position.ssrc + 1;
    this.#cells[at + 1] = position.index + 1;
    this.#cells[at + 2] = position.offset;
    this.#cells[at + 3] = position.rtcpIndex;
  }

  #readPosition(at: number): SrtpPosition {
    const cells = this.#cells;
    return {
      ssrc: cells[at]! - 1,
      index: cells[at + 1]! - 1,
      offset: cells[at + 2]!,
      rtcpIndex: cells[at + 3]!,
    };
  }
}
