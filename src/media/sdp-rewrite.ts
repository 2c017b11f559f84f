/**
 * A session description as the other side may see it: our address in o= and c=, our port, profile
 * and keys in each m= section; rtcp-mux as agreed with that side; ICE, a=rtcp (we are at port + 1),
 * BUNDLE and what belongs to keys by other ways are gone. Everything else leaves as it came. A hold
 * by c=0.0.0.0 stays one. Pure.
 */
import { replaceConnection, replaceOrigin } from "../sdp/connection.ts";
import type { CryptoAttribute } from "../sdp/crypto-attribute.ts";
import {
  setCrypto,
  setPort,
  setProto,
  setRtcp,
  setRtcpMux,
  withoutAttributes,
  withoutIce,
} from "../sdp/media-description.ts";
import {
  type MediaDescription,
  parseSessionDescription,
  SdpSyntaxError,
  type SessionDescription,
} from "../sdp/session-description.ts";

/** A call keeps what it was offered: of thousands of calls, much more than anybody writes would be too much. */
const SDP_BYTES_MAX = 32_768;
const SDP_LINES_MAX = 1000;

/** What one m= section becomes. `port` 0 = declined. */
export type RewrittenLine = {
  readonly port: number;
  readonly proto: string;
  /** Our lines, or "keep" where keys cross from end to end. */
  readonly crypto: readonly CryptoAttribute[] | "keep";
  /** RTCP at the same port. */
  readonly isMux: boolean;
};

/**
 * DTLS (RFC 8122, RFC 8842), ZRTP (RFC 6189): their packets do not pass, so that whoever read these would
 * wait for a handshake. Of RTP at shared ports (RFC 8858, RFC 8843) what the other leg has agreed.
 */
const UNCARRIED = [
  ..."fingerprint setup tls-id dtls-id zrtp-hash".split(" "),
  ..."rtcp-mux-only bundle-only".split(" "),
];
/** Keys by MIKEY (RFC 4567) are an end's own, as those of SDES are. */
const KEYS = ["crypto", "key-mgmt"];

/** Null when it is no session description, or has too many m= lines. */
export function readDescription(
  sdp: Uint8Array | string,
  maxMedia: number,
): SessionDescription | null {
  const text = typeof sdp === "string" ? sdp : Buffer.from(sdp).toString("latin1");
  try {
    return parseSessionDescription(text, {
      maxMedia,
      maxLengthBytes: SDP_BYTES_MAX,
      maxLines: SDP_LINES_MAX,
    });
  } catch (error) {
    if (error instanceof SdpSyntaxError) return null;
    throw error;
  }
}

/** `lines` has one entry for each m= section of the description. */
export function rewriteDescription(
  description: SessionDescription,
  address: string,
  lines: readonly RewrittenLine[],
): SessionDescription {
  const moved = replaceConnection(replaceOrigin(description, address), address);
  const isKept = lines.some((line) => line.crypto === "keep");
  const unwanted = isKept ? [...UNCARRIED, "crypto"] : [...UNCARRIED, ...KEYS];
  const session = withoutBundle(withoutAttributes(withoutIce(moved), unwanted));
  const media = session.media.map((one, at) => rewriteMedia(one, lines[at]));
  return { ...session, media };
}

function rewriteMedia(media: MediaDescription, line: RewrittenLine | undefined): MediaDescription {
  if (line === undefined) return setPort(media, 0);
  const placed = setProto(setPort(media, line.port), line.proto);
  const carried = withoutAttributes(withoutIce(placed), UNCARRIED);
  const plain = setRtcp(setRtcpMux(carried, line.isMux), null);
  if (line.crypto === "keep") return plain;
  return setCrypto(withoutAttributes(plain, ["key-mgmt"]), line.crypto);
}

/**
 * Each m= line has ports of its own here, so nothing can share one. Without the group an answer accepts
 * no bundle (RFC 8843 §7.3), and lines that exist in one only stay declined by their port 0 (§6).
 */
function withoutBundle(description: SessionDescription): SessionDescription {
  const lines = description.lines.filter((line) => !/^a=group:BUNDLE(\s|$)/i.test(line));
  return { ...description, lines };
}
