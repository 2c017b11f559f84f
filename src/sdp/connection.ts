/**
 * The addresses of a session description: c= (RFC 8866 §5.7) at session and media level and the
 * address in o= (§5.2). Only the address changes hands here; session id and version stay the peer's
 * own.
 */
import { lineTail } from "./media-description.ts";
import type { MediaDescription, SessionDescription } from "./session-description.ts";

/** `address` as written, without TTL and count; may be a host name, which the caller cannot use. */
export type ConnectionData = { readonly family: 4 | 6; readonly address: string };

const CONNECTION_LINE = /^c=IN IP([46]) ([^\s/]+)(?:\/[\d/]+)?\s*$/;

/** The first c= of the m= section, else the session's. Null: none, or malformed. */
export function connectionOf(
  description: SessionDescription,
  media: MediaDescription,
): ConnectionData | null {
  const line = media.lines.find(isConnection) ?? description.lines.find(isConnection);
  const match = CONNECTION_LINE.exec(line ?? "");
  if (match === null) return null;
  return { family: match[1] === "6" ? 6 : 4, address: match[2] ?? "" };
}

/** c=0.0.0.0 (RFC 2543 §B.5): on hold; the peer wants nothing sent to it. "::" is its IPv6 form. */
export function isHoldAddress(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** "IN IP4 192.0.2.1" or "IN IP6 ...", as c= and o= have it. */
export function formatConnection(address: string): string {
  return `IN IP${address.includes(":") ? 6 : 4} ${address}`;
}

/** Every c= of the session level now names `address`; a hold (0.0.0.0) is passed on as it is. */
export function replaceSessionConnection(
  description: SessionDescription,
  address: string,
): SessionDescription {
  return { ...description, lines: description.lines.map((line) => moved(line, address)) };
}

/** Every c= of this m= section now names `address` (there may be several); none is added. */
export function replaceMediaConnection(media: MediaDescription, address: string): MediaDescription {
  return { ...media, lines: media.lines.map((line) => moved(line, address)) };
}

/**
 * Every c= at session and media level now names `address`; holds stay. An m= section that no c=
 * covers gets one of its own, since the peer would be left without an address.
 */
export function replaceConnection(
  description: SessionDescription,
  address: string,
): SessionDescription {
  const session = replaceSessionConnection(description, address);
  const isCovered = session.lines.some(isConnection);
  const media = session.media.map((one) => {
    if (isCovered || one.lines.some(isConnection)) return replaceMediaConnection(one, address);
    return withConnection(one, address);
  });
  return { ...session, media };
}

/** The address in o= is now `address`; user name, session id and version stay. */
export function replaceOrigin(
  description: SessionDescription,
  address: string,
): SessionDescription {
  const lines = description.lines.map((line) =>
    line.startsWith("o=")
      ? line.replace(/IN IP[46] \S+(\s*)$/, `${formatConnection(address)}$1`)
      : line,
  );
  return { ...description, lines };
}

function isConnection(line: string): boolean {
  return line.startsWith("c=");
}

function moved(line: string, address: string): string {
  if (!isConnection(line)) return line;
  const match = CONNECTION_LINE.exec(line);
  if (match !== null && isHoldAddress(match[2] ?? "")) return line;
  return `c=${formatConnection(address)}${line.endsWith("\r") ? "\r" : ""}`;
}

/** c= stands after i= and before b=, k= and a= (RFC 8866 §9). */
function withConnection(media: MediaDescription, address: string): MediaDescription {
  const at = media.lines.findIndex((line) => !line.startsWith("i="));
  const lines = [...media.lines];
  lines.splice(at < 0 ? lines.length : at, 0, `c=${formatConnection(address)}${lineTail(media)}`);
  return { ...media, lines };
}
