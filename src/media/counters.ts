/**
 * What one leg counted, and the reasons why a packet is dropped. The relay is the only writer; a
 * reason is a number on the packet path and a word everywhere else.
 */
import type { Endpoint } from "../io/types.ts";

export const DROP_REASONS = [
  "malformed",
  "not-rtp",
  "oversize",
  "excess",
  "not-open",
  "foreign-source",
  "auth",
  "replay",
  "ssrc-limit",
  "waiting-for-latch",
  "held",
  "protect",
  "send-failed",
  "fault",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** The place of each reason in LegCounters.drops. */
export const DROP = Object.fromEntries(DROP_REASONS.map((reason, at) => [reason, at])) as Readonly<
  Record<DropReason, number>
>;

/**
 * Of packets that came in on this leg and were accepted; octets are those of the whole RTP packet,
 * decrypted.
 */
export type LegCounters = {
  packets: number;
  octets: number;
  rtcpPackets: number;
  /** Times the latched source changed after the first latch. */
  moves: number;
  /** Refused packets of senders that nobody named: neither the SDP, nor the source of the SIP, nor the latch. */
  foreign: number;
  /** Of those the ones that passed for RTP of this leg until a key was asked for. */
  foreignRefused: number;
  /** Clock of the last accepted RTP packet (100 ms steps), 0 = none yet. */
  lastSeenMs: number;
  /**
   * By DROP. What could not be sent to this leg counts here too ("waiting-for-latch", "held",
   * "protect", "send-failed").
   */
  readonly drops: Float64Array;
};

export type StreamCounters = {
  readonly outer: LegView;
  readonly inner: LegView;
};

/** How well what this peer sends comes here, and what it says of what goes there. */
export type LegQuality = {
  /** Packets that should have come, by their numbers, and those that have not. */
  readonly expected: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly reordered: number;
  readonly jitterMs: number;
  /** Between us and this peer; -1 = its reports have not told. */
  readonly roundTripMs: number;
  /** What it missed of what we sent to it, by its reports; -1 = none came. */
  readonly peerLost: number;
  readonly peerJitterMs: number;
  /** What it speaks; -1 = nothing came yet. */
  readonly payloadType: number;
};

/** `latched` is where the peer's packets come from. */
export type LegView = LegCounters &
  LegQuality & {
    readonly latched: Endpoint | null;
    readonly latchedRtcp: Endpoint | null;
  };

export function makeLegCounters(): LegCounters {
  return {
    packets: 0,
    octets: 0,
    rtcpPackets: 0,
    moves: 0,
    foreign: 0,
    foreignRefused: 0,
    lastSeenMs: 0,
    drops: new Float64Array(DROP_REASONS.length),
  };
}

/** What a stream has counted in all: in a thread that has died, and in the one after it. */
export function addCounters(before: StreamCounters, now: StreamCounters): StreamCounters {
  return { outer: addViews(before.outer, now.outer), inner: addViews(before.inner, now.inner) };
}

function addViews(before: LegView, now: LegView): LegView {
  return {
    packets: before.packets + now.packets,
    octets: before.octets + now.octets,
    rtcpPackets: before.rtcpPackets + now.rtcpPackets,
    moves: before.moves + now.moves,
    foreign: before.foreign + now.foreign,
    foreignRefused: before.foreignRefused + now.foreignRefused,
    lastSeenMs: Math.max(before.lastSeenMs, now.lastSeenMs),
    drops: now.drops.map((count, at) => before.drops[at]! + count),
    expected: before.expected + now.expected,
    lost: before.lost + now.lost,
    duplicates: before.duplicates + now.duplicates,
    reordered: before.reordered + now.reordered,
    jitterMs: now.packets > 0 ? now.jitterMs : before.jitterMs,
    roundTripMs: now.roundTripMs < 0 ? before.roundTripMs : now.roundTripMs,
    // The peer counts on over all, whoever relays.
    peerLost: now.peerLost < 0 ? before.peerLost : now.peerLost,
    peerJitterMs: now.peerLost < 0 ? before.peerJitterMs : now.peerJitterMs,
    payloadType: now.payloadType < 0 ? before.payloadType : now.payloadType,
    latched: now.latched ?? before.latched,
    latchedRtcp: now.latchedRtcp ?? before.latchedRtcp,
  };
}

/** Only the reasons that happened. */
export function dropsByReason(drops: Float64Array): Record<string, number> {
  const named: Record<string, number> = {};
  DROP_REASONS.forEach((reason, at) => {
    if (drops[at]! > 0) named[reason] = drops[at]!;
  });
  return named;
}
