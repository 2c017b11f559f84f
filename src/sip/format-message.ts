/** Writes a message: what nobody touched leaves with the bytes it came with (RFC 3261 §7). */
import type { HeaderLine } from "./headers.ts";
import { parseDecimal } from "./lexical.ts";
import type { SipMessage } from "./message.ts";

/**
 * The bytes of a message. The Content-Length line is kept when it is right, else replaced where it
 * stands or appended; every other line leaves as it is. The message itself is not changed.
 */
export function formatMessage(message: SipMessage): Uint8Array {
  const { body } = message;
  let head = startLine(message);
  let hasLength = false;
  for (const line of message.headers.all) {
    if (line.name !== "content-length") {
      head += `${line.raw}\r\n`;
    } else if (!hasLength) {
      hasLength = true;
      head += `${rightLength(line, body.length)}\r\n`;
    }
  }
  head += hasLength ? "\r\n" : `Content-Length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, "latin1");
  bytes.set(body, head.length);
  return bytes;
}

function startLine(message: SipMessage): string {
  return message.kind === "request"
    ? `${message.method} ${message.uri} SIP/2.0\r\n`
    : `SIP/2.0 ${message.status} ${message.reason}\r\n`;
}

/** The line itself when it says the right length, else a new one that keeps its name ("l" stays "l"). */
function rightLength(line: HeaderLine, lengthBytes: number): string {
  if (parseDecimal(line.value, Number.MAX_SAFE_INTEGER) === lengthBytes) return line.raw;
  return `${line.raw.slice(0, line.colon + 1)} ${lengthBytes}`;
}
