/**
 * Which m= lines of an offer or answer are carried, and how (RFC 3264, RFC 8643, RFC 5761): the
 * policy of a leg against what its peer wrote. Pure; knows no ports and no sockets.
 */
import { isIP } from "node:net";
import { canonicalAddress } from "../config/address-class.ts";
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import { type Codec, codecsOf } from "../sdp/codecs.ts";
import { connectionOf, isHoldAddress } from "../sdp/connection.ts";
import type { CryptoAttribute } from "../sdp/crypto-attribute.ts";
import { type Direction, direction } from "../sdp/direction.ts";
import {
  attributes,
  hasAttribute,
  isDtlsProto,
  isRtpProto,
  isSecureProto,
  isUdptlProto,
  rtcpOf,
} from "../sdp/media-description.ts";
import type { MediaDescription, SessionDescription } from "../sdp/session-description.ts";
import type { Carried } from "./engine.ts";
import { type ChosenCrypto, chooseCrypto, cryptoOfAnswer } from "./keying.ts";

/** What one leg speaks. With passthrough both legs carry the peers' own keys. */
export type LegPolicy = {
  readonly media: "srtp" | "rtp";
  readonly suites: readonly CryptoSuite[];
  readonly isPassthrough: boolean;
  /** Speaks SRTP, but its peer may offer plain RTP. */
  readonly acceptsPlain: boolean;
  /** Speaks SRTP, but its peer has refused it and is offered plain RTP. */
  readonly offersPlain: boolean;
  /** T.38 passes, which nobody can encrypt. */
  readonly carriesUdptl: boolean;
};

/** Where one peer says it is, and what it wants. */
export type RemoteMedia = {
  /** Canonical; null when it is no IP address (names are never resolved) or 0.0.0.0. */
  readonly address: string | null;
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly rtcpAddress: string | null;
  /** c=0.0.0.0. */
  readonly isHeld: boolean;
  readonly direction: Direction;
  readonly carries: Carried;
  readonly codecs: readonly Codec[];
};

/**
 * One m= line of an offer or an answer that is carried. `crypto` null = plain, or passed through.
 */
export type LiveLine = { readonly remote: RemoteMedia; readonly crypto: ChosenCrypto | null };

/** Why nothing of an offer can be carried. */
export type OfferProblem =
  | "sdp-not-acceptable"
  | "sdp-protocol"
  | "sdp-dtls"
  | "sdp-plain-rtp"
  | "sdp-srtp"
  | "sdp-crypto"
  | "sdp-clear-fax";

type Verdict = LiveLine | OfferProblem;

/** `lines`: each m= line, null = declined. `problem`: of the first line that asked for something. */
export type JudgedOffer = {
  readonly lines: readonly (LiveLine | null)[];
  readonly problem: OfferProblem;
};

export function judgeOffer(description: SessionDescription, policy: LegPolicy): JudgedOffer {
  const verdicts = description.media.map((media) => judgeOfferedLine(description, media, policy));
  const lines = verdicts.map((verdict, at) => {
    if (typeof verdict === "string" || isPlainTwin(description.media, verdicts, at)) return null;
    return verdict;
  });
  const problem = verdicts.find(
    (verdict, at): verdict is OfferProblem =>
      typeof verdict === "string" && description.media[at]!.port !== 0,
  );
  return { lines, problem: problem ?? "sdp-not-acceptable" };
}

/** What one m= line offered to the peer that answers: "rtp-mux" where it may choose. */
export type OfferedFar = {
  readonly carries: Carried;
  /** [] = plain. */
  readonly crypto: readonly CryptoAttribute[];
};

/**
 * One m= line of an answer. "insecure": it is there, but without the key that was promised, so nothing
 * of it may be carried.
 */
export function judgeAnsweredLine(
  description: SessionDescription,
  media: MediaDescription,
  o: { offered: OfferedFar; policy: LegPolicy },
): LiveLine | null | "insecure" {
  const carries = carriedBy(media);
  // What nobody offered cannot be agreed to.
  const agreed = carries === "rtp-mux" && o.offered.carries === "rtp" ? "rtp" : carries;
  if (media.port === 0 || agreed === null) return null;
  if ((agreed === "udptl") !== (o.offered.carries === "udptl")) return null;
  const remote = remoteOf(description, media, agreed);
  if (remote === null) return null;
  if (agreed === "udptl") return { remote, crypto: null };
  const values = attributes(media, "crypto");
  if (o.policy.isPassthrough) {
    return o.policy.media === "srtp" && values.length === 0 ? "insecure" : { remote, crypto: null };
  }
  if (o.offered.crypto.length === 0) return { remote, crypto: null };
  const crypto = cryptoOfAnswer(values, o.offered.crypto);
  return crypto === null ? "insecure" : { remote, crypto };
}

/** Null when the m= line has no address at all. */
function remoteOf(
  description: SessionDescription,
  media: MediaDescription,
  carries: Carried,
): RemoteMedia | null {
  const connection = connectionOf(description, media);
  if (connection === null) return null;
  const isHeld = isHoldAddress(connection.address);
  // With both at one port a=rtcp is only what would have been without (RFC 5761 §5.1.3).
  const isMux = carries === "rtp-mux";
  const rtcp = isMux ? { port: media.port, address: null } : rtcpOf(media);
  return {
    address: isHeld ? null : usableAddress(connection.address),
    rtpPort: media.port,
    rtcpPort: rtcp?.port ?? Math.min(media.port + 1, 65_535),
    rtcpAddress: usableAddress(rtcp?.address ?? ""),
    isHeld,
    direction: direction(description, media),
    carries,
    codecs: codecsOf(media),
  };
}

function usableAddress(address: string): string | null {
  return isIP(address) === 0 ? null : canonicalAddress(address);
}

function judgeOfferedLine(
  description: SessionDescription,
  media: MediaDescription,
  policy: LegPolicy,
): Verdict {
  const carries = carriedBy(media);
  if (carries === null) return isDtlsProto(media.proto) ? "sdp-dtls" : "sdp-protocol";
  const remote = media.port === 0 ? null : remoteOf(description, media, carries);
  if (remote === null) return "sdp-not-acceptable";
  if (carries !== "udptl") return judgeOfferedKeys(media, remote, policy);
  return policy.carriesUdptl ? { remote, crypto: null } : "sdp-clear-fax";
}

function judgeOfferedKeys(
  media: MediaDescription,
  remote: RemoteMedia,
  policy: LegPolicy,
): Verdict {
  const values = attributes(media, "crypto");
  const isSecure = isSecureProto(media.proto);
  const isPromised = policy.media === "srtp" && !policy.acceptsPlain;
  if (policy.media === "rtp" && isSecure) return "sdp-srtp";
  if (policy.isPassthrough) {
    return isPromised && values.length === 0 ? "sdp-plain-rtp" : { remote, crypto: null };
  }
  // RTP/AVP with keys is SRTP too (RFC 8643), whatever the policy: it is answered in kind.
  const crypto = chooseCrypto(values, policy.suites);
  if (crypto !== null || !(isPromised || isSecure)) return { remote, crypto };
  return values.length === 0 ? "sdp-plain-rtp" : "sdp-crypto";
}

/** Some phones offer each stream twice, secured and plain: then the secured one is carried. */
function isPlainTwin(
  media: readonly MediaDescription[],
  verdicts: readonly Verdict[],
  at: number,
): boolean {
  const line = media[at]!;
  if (isSecureProto(line.proto)) return false;
  return media.some(
    (other, position) =>
      other.type === line.type &&
      isSecureProto(other.proto) &&
      typeof verdicts[position] !== "string",
  );
}

/** Null: neither RTP over UDP nor UDPTL. */
function carriedBy(media: MediaDescription): Carried | null {
  if (isUdptlProto(media.proto)) return "udptl";
  if (!isRtpProto(media.proto) || isDtlsProto(media.proto)) return null;
  // Whoever wants nothing else (RFC 8858) says so by an attribute more.
  const isMux = hasAttribute(media, "rtcp-mux") || hasAttribute(media, "rtcp-mux-only");
  return isMux ? "rtp-mux" : "rtp";
}
