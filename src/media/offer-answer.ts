/**
 * Which m= lines of an offer or answer are carried, and how (RFC 3264, RFC 8643): the policy of
 * both legs against what the peer wrote. Pure; knows no ports and no sockets.
 */
import { isIP } from "node:net";
import { canonicalAddress } from "../config/address-class.ts";
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import { connectionOf, isHoldAddress } from "../sdp/connection.ts";
import type { CryptoAttribute } from "../sdp/crypto-attribute.ts";
import { type Direction, direction } from "../sdp/direction.ts";
import { attributes, isRtpProto, isSecureProto, rtcpOf } from "../sdp/media-description.ts";
import type { MediaDescription, SessionDescription } from "../sdp/session-description.ts";
import type { Carried } from "./engine.ts";
import { type ChosenCrypto, chooseCrypto, cryptoOfAnswer } from "./keying.ts";

/** What one leg speaks. With passthrough both legs carry the peers' own keys. */
export type LegPolicy = {
  readonly media: "srtp" | "rtp";
  readonly suites: readonly CryptoSuite[];
  readonly isPassthrough: boolean;
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
};

/**
 * One m= line of an offer or an answer that is carried. `crypto` null = plain, or passed through.
 */
export type LiveLine = { readonly remote: RemoteMedia; readonly crypto: ChosenCrypto | null };

/** Null, or why this line is not carried. */
type Verdict = LiveLine | null;

/** Each m= line of an offer: carried or declined. */
export function judgeOffer(description: SessionDescription, policy: LegPolicy): Verdict[] {
  const verdicts = description.media.map((media) => judgeOfferedLine(description, media, policy));
  return verdicts.map((verdict, at) =>
    isPlainTwin(description.media, verdicts, at) ? null : verdict,
  );
}

/**
 * One m= line of an answer. `offered` are the keys we offered, [] = we offered plain RTP.
 * "insecure": it is there, but without the key that was promised, so nothing of it may be carried.
 */
export function judgeAnsweredLine(
  description: SessionDescription,
  media: MediaDescription,
  o: { offered: readonly CryptoAttribute[]; policy: LegPolicy },
): Verdict | "insecure" {
  if (media.port === 0 || !isPlainRtpProto(media.proto)) return null;
  const remote = remoteOf(description, media);
  if (remote === null) return null;
  const values = attributes(media, "crypto");
  if (o.policy.isPassthrough) {
    return o.policy.media === "srtp" && values.length === 0 ? "insecure" : { remote, crypto: null };
  }
  if (o.offered.length === 0) return { remote, crypto: null };
  const crypto = cryptoOfAnswer(values, o.offered);
  return crypto === null ? "insecure" : { remote, crypto };
}

/** Null when the m= line has no address at all. */
function remoteOf(description: SessionDescription, media: MediaDescription): RemoteMedia | null {
  const connection = connectionOf(description, media);
  if (connection === null) return null;
  const isHeld = isHoldAddress(connection.address);
  const rtcp = rtcpOf(media);
  return {
    address: isHeld ? null : usableAddress(connection.address),
    rtpPort: media.port,
    rtcpPort: rtcp?.port ?? Math.min(media.port + 1, 65_535),
    rtcpAddress: usableAddress(rtcp?.address ?? ""),
    isHeld,
    direction: direction(description, media),
    carries: "rtp",
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
  if (media.port === 0 || !isPlainRtpProto(media.proto)) return null;
  const remote = remoteOf(description, media);
  if (remote === null) return null;
  const values = attributes(media, "crypto");
  const isSecure = isSecureProto(media.proto);
  if (policy.media === "rtp" && isSecure) return null;
  if (policy.isPassthrough) {
    return policy.media === "srtp" && values.length === 0 ? null : { remote, crypto: null };
  }
  // RTP/AVP with keys is SRTP too (RFC 8643), whatever the policy: it is answered in kind.
  const crypto = chooseCrypto(values, policy.suites);
  if (crypto === null && policy.media === "srtp") return null;
  return { remote, crypto };
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
      other.type === line.type && isSecureProto(other.proto) && verdicts[position] !== null,
  );
}

/** RTP over UDP. DTLS-SRTP (UDP/TLS/RTP/SAVPF) is keyed by a handshake that we do not make. */
function isPlainRtpProto(proto: string): boolean {
  return isRtpProto(proto) && /^RTP\//i.test(proto);
}
