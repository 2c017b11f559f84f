/**
 * One offer and the answers to it (RFC 3264), with several branches answering the same offer (RFC
 * 3261 §13.2.2.4). Knows how each m= line is carried and writes the text for the far side; what it
 * sets on the streams is the session's to do. Plain values and pure functions.
 */
import type { CryptoAttribute } from "../sdp/crypto-attribute.ts";
import { isSecureProto, protoWithSecurity } from "../sdp/media-description.ts";
import {
  formatSessionDescription,
  type MediaDescription,
  type SessionDescription,
} from "../sdp/session-description.ts";
import { type Carried, type LegName, otherLeg } from "./engine.ts";
import type { LegKeys } from "./leg-settings.ts";
import type { AgreedProfile, ByLeg, MediaStream } from "./media-stream.ts";
import {
  judgeAnsweredLine,
  type LegPolicy,
  type LiveLine,
  type RemoteMedia,
} from "./offer-answer.ts";
import { type RewrittenLine, rewriteDescription } from "./sdp-rewrite.ts";

/** One m= line of the offer that is carried. */
export type OfferedLine = LiveLine & {
  readonly stream: MediaStream;
  /** What the far side was offered. */
  readonly farProto: string;
  readonly farCrypto: readonly CryptoAttribute[] | "keep";
  readonly farCarries: Carried;
};

export type Exchange = {
  readonly from: LegName;
  readonly offer: SessionDescription;
  /** One an m= line; null = declined. */
  readonly lines: readonly (OfferedLine | null)[];
};

export type AgreedLeg = {
  readonly remote: RemoteMedia;
  readonly keys: LegKeys;
  readonly profile: AgreedProfile | null;
};

/** What an answer makes of one stream, for both legs. */
export type AgreedLine = {
  readonly stream: MediaStream;
  /** Of the m= line. */
  readonly type: string;
  readonly legs: Readonly<ByLeg<AgreedLeg>>;
};

const NO_KEYS: LegKeys = { inbound: null, outbound: null };

/** How the far side is offered this line: as it agreed before, else as its policy says. */
export function offerLine(
  live: LiveLine,
  media: MediaDescription,
  stream: MediaStream,
  far: { leg: LegName; policy: LegPolicy },
): OfferedLine {
  const { leg, policy } = far;
  const farProto = media.proto;
  const { carries } = live.remote;
  if (carries === "udptl") return { ...live, stream, farProto, farCrypto: [], farCarries: carries };
  const agreed = stream.applied(leg)?.profile ?? null;
  const farCarries = agreed?.isMux === true ? "rtp-mux" : carries;
  if (policy.isPassthrough) return { ...live, stream, farProto, farCrypto: "keep", farCarries };
  const isSecure = agreed?.isSecure ?? (policy.media === "srtp" && !policy.offersPlain);
  const isSecureLine = agreed === null ? isSecure : isSecureProto(agreed.proto);
  return {
    ...live,
    stream,
    farCarries,
    farProto: protoWithSecurity(media.proto, isSecureLine),
    farCrypto: isSecure ? stream.keys[leg].offer(policy.suites) : [],
  };
}

/** The offer as the far side gets it. `address` is ours there. */
export function formatOffer(exchange: Exchange, address: string): string {
  const far = otherLeg(exchange.from);
  const lines = exchange.lines.map((line, at): RewrittenLine => {
    if (line === null) return declined(exchange.offer.media[at]!);
    const { farProto: proto, farCrypto: crypto, farCarries } = line;
    return { port: line.stream.rtpPorts[far], proto, crypto, isMux: farCarries === "rtp-mux" };
  });
  return formatSessionDescription(rewriteDescription(exchange.offer, address, lines));
}

/** One an m= line of the offer; null = declined by either side. */
export type JudgedAnswer = {
  readonly lines: readonly (AgreedLine | null)[];
  /** The answer took a stream without the key that was offered for it. */
  readonly isInsecure: boolean;
};

export function judgeAnswer(
  exchange: Exchange,
  answer: SessionDescription,
  policy: LegPolicy,
): JudgedAnswer {
  let isInsecure = false;
  const lines = exchange.lines.map((line, at): AgreedLine | null => {
    const media = answer.media[at];
    if (line === null || media === undefined) return null;
    const crypto = line.farCrypto === "keep" ? [] : line.farCrypto;
    const offered = { carries: line.farCarries, crypto };
    const answered = judgeAnsweredLine(answer, media, { offered, policy });
    if (answered === "insecure") isInsecure = true;
    if (answered === null || answered === "insecure") return null;
    return agree(exchange, line, at, answered);
  });
  return { lines, isInsecure };
}

/**
 * The answer as the offerer gets it: as many m= lines as it offered, in its order and with its
 * profiles.
 */
export function formatAnswer(
  exchange: Exchange,
  answer: SessionDescription,
  agreed: readonly (AgreedLine | null)[],
  address: string,
): string {
  const { from, offer } = exchange;
  const media = offer.media.map((offered, at) => {
    const answered = answer.media[at];
    return answered?.type === offered.type ? answered : { ...offered, lines: [] };
  });
  const lines = offer.media.map((offered, at): RewrittenLine => {
    const line = exchange.lines[at];
    if (agreed[at] === null || line === null || line === undefined) return declined(offered);
    const { proto } = offered;
    // Whatever the far side can do: the two legs are bridged (RFC 5761 §5.1.1).
    const isMux = line.remote.carries === "rtp-mux";
    return { port: line.stream.rtpPorts[from], proto, crypto: answeredCrypto(line, from), isMux };
  });
  return formatSessionDescription(rewriteDescription({ ...answer, media }, address, lines));
}

function agree(exchange: Exchange, line: OfferedLine, at: number, answered: LiveLine): AgreedLine {
  const { from, offer } = exchange;
  const { stream } = line;
  const { type, proto } = offer.media[at]!;
  const near = agreeLeg(line, stream, from, proto);
  const other = agreeLeg(answered, stream, otherLeg(from), line.farProto);
  const legs = from === "outer" ? { outer: near, inner: other } : { outer: other, inner: near };
  return { stream, type, legs };
}

/** A fax in between does not make anybody forget how audio was spoken. */
function agreeLeg(line: LiveLine, stream: MediaStream, leg: LegName, proto: string): AgreedLeg {
  const { remote, crypto } = line;
  const { carries } = remote;
  const spoken = { isSecure: crypto !== null, proto, isMux: carries === "rtp-mux" };
  const profile = carries === "udptl" ? (stream.applied(leg)?.profile ?? null) : spoken;
  return { remote, keys: keysOf(line, stream, leg), profile };
}

function keysOf(line: LiveLine, stream: MediaStream, leg: LegName): LegKeys {
  if (line.crypto === null) return NO_KEYS;
  const { peer } = line.crypto;
  return { inbound: peer, outbound: stream.keys[leg].key(peer.suite) };
}

/** Our key under the tag that was chosen (RFC 4568 §5.1.2). */
function answeredCrypto(line: OfferedLine, leg: LegName): RewrittenLine["crypto"] {
  if (line.farCrypto === "keep") return "keep";
  if (line.crypto === null) return [];
  return [line.stream.keys[leg].line(line.crypto.tag, line.crypto.peer.suite)];
}

function declined(media: MediaDescription): RewrittenLine {
  return { port: 0, proto: media.proto, crypto: [], isMux: false };
}
