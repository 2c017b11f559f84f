/**
 * The media of one call: SDP in, SDP out, ports held in between. An offer opens ports and changes nothing
 * else; the first answer that passes opens learning and sending; a failed offer leaves all as it was before.
 * Owned by the table in media-sessions.ts, driven by the side that knows the dialog.
 */
import { canonicalAddress } from "../config/address-class.ts";
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import {
  parseSessionDescription,
  type SessionDescription,
} from "../sdp/session-description.ts";
import type { LegView } from "./counters.ts";
import { type LegName, otherLeg } from "./engine.ts";
import {
  type AgreedLine,
  type Exchange,
  formatAnswer,
  formatOffer,
  judgeAnswer,
  type OfferedLine,
  offerLine,
} from "./exchange.ts";
import { innerSettings, type LegKeys, outerSettings } from "./leg-settings.ts";
import type { AppliedLeg, ByLeg, MediaStream } from "./media-stream.ts";
import { judgeOffer, type LegPolicy, type LiveLine, type RemoteMedia } from "./offer-answer.ts";

/** Everything a call's media has to know about its two ends. Addresses in text form, networks as CIDR. */
export type SessionRequest = {
  readonly callId: string;
  readonly instance: string;
  readonly inner: {
    readonly bindAddress: string;
    /** The instance's own addresses. */
    readonly addresses: readonly string[];
    /** Where else its media may come from and go to. */
    readonly networks: readonly string[];
    readonly media: "rtp" | "srtp" | "srtp-passthrough";
  };
  readonly outer: {
    readonly bindAddress: string;
    /** Our address as this phone sees it. */
    readonly advertise: string;
    readonly media: "srtp" | "rtp";
    readonly suites: readonly CryptoSuite[];
    /** Source address of the phone's SIP flow. */
    readonly signallingAddress: string;
  };
};

/** 488: this SDP cannot be carried. 503: no port or no room left. */
export type Refused = { readonly ok: false; readonly status: 488 | 503; readonly reason: string };
export type OfferResult = { readonly ok: true; readonly sdp: string } | Refused;
export type AnswerResult =
  | { readonly ok: true; readonly sdp: string }
  | { readonly ok: false; readonly status: 488; readonly reason: string };

export type LegSnapshot = LegView & {
  /** What SDP said; null before the first answer, or when held by 0.0.0.0. */
  readonly signalled: { readonly address: string; readonly port: number } | null;
  readonly isSrtp: boolean;
};

export type SessionSnapshot = {
  readonly callId: string;
  readonly instance: string;
  readonly isOnHold: boolean;
  readonly streams: readonly (Readonly<ByLeg<LegSnapshot>> & { readonly type: string })[];
};
