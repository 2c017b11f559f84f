/**
 * What node's parser lets through and two parsers behind one another could read differently (RFC 9112 §6,
 * §11.2): such a request is refused and its connection closed, never put right. Bare LF, folded lines, two
 * lengths, a length beside a transfer coding and bad chunks the parser itself refuses.
 */
import type { IncomingMessage } from "node:http";

export type Refusal = { readonly status: number; readonly reason: string };

const BAD_REQUEST: Refusal = { status: 400, reason: "Bad Request" };
const TOO_LARGE: Refusal = { status: 431, reason: "Request Header Fields Too Large" };
const EXPECTATION_FAILED: Refusal = { status: 417, reason: "Expectation Failed" };
const NOT_SUPPORTED: Refusal = { status: 505, reason: "HTTP Version Not Supported" };

type Seen = { hosts: number; codings: number; coding: string; expect: string; length: string };

function look(rawHeaders: readonly string[]): Seen {
  const seen: Seen = { hosts: 0, codings: 0, coding: "", expect: "", length: "" };
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    // Few names have these lengths: most need no lower case.
    if (name.length !== 4 && name.length !== 6 && name.length !== 14 && name.length !== 17)
      continue;
    const value = rawHeaders[at + 1]!;
    switch (name.toLowerCase()) {
      case "host":
        seen.hosts += 1;
        break;
      case "expect":
        seen.expect = value;
        break;
      case "content-length":
        seen.length = value;
        break;
      case "transfer-encoding":
        seen.codings += 1;
        seen.coding = value;
        break;
    }
  }
  return seen;
}

/** null: it can be read in one way only. */
export function framingProblem(request: IncomingMessage, headerLines: number): Refusal | null {
  const { httpVersion, rawHeaders } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return NOT_SUPPORTED;
  if (rawHeaders.length > headerLines * 2) return TOO_LARGE;
  const { hosts, codings, coding, expect } = look(rawHeaders);
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1")) return BAD_REQUEST;
  const isChunked = codings === 1 && httpVersion === "1.1" && coding.toLowerCase() === "chunked";
  if (codings > 0 && !isChunked) return BAD_REQUEST;
  if (expect !== "" && expect.toLowerCase() !== "100-continue") return EXPECTATION_FAILED;
  return null;
}

export function hasBody({ rawHeaders }: IncomingMessage): boolean {
  const { codings, length } = look(rawHeaders);
  return codings > 0 || (length !== "" && !/^0+$/.test(length));
}
