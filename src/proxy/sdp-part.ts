/**
 * Where the session description of a message is: its whole body, or one part of a multipart body, in which
 * everything else keeps its bytes (RFC 5621). What cannot be found for sure would pass with the instance's
 * address in it and without a path for its media: that is "hidden".
 */
import type { SipMessage } from "../sip/message.ts";
import { type BodyPart, bodyParts, mediaTypeOf } from "../sip/multipart.ts";

export type SdpPart = {
  readonly text: string;
  /** The body with this description in the place of the one that is there. */
  readonly bodyWith: (sdp: string) => string;
};

const SDP = "application/sdp";
/** As somebody may read it; where it stands in a body that we take for something else, too. */
const MENTION = /application\s*\/\s*sdp/gi;
/** Without a type RFC 3261 §20.15 knows no body, and sofia-sip takes it for SDP. */
const UNTYPED_SDP = /^\s*v=/;
/** Encodings that leave the bytes as they are (RFC 2045 §6.2). */
const AS_IT_IS = new Set(["", "identity", "binary", "8bit", "7bit"]);

export function sdpPartOf(message: SipMessage): SdpPart | "none" | "hidden" {
  if (message.body.length === 0) return "none";
  const contentType = message.headers.get("content-type") ?? "";
  const type = mediaTypeOf(contentType);
  const isSdp = type === SDP || (type === "" && UNTYPED_SDP.test(textOf(message)));
  if (!isSdp && !type.startsWith("multipart/")) return "none";
  if (!isAsItIs(message.headers.get("content-encoding"))) return "hidden";
  if (isSdp) return { text: textOf(message), bodyWith: (sdp) => sdp };
  const text = textOf(message);
  const mentions = text.match(MENTION)?.length ?? 0;
  if (mentions === 0) return "none";
  const isReadable = type !== "multipart/signed" && type !== "multipart/encrypted";
  const parts = isReadable ? bodyParts(text, contentType) : null;
  const [part, ...others] = (parts ?? []).filter((one) => one.type === SDP);
  // Two of them, or one that we did not see: nobody could say which one the far end takes.
  if (part === undefined || others.length > 0 || mentions > 1) return "hidden";
  return isSession(part) ? exchangeable(text, part) : "hidden";
}

/** An early-session (RFC 3959) is an offer of its own, for another session. */
function isSession({ headers }: BodyPart): boolean {
  const disposition = mediaTypeOf(headers.get("content-disposition") ?? "session");
  const isPlain =
    isAsItIs(headers.get("content-transfer-encoding")) && isAsItIs(headers.get("content-encoding"));
  return disposition === "session" && isPlain;
}

/** Some tell the length of each part, which MIME knows nothing of. */
const PART_LENGTH = /^(content-length[ \t]*:[ \t]*)\d+/im;

function exchangeable(text: string, { headersStart, start, end }: BodyPart): SdpPart {
  const before = text.slice(0, headersStart);
  const headers = text.slice(headersStart, start);
  const after = text.slice(end);
  return {
    text: text.slice(start, end),
    bodyWith: (sdp) => before + headers.replace(PART_LENGTH, `$1${sdp.length}`) + sdp + after,
  };
}

function isAsItIs(encoding: string | null | undefined): boolean {
  return AS_IT_IS.has((encoding ?? "").trim().toLowerCase());
}

function textOf(message: SipMessage): string {
  return Buffer.from(message.body).toString("latin1");
}
