/**
 * The session descriptions of the demonstration: one audio stream, everything else declined. Offers and
 * answers are made from what the far end wrote (RFC 3264), never from tables of codecs.
 */

import type { Endpoint } from "../io/types.ts";
import {
  connectionOf,
  formatConnection,
  replaceConnection,
  replaceOrigin,
} from "../sdp/connection.ts";
import type { CryptoAttribute } from "../sdp/crypto-attribute.ts";
import { parseCryptoAttribute } from "../sdp/crypto-attribute.ts";
import { type Direction, direction } from "../sdp/direction.ts";
import {
  attribute,
  attributes,
  isRtpProto,
  mapMedia,
  setPort,
  setRtcp,
  withoutIce,
} from "../sdp/media-description.ts";
import {
  formatSessionDescription,
  type MediaDescription,
  parseSessionDescription,
  SdpSyntaxError,
  type SessionDescription,
} from "../sdp/session-description.ts";
import { type G711Law, PAYLOAD_TYPE } from "./g711.ts";

/** The far end's first audio stream over RTP. */
export type RemoteAudio = {
  readonly endpoint: Endpoint;
  readonly direction: Direction;
  /** Payload types in the order of preference. */
  readonly payloadTypes: readonly number[];
  /** The first law of G.711 among them. */
  readonly law: G711Law | null;
  readonly crypto: readonly CryptoAttribute[];
};

const LAWS: readonly G711Law[] = ["PCMA", "PCMU"];

/** Null: no session description, or nothing in it that can be spoken to. */
export function readAudio(text: string): RemoteAudio | null {
  const description = parse(text);
  const media = description?.media.find(isAudio);
  if (description === null || media === undefined) return null;
  const connection = connectionOf(description, media);
  if (connection === null) return null;
  const payloadTypes = media.formats.trim().split(/\s+/).map(Number);
  return {
    endpoint: { address: connection.address, port: media.port },
    direction: direction(description, media),
    payloadTypes,
    law: lawOf(payloadTypes),
    crypto: attributes(media, "crypto").flatMap((value) => parseCryptoAttribute(value) ?? []),
  };
}

function parse(text: string): SessionDescription | null {
  try {
    return parseSessionDescription(text);
  } catch (error) {
    if (error instanceof SdpSyntaxError) return null;
    throw error;
  }
}

function isAudio(media: MediaDescription): boolean {
  return media.type === "audio" && media.port > 0 && isRtpProto(media.proto);
}

/** The static payload types of RFC 3551 only: nobody numbers G.711 otherwise. */
function lawOf(payloadTypes: readonly number[]): G711Law | null {
  for (const type of payloadTypes) {
    const found = LAWS.find((law) => PAYLOAD_TYPE[law] === type);
    if (found !== undefined) return found;
  }
  return null;
}

/** What the far end may do when we agree to its offer (RFC 3264 §6.1). */
export function answeredDirection(offered: Direction): Direction {
  if (offered === "sendonly") return "recvonly";
  return offered === "recvonly" ? "sendonly" : offered;
}

/** May we send to a peer that wrote this direction? */
export function wantsAudio(written: Direction): boolean {
  return written === "sendrecv" || written === "recvonly";
}

export type OwnAudio = {
  readonly local: Endpoint;
  readonly sessionId: number;
  readonly version: number;
};

/** An offer of our own: both laws of G.711 and DTMF; SRTP when there are crypto lines. */
export function makeOffer(own: OwnAudio, crypto: readonly string[]): string {
  return [
    ...sessionLines(own),
    `m=audio ${own.local.port} ${crypto.length > 0 ? "RTP/SAVP" : "RTP/AVP"} 8 0 101`,
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=ptime:20",
    ...crypto.map((value) => `a=crypto:${value}`),
    "a=sendrecv",
    "",
  ].join("\r\n");
}

function sessionLines({ local, sessionId, version }: OwnAudio): string[] {
  const connection = formatConnection(local.address);
  return [
    "v=0",
    `o=- ${sessionId} ${version} ${connection}`,
    "s=Pequod demonstration",
    `c=${connection}`,
    "t=0 0",
  ];
}

/**
 * An answer that takes the audio with one codec and DTMF. `law` null = the first codec offered, whatever it
 * is. Null when there is no plain RTP audio to take, or not that codec.
 */
export function makeAnswer(offer: string, own: OwnAudio, law: G711Law | null): string | null {
  const description = parse(offer);
  const taken = description?.media.find((media) => isAudio(media) && !isSecure(media));
  if (description === null || taken === undefined) return null;
  const kept = keptFormats(taken, law);
  if (kept === null) return null;
  const written = answeredDirection(direction(description, taken));
  const lines = description.media.flatMap((media) =>
    media === taken
      ? answeredAudio(media, own.local.port, kept, written)
      : [`m=${media.type} 0 ${media.proto} ${media.formats.trim()}`.trimEnd()],
  );
  return [...sessionLines(own), ...lines, ""].join("\r\n");
}

function isSecure(media: MediaDescription): boolean {
  return /SAVP/i.test(media.proto);
}

function answeredAudio(
  media: MediaDescription,
  port: number,
  kept: readonly string[],
  written: Direction,
): string[] {
  const isKept = (line: string): boolean => {
    const type = /^a=(?:rtpmap|fmtp):(\d+) /.exec(line)?.[1];
    return type !== undefined && kept.includes(type);
  };
  return [
    `m=audio ${port} ${media.proto} ${kept.join(" ")}`,
    ...media.lines.map((line) => line.trimEnd()).filter(isKept),
    `a=${written}`,
  ];
}

/** One codec and telephone-event. */
function keptFormats(media: MediaDescription, law: G711Law | null): string[] | null {
  const formats = media.formats.trim().split(/\s+/);
  const names = new Map(
    attributes(media, "rtpmap").map((value) => [value.split(" ")[0] ?? "", value] as const),
  );
  const isEvent = (type: string): boolean => /telephone-event/i.test(names.get(type) ?? "");
  const codec = formats.find((type) =>
    law === null ? !isEvent(type) : Number(type) === PAYLOAD_TYPE[law],
  );
  return codec === undefined ? null : [codec, ...formats.filter(isEvent)];
}

/** The same description with its audio at `local` and every other stream declined: a relay between phones. */
export function withAudioAt(text: string, local: Endpoint): string | null {
  const description = parse(text);
  const taken = description?.media.find((media) => isAudio(media) && !isSecure(media));
  if (description === null || taken === undefined) return null;
  const moved = replaceOrigin(replaceConnection(description, local.address), local.address);
  const at = description.media.indexOf(taken);
  const edited = mapMedia(moved, (media, position) => {
    const clean = withoutIce(media);
    const rtcp = attribute(clean, "rtcp") === undefined ? clean : setRtcp(clean, null);
    return setPort(rtcp, position === at ? local.port : 0);
  });
  return formatSessionDescription(withoutIce(edited));
}
