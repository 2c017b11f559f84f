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

/** `latched` is where the peer's packets come from. */
export type LegView = LegCounters & {
  readonly latched: Endpoint | null;
  readonly latchedRtcp: Endpoint | null;
};

export function makeLegCounters(): LegCounters {
  return {
    packets: 0,
    octets: 0,
    rtcpPackets: 0,
    moves: 0,
    lastSeenMs: 0,
    drops: new Float64Array(DROP_REASONS.length),
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
