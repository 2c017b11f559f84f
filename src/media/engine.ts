/**
 * The small interface between calls and packets. What crosses it is plain data, so that the same
 * control side can drive sockets in this thread (native-engine.ts) or a receive loop in a Worker.
 * An engine owns sockets, latches, SRTP state and counters of its streams; it knows no SDP and no
 * call.
 */
import type { Endpoint } from "../io/types.ts";
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import type { StreamCounters } from "./counters.ts";

/** `outer` faces the phone, `inner` the instance. */
export type LegName = "outer" | "inner";

export function otherLeg(leg: LegName): LegName {
  return leg === "outer" ? "inner" : "outer";
}

/** Our side of one leg: RTP at the even `rtpPort`, RTCP at the next one. */
export type LocalPair = { readonly address: string; readonly rtpPort: number };

/** Names one open m= line; never used again after close(). */
export type StreamHandle = number;

/**
 * One direction of SRTP. `key` is master key and salt; `mki` is what peers put before the tag, or
 * empty.
 */
export type LegCrypto = {
  readonly suite: CryptoSuite;
  readonly key: Uint8Array;
  readonly mki: Uint8Array;
};

/**
 * What crosses a leg's ports: RTP with RTCP at the next port, both at the RTP port (RFC 5761), or T.38's UDPTL,
 * which is no RTP and has no RTCP.
 */
export type Carried = "rtp" | "rtp-mux" | "udptl";

/**
 * Everything one leg has to know after an answer. Networks are CIDR texts, addresses canonical
 * ones. Given again, also with the same values, learning opens anew for 3 s.
 */
export type LegSettings = {
  readonly carries: Carried;
  /** Of the peer's SDP, as clocksOf() gives them. */
  readonly clocks: readonly number[];
  /**
   * The peer's SDP address and RTP port; null when it is no IP address or the stream is held by
   * 0.0.0.0.
   */
  readonly signalled: Endpoint | null;
  /** Where its RTCP is signalled to be. */
  readonly signalledRtcp: Endpoint | null;
  /** Source address of the peer's SIP flow; null on the inner leg. */
  readonly sipSource: string | null;
  /** Plain RTP only: sources beyond the two above may be learnt too. */
  readonly learnsAnySource: boolean;
  /** Only these may send and be sent to; null = everybody who is not forbidden. */
  readonly allowedNetworks: readonly string[] | null;
  /** Never send there, never learn from there. */
  readonly forbiddenNetworks: readonly string[];
  /** Where to send before the latch; null = nothing goes out until the peer has sent. */
  readonly early: Endpoint | null;
  readonly earlyRtcp: Endpoint | null;
  /**
   * True: `early` stays the target after the latch too (the instance's SDP is honest, a phone's is
   * behind NAT).
   */
  readonly isSignalledTrusted: boolean;
  /** c=0.0.0.0: nothing is sent to this peer and nothing learnt from it. */
  readonly isHeld: boolean;
  /** What the peer sends with; null = plain RTP, or SRTP that is passed through. */
  readonly inbound: LegCrypto | null;
  /** What we send to it with. */
  readonly outbound: LegCrypto | null;
};

/** The port of this leg is held by somebody else; the caller takes another pair. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
  constructor(
    readonly leg: LegName,
    cause: unknown,
  ) {
    super(`a media port of the ${leg} leg is taken`, { cause });
  }
}

export type MediaEngine = {
  readonly name: "native" | "loop";
  /**
   * Opens RTP and RTCP sockets of both legs, all or none. Rejects with PortTaken or ListenError.
   */
  open(pairs: Readonly<Record<LegName, LocalPair>>): Promise<StreamHandle>;
  /** Before the first call a leg neither learns nor sends. */
  configure(handle: StreamHandle, leg: LegName, settings: LegSettings): void;
  /** The ports are free when this returns, or a moment later where threads have to let go of them. */
  close(handle: StreamHandle): void;
  /** As of now, or of a fifth of a second ago from another thread; null after close(). */
  counters(handle: StreamHandle): StreamCounters | null;
  /** Drops of all streams since the start, closed ones included, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** Ends all it runs, streams included. */
  stop(): void;
};

/** Of an RTP socket: a second of video while the thread is held up. */
export const RECEIVE_BUFFER_BYTES = 1 << 20;

/** No other port helps then. */
export function isAddressMissing(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  return cause?.code === "EADDRNOTAVAIL";
}
