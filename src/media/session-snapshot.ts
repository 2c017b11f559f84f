/**
 * What a call's media looks like at one moment, for status and for "why is there no audio": what
 * SDP said beside what was learnt, and what was counted. Plain data, no keys.
 */
import type { Endpoint } from "../io/types.ts";
import type { LegView, StreamCounters } from "./counters.ts";
import type { LegName } from "./engine.ts";
import type { MediaStream } from "./media-stream.ts";

export type LegSnapshot = LegView & {
  /**
   * What SDP said; null before the first answer, or when it was no IP address or held by 0.0.0.0.
   */
  readonly signalled: Endpoint | null;
  /** Encrypted with keys of ours; false where SRTP is passed through. */
  readonly isSrtp: boolean;
};

/** `type` as in the m= line. */
export type StreamSnapshot = {
  readonly type: string;
  readonly outer: LegSnapshot;
  readonly inner: LegSnapshot;
};

export type SessionSnapshot = {
  readonly callId: string;
  readonly instance: string;
  readonly isOnHold: boolean;
  readonly streams: readonly StreamSnapshot[];
};

export function snapshotOf(stream: MediaStream, counters: StreamCounters): StreamSnapshot {
  const legOf = (leg: LegName): LegSnapshot => {
    const applied = stream.applied(leg);
    const signalled = applied?.settings.signalled ?? null;
    return { ...counters[leg], signalled, isSrtp: (applied?.settings.inbound ?? null) !== null };
  };
  return { type: stream.type, outer: legOf("outer"), inner: legOf("inner") };
}
