/**
 * Reading and editing the lines of one m= section (or of the session level) without touching the
 * others. All pure: the result is a new value. RFC 8866 §5.13 (a=), RFC 3605 (a=rtcp), RFC 5761
 * (a=rtcp-mux), RFC 8839 (ICE attributes).
 */
import { type CryptoAttribute, formatCryptoAttribute } from "./crypto-attribute.ts";
import type { MediaDescription, SessionDescription } from "./session-description.ts";

/** What has lines: a SessionDescription (its session level) or a MediaDescription. */
export type Section = { readonly lines: readonly string[] };

const ICE_ATTRIBUTES: ReadonlySet<string> = new Set([
  "candidate",
  "remote-candidates",
  "end-of-candidates",
  "ice-ufrag",
  "ice-pwd",
  "ice-options",
  "ice-lite",
  "ice-mismatch",
  "ice-pacing",
]);

/**
 * "crypto" of "a=crypto:1 ...", null for a line that is no attribute. In lower case: names have a case
 * (RFC 8866 §5.13), but who reads them without it must not find what we did not.
 */
function attributeName(line: string): string | null {
  if (!line.startsWith("a=")) return null;
  const colon = line.indexOf(":");
  return (colon < 0 ? line.slice(2) : line.slice(2, colon)).trim().toLowerCase();
}

function attributeValue(line: string): string {
  const colon = line.indexOf(":");
  return colon < 0 ? "" : line.slice(colon + 1).trim();
}

/** Values of every a=NAME line, in order; "" for a flag. */
export function attributes(section: Section, name: string): string[] {
  return section.lines.filter((line) => attributeName(line) === name).map(attributeValue);
}

/** Value of the first a=NAME line; "" for a flag, undefined when there is none. */
export function attribute(section: Section, name: string): string | undefined {
  return attributes(section, name)[0];
}

export function hasAttribute(section: Section, name: string): boolean {
  return section.lines.some((line) => attributeName(line) === name);
}

/** Without every a= line of these names, e.g. ["fingerprint", "setup"]. */
export function withoutAttributes<T extends Section>(section: T, names: readonly string[]): T {
  return withoutLines(section, (name) => names.includes(name));
}

/** Without candidates and all else that belongs to ICE. Use it on the session level too. */
export function withoutIce<T extends Section>(section: T): T {
  return withoutLines(section, (name) => ICE_ATTRIBUTES.has(name));
}

function withoutLines<T extends Section>(section: T, isUnwanted: (name: string) => boolean): T {
  const lines = section.lines.filter((line) => {
    const name = attributeName(line);
    return name === null || !isUnwanted(name);
  });
  return lines.length === section.lines.length ? section : { ...section, lines };
}

/**
 * The a=NAME lines replaced by `values` ("" = flag), where the first one stood, else at the end
 * (before empty lines that end the text).
 */
export function setAttributes<T extends Section>(
  section: T,
  name: string,
  values: readonly string[],
): T {
  const at = section.lines.findIndex((line) => attributeName(line) === name);
  const made = values.map((value) => (value === "" ? `a=${name}` : `a=${name}:${value}`));
  const rest = at < 0 ? [...section.lines] : [...withoutAttributes(section, [name]).lines];
  rest.splice(at < 0 ? endOfText(rest) : at, 0, ...made.map((line) => line + lineTail(section)));
  return { ...section, lines: rest };
}

function endOfText(lines: readonly string[]): number {
  let end = lines.length;
  while (end > 0 && lines[end - 1]!.trim() === "") end--;
  return end;
}

/** In a text of mixed line ends a new line ends as the section's first line does. */
export function lineTail(section: Section): "\r" | "" {
  return section.lines[0]?.endsWith("\r") ? "\r" : "";
}

/**
 * The m= line with this port; everything else stays. A port count goes: we hold one pair a stream.
 */
export function setPort(media: MediaDescription, port: number): MediaDescription {
  return { ...media, port, portCount: null };
}

export function setProto(media: MediaDescription, proto: string): MediaDescription {
  return { ...media, proto };
}

/** True for RTP/SAVP, RTP/SAVPF (and the UDP/TLS/ forms). */
export function isSecureProto(proto: string): boolean {
  return /(^|\/)SAVPF?$/i.test(proto);
}

/**
 * True for RTP over UDP in every profile; false for udptl, TCP/RTP/AVP, TCP/MRCPv2 and the like.
 */
export function isRtpProto(proto: string): boolean {
  return /^(UDP\/TLS\/)?RTP\/S?AVPF?$/i.test(proto);
}

/** Keyed by a handshake that we do not make (RFC 5764). */
export function isDtlsProto(proto: string): boolean {
  return /^UDP\/TLS\//i.test(proto);
}

/** T.38 fax (ITU-T T.38 Annex D). */
export function isUdptlProto(proto: string): boolean {
  return /^udptl$/i.test(proto);
}

/**
 * RTP/AVP <-> RTP/SAVP, RTP/AVPF <-> RTP/SAVPF; the UDP/TLS/ of DTLS goes, our keys are in
 * a=crypto. A proto that is no RTP, or is right already, comes back as it is.
 */
export function protoWithSecurity(proto: string, isSecure: boolean): string {
  if (!isRtpProto(proto)) return proto;
  const plain = proto.replace(/^UDP\/TLS\//i, "");
  if (isSecureProto(plain) === isSecure) return plain;
  return isSecure ? plain.replace(/AVP/i, "SAVP") : plain.replace(/SAVP/i, "AVP");
}

/** Where RTCP goes: a=rtcp, or null when the line is absent or malformed (then it is port + 1). */
export function rtcpOf(media: Section): { port: number; address: string | null } | null {
  const match = /^(\d{1,5})(?: IN IP[46] (\S+))?$/.exec(attribute(media, "rtcp") ?? "");
  const port = Number(match?.[1] ?? 0);
  if (match === null || port < 1 || port > 65_535) return null;
  return { port, address: match[2] ?? null };
}

/**
 * `port` null takes a=rtcp away: right whenever RTCP is at port + 1, since some phones refuse it.
 */
export function setRtcp(media: MediaDescription, port: number | null): MediaDescription {
  return setAttributes(media, "rtcp", port === null ? [] : [`${port}`]);
}

/** Adds a=rtcp-mux or takes it away; unchanged when it is right already. */
export function setRtcpMux(media: MediaDescription, isMux: boolean): MediaDescription {
  if (hasAttribute(media, "rtcp-mux") === isMux) return media;
  return setAttributes(media, "rtcp-mux", isMux ? [""] : []);
}

/** All a=crypto lines replaced by these; [] takes them away. */
export function setCrypto(
  media: MediaDescription,
  crypto: readonly CryptoAttribute[],
): MediaDescription {
  return setAttributes(media, "crypto", crypto.map(formatCryptoAttribute));
}

/** The description with every m= section sent through `edit`. */
export function mapMedia(
  description: SessionDescription,
  edit: (media: MediaDescription, position: number) => MediaDescription,
): SessionDescription {
  return { ...description, media: description.media.map(edit) };
}
