/**
 * What we say ourselves: the opening of our side of a stream (RFC 6120 §4.7) and the errors that end one
 * (§4.9). Whoever is behind a name that is not served here reads the same as for a name that is nobody's.
 */
import { CLIENT, STREAM_ERRORS, STREAMS } from "./names.ts";

/** Those of RFC 6120 §4.9.3 that are said here. */
export type StreamErrorCondition =
  | "bad-format"
  | "connection-timeout"
  | "host-unknown"
  | "internal-server-error"
  | "invalid-namespace"
  | "not-well-formed"
  | "policy-violation"
  | "remote-connection-failed"
  | "resource-constraint"
  | "restricted-xml"
  | "system-shutdown"
  | "unsupported-encoding"
  | "unsupported-version";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&apos;",
  '"': "&quot;",
};

export function escapeXml(text: string): string {
  return text.replace(/[&<>'"]/g, (character) => ESCAPES[character] ?? "");
}

/** Without `id` that of the side that connects (RFC 6120 §4.7.3). */
export function formatOpening(o: {
  readonly from?: string;
  readonly to?: string;
  readonly id?: string;
}): string {
  const attributes = (["from", "to", "id"] as const)
    .filter((name) => o[name] !== undefined)
    .map((name) => ` ${name}='${escapeXml(o[name] ?? "")}'`)
    .join("");
  return (
    `<?xml version='1.0'?><stream:stream${attributes} version='1.0' xml:lang='en'` +
    ` xmlns='${CLIENT}' xmlns:stream='${STREAMS}'>`
  );
}

/** Ends the stream. It stands within our opening, which a first error must still be given (§4.9.1.2). */
export function formatStreamError(condition: StreamErrorCondition): string {
  return `<stream:error><${condition} xmlns='${STREAM_ERRORS}'/></stream:error></stream:stream>`;
}
