/**
 * What a call's media looks like at one moment, for status and for "why is there no audio": what
 * SDP said beside what was learnt, and what was counted. Plain data, no keys.
 */
import type { Endpoint } from "../io/types.ts";
import type { LegView } from "./counters.ts";
import { type LegName, otherLeg } from "./engine.ts";
import type { MediaStream } from "./media-stream.ts";

export type LegSnapshot = LegView & {
  /**
   * What SDP said; null before the first answer, or when it was no IP address or held by 0.0.0.0.
   */
  readonly signalled: Endpoint | null;
  /** Encrypted with keys of ours; false where SRTP is passed through. */
  readonly isSrtp: boolean;
  /** What `payloadType` is called in SDP; null = nothing came, or nobody named it. */
  readonly codec: string | null;
};

/** `type` as in the m= line. */
export type StreamSnapshot = {
  readonly type: string;
  readonly isOpen: boolean;
  /** Either side had asked the other to be quiet. */
  readonly isOnHold: boolean;
  readonly outer: LegSnapshot;
  readonly inner: LegSnapshot;
};

export type SessionSnapshot = {
  readonly callId: string;
  readonly instance: string;
  readonly isOnHold: boolean;
  /** Closed ones first, of which only the latest few are kept. */
  readonly streams: readonly StreamSnapshot[];
};

/** Null = its engine knows nothing of it. */
export function snapshotOf(stream: MediaStream): StreamSnapshot | null {
  const { counters, type, isOpen, isOnHold } = stream;
  if (counters === null) return null;
  const legOf = (leg: LegName): LegSnapshot => {
    const settings = stream.applied(leg)?.settings ?? null;
    const isSrtp = (settings?.inbound ?? null) !== null;
    const { [leg]: view } = counters;
    const codec = codecOf(stream, leg, view.payloadType);
    return { ...view, signalled: settings?.signalled ?? null, isSrtp, codec };
  };
  return { type, isOpen, isOnHold, outer: legOf("outer"), inner: legOf("inner") };
}

/** By the SDP it was sent, else by its own (RelayLeg.turnTo). */
function codecOf(stream: MediaStream, leg: LegName, payloadType: number): string | null {
  // A fax has none; what audio before it was coded with is not its own.
  if (stream.applied(leg)?.remote.carries === "udptl") return null;
  for (const side of [otherLeg(leg), leg]) {
    const codecs = stream.applied(side)?.remote.codecs ?? [];
    const codec = codecs.find((one) => one.payloadType === payloadType);
    if (codec !== undefined) return codec.name;
  }
  return null;
}
