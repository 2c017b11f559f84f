/** Request-Line and Status-Line (RFC 3261 §7.1, §7.2): single spaces, nothing before or behind. */
import { isAbsoluteUri, isToken, parseDecimal } from "./lexical.ts";
import { isSipUri, parseSipUri } from "./uri.ts";

/** `method` and `uri` are "" where they cannot be read. `problem` null = the line is right. */
export type RequestLine = {
  readonly kind: "request";
  readonly method: string;
  readonly uri: string;
  readonly problem: string | null;
  /** True when only the SIP version is not ours: 505 instead of 400. */
  readonly isOtherVersion: boolean;
};

export type StatusLine = {
  readonly kind: "response";
  readonly status: number;
  readonly reason: string;
  readonly problem: string | null;
};

const VERSION = "SIP/2.0";
const ANY_VERSION = /^SIP\/\d{1,9}\.\d{1,9}$/i;

/** A line that begins with "SIP/" is a Status-Line. */
export function parseStartLine(line: string): RequestLine | StatusLine {
  const isStatus = line.charCodeAt(3) === 0x2f && line.slice(0, 3).toUpperCase() === "SIP";
  return isStatus ? parseStatusLine(line) : parseRequestLine(line);
}

function parseRequestLine(line: string): RequestLine {
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  const method = first < 0 ? "" : line.slice(0, first);
  if (!isToken(method)) return requestProblem("", "", "bad method");
  if (first === last) return requestProblem(method, "", "bad request line");
  const uri = line.slice(first + 1, last);
  const version = line.slice(last + 1);
  const isOurVersion = version === VERSION || version.toUpperCase() === VERSION;
  if (!isOurVersion && ANY_VERSION.test(version)) {
    return { ...requestProblem(method, uri, "other SIP version"), isOtherVersion: true };
  }
  if (!isOurVersion) return requestProblem(method, "", "bad SIP version");
  return requestProblem(method, uri, uriProblem(uri));
}

function requestProblem(method: string, uri: string, problem: string | null): RequestLine {
  return { kind: "request", method, uri, problem, isOtherVersion: false };
}

/** Other schemes than sip: pass here; what to do with them (416) is not the parser's choice. */
function uriProblem(uri: string): string | null {
  if (!isAbsoluteUri(uri)) return "bad Request-URI";
  if (!isSipUri(uri)) return null;
  return sipUriProblem(uri);
}

function sipUriProblem(uri: string): string | null {
  try {
    parseSipUri(uri);
    return null;
  } catch {
    return "bad Request-URI";
  }
}

/** The space before an empty reason phrase may be missing: some peers cut it. */
function parseStatusLine(line: string): StatusLine {
  const version = line.slice(0, VERSION.length).toUpperCase();
  const digits = line.slice(VERSION.length + 1, VERSION.length + 4);
  const after = line.slice(VERSION.length + 4, VERSION.length + 5);
  const status = digits.length === 3 ? parseDecimal(digits, 699) : -1;
  const isSpaced = line.charCodeAt(VERSION.length) === 0x20 && (after === " " || after === "");
  let problem: string | null = null;
  if (version !== VERSION) problem = "other SIP version";
  else if (status < 100 || !isSpaced) problem = "bad status line";
  return { kind: "response", status, reason: line.slice(VERSION.length + 5), problem };
}
