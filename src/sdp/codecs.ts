/**
 * The codecs of one m= line: what a payload type means (RFC 8866 §6.6, RFC 3551 §6). Read only, for figures and
 * for people; codecs are never chosen here.
 */
import { attributes } from "./media-description.ts";
import type { MediaDescription } from "./session-description.ts";

export type Codec = {
  readonly payloadType: number;
  /** As it was written. */
  readonly name: string;
  readonly clockRate: number;
};

/** Of RFC 3551 those that are still met. G.722 counts 8000 by an old mistake that stays (§4.5.2). */
const STATIC: readonly Codec[] = (
  [
    [0, "PCMU", 8000],
    [3, "GSM", 8000],
    [4, "G723", 8000],
    [8, "PCMA", 8000],
    [9, "G722", 8000],
    [13, "CN", 8000],
    [15, "G728", 8000],
    [18, "G729", 8000],
    [26, "JPEG", 90_000],
    [31, "H261", 90_000],
    [34, "H263", 90_000],
  ] as const
).map(([payloadType, name, clockRate]) => ({ payloadType, name, clockRate }));

const PAYLOAD_TYPES = 128;
const RTPMAP = /^(\d{1,3}) +([!-.0-~]{1,32})\/(\d{1,7})(?:\/|$)/;

/** Those it maps, and the static ones it does not. At most one for each payload type. */
export function codecsOf(media: MediaDescription): readonly Codec[] {
  const byType = new Map<number, Codec>();
  for (const value of attributes(media, "rtpmap")) {
    const [, type, name, rate] = RTPMAP.exec(value) ?? [];
    const codec = { payloadType: Number(type), name: name ?? "", clockRate: Number(rate) };
    if (codec.payloadType < PAYLOAD_TYPES && codec.clockRate > 0)
      byType.set(codec.payloadType, codec);
  }
  for (const format of media.formats.split(" ", PAYLOAD_TYPES)) {
    const codec = STATIC.find(({ payloadType }) => String(payloadType) === format.trim());
    if (codec !== undefined && !byType.has(codec.payloadType)) byType.set(codec.payloadType, codec);
  }
  return [...byType.values()];
}

/** Payload type and clock rate in turn; rate 0: nothing that is spoken. For whoever only wants numbers. */
export function clocksOf(codecs: readonly Codec[]): readonly number[] {
  return codecs.flatMap((codec) => [codec.payloadType, isSpoken(codec) ? codec.clockRate : 0]);
}

/** Comfort noise and key presses come between the packets of the codec that speaks. */
function isSpoken({ name }: Codec): boolean {
  return !/^(telephone-event|cn)$/i.test(name);
}
