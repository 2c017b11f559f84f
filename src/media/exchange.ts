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
import { type LegName, otherLeg } from "./engine.ts";
import type { LegKeys } from "./leg-settings.ts";
import type { AgreedProfile, MediaStream } from "./media-stream.ts";
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
};

export type Exchange = {
  readonly from: LegName;
  readonly offer: SessionDescription;
  /** One an m= line; null = declined. */
  readonly lines: readonly (OfferedLine | null)[];
};

/** What an answer makes of one stream, for both legs. */
export type AgreedLine = {
  readonly stream: MediaStream;
  readonly legs: Readonly<
    Record<
      LegName,
      { readonly remote: RemoteMedia; readonly keys: LegKeys; readonly profile: AgreedProfile }
    >
  >;
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
  if (policy.isPassthrough) return { ...live, stream, farProto: media.proto, farCrypto: "keep" };
  const agreed = stream.applied(leg)?.profile;
  const isSecure = agreed?.isSecure ?? policy.media === "srtp";
  const isSecureLine = agreed === undefined ? isSecure : isSecureProto(agreed.proto);
  return {
    ...live,
    stream,
    farProto: protoWithSecurity(media.proto, isSecureLine),
    farCrypto: isSecure ? stream.keys[leg].offer(policy.suites) : [],
  };
}

/** The offer as the far side gets it. `address` is ours there. */
export function formatOffer(exchange: Exchange, address: string): string {
  const far = otherLeg(exchange.from);
  const lines = exchange.lines.map((line, at): RewrittenLine => {
    if (line === null) return declined(exchange.offer.media[at]!);
    return { port: line.stream.rtpPorts[far], proto: line.farProto, crypto: line.farCrypto };
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
    const offered = line.farCrypto === "keep" ? [] : line.farCrypto;
    const answered = judgeAnsweredLine(answer, media, { offered, policy });
    if (answered === "insecure") isInsecure = true;
    if (answered === null || answered === "insecure") return null;
    return agree(exchange, line, at, { answered, proto: media.proto });
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
  const media = offer.media.map((offered, at) => answer.media[at] ?? { ...offered, lines: [] });
  const lines = offer.media.map((offered, at): RewrittenLine => {
    const line = exchange.lines[at];
    if (agreed[at] === null || line === null || line === undefined) return declined(offered);
    const { proto } = offered;
    return { port: line.stream.rtpPorts[from], proto, crypto: answeredCrypto(line, from) };
  });
  return formatSessionDescription(rewriteDescription({ ...answer, media }, address, lines));
}

function agree(
  exchange: Exchange,
  line: OfferedLine,
  at: number,
  far: { answered: LiveLine; proto: string },
): AgreedLine {
  const { from, offer } = exchange;
  const near = {
    remote: line.remote,
    keys: keysOf(line, line.stream, from),
    profile: { isSecure: line.crypto !== null, proto: offer.media[at]!.proto },
  };
  const other = {
    remote: far.answered.remote,
    keys: keysOf(far.answered, line.stream, otherLeg(from)),
    profile: { isSecure: far.answered.crypto !== null, proto: line.farProto },
  };
  const legs = from === "outer" ? { outer: near, inner: other } : { outer: other, inner: near };
  return { stream: line.stream, legs };
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
  return { port: 0, proto: media.proto, crypto: [] };
}
