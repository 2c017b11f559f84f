import { describe, expect, test } from "bun:test";
import { partialRequest } from "./parse-message.ts";
import { StreamReader } from "./stream-reader.ts";

const limits = { headBytes: 1024, messageBytes: 4096 };

const HEAD = [
  "OPTIONS sip:a.example SIP/2.0",
  "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1",
  "From: <sip:a@a.example>;tag=1",
  "To: <sip:a.example>",
  "Call-ID: c1",
  "CSeq: 1 OPTIONS",
].join("\r\n");

function message(lengthLine: string, body = ""): Buffer {
  return Buffer.from(`${HEAD}\r\n${lengthLine}\r\n\r\n${body}`, "latin1");
}

/** Reads the chunks; what the reader reported, in order. */
function read(chunks: readonly Uint8Array[], sizes = limits): string[] {
  const events: string[] = [];
  const reader = new StreamReader(sizes, {
    message: (bytes) => events.push(`message ${Buffer.from(bytes).toString("latin1")}`),
    keepAlive: () => events.push("ping"),
    broken: ({ reason, partial }) =>
      events.push(`broken ${reason}${partial && partialRequest(partial) ? "" : " (no answer)"}`),
  });
  for (const chunk of chunks) reader.push(chunk);
  return events;
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

const first = message("Content-Length: 4", "v=0\n");
const second = message("l:0");
const third = message("CONTENT-length \t:\r\n  0005", "\r\n\r\n\xff");

describe("messages are cut by Content-Length", () => {
  const stream = Buffer.concat([first, second, third, first]);
  const expected = [first, second, third, first].map((one) => `message ${one.toString("latin1")}`);

  test("many in one chunk", () => {
    expect(read([stream])).toEqual(expected);
  });

  test("byte by byte", () => {
    expect(read(bytewise(stream))).toEqual(expected);
  });

  test("in chunks of every size", () => {
    for (let size = 2; size < stream.length; size += 7) {
      const chunks = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
      expect(read(chunks), `chunks of ${size}`).toEqual(expected);
    }
  });

  test("names that only look like Content-Length do not count", () => {
    const like = message("Content-Lengthy: 7\r\nlanguage: 3\r\nc: a/b\r\nContent-Length: 0");
    expect(read([like])).toEqual([`message ${like.toString("latin1")}`]);
  });
});

describe("between messages", () => {
  test("CRLF CRLF is a keep-alive, however it arrives", () => {
    const ping = Buffer.from("\r\n\r\n");
    expect(read([ping])).toEqual(["ping"]);
    expect(read(bytewise(ping))).toEqual(["ping"]);
    expect(read([ping, ping, Buffer.concat([ping, ping])])).toEqual(Array(4).fill("ping"));
    const mixed = Buffer.concat([first, ping, second, ping, ping, first]);
    const expected = [first, "ping", second, "ping", "ping", first].map((one) =>
      one === "ping" ? "ping" : `message ${one.toString("latin1")}`,
    );
    expect(read([mixed])).toEqual(expected);
    expect(read(bytewise(mixed))).toEqual(expected);
  });

  test("a single CRLF, bare line ends and NULs are swallowed", () => {
    const noise = Buffer.from("\r\n\0\0\n\r");
    expect(read([noise, second, Buffer.from("\r\n"), second])).toHaveLength(2);
  });

  test("a CRLF CRLF inside a body is no keep-alive", () => {
    expect(read(bytewise(third))).toEqual([`message ${third.toString("latin1")}`]);
  });
});

describe("broken framing ends the reading", () => {
  function check(lengthLines: string, expected: string): void {
    const bytes = message(lengthLines, "body");
    expect(read([bytes, second]), lengthLines).toEqual([`broken ${expected}`]);
    expect(read([...bytewise(bytes), second]), lengthLines).toEqual([`broken ${expected}`]);
  }

  test("without a Content-Length", () => {
    check("X: y", "no Content-Length");
    check("Content-Length-X: 4", "no Content-Length");
  });

  test("with one that is no number", () => {
    for (const value of ["", "-1", "+4", "4x", "0x4", "4 4", "4,4", "4.0", "four", "4;x"]) {
      check(`Content-Length: ${value}`, "bad Content-Length");
    }
    check("Content-Length: 99999999999999999999", "bad Content-Length");
  });

  test("with two, equal or not, compact or not, folded or not", () => {
    check("Content-Length: 4\r\nContent-Length: 4", "second Content-Length");
    check("Content-Length: 4\r\nl: 0", "second Content-Length");
    check("l: 0\r\nX: y\r\ncontent-length :\r\n 4", "second Content-Length");
  });

  test("with a bare line feed that could hide a header", () => {
    expect(read([message("X: y\nContent-Length: 4\r\nl: 0"), second])).toEqual([
      "broken bare line feed",
    ]);
  });

  test("over the size of a message", () => {
    check("Content-Length: 4096", "message too large");
    const room = limits.messageBytes - message("Content-Length: 9999").length;
    const largest = message(`Content-Length: ${room}`, "x".repeat(room));
    expect(read([largest])).toEqual([`message ${largest.toString("latin1")}`]);
    check(`Content-Length: ${room + 1}`, "message too large");
  });

  test("over the size of a head, also when it never ends", () => {
    const long = message(`X: ${"y".repeat(limits.headBytes)}\r\nContent-Length: 0`);
    expect(read([long, second])).toEqual(["broken message too large"]);
    expect(read(bytewise(long))).toEqual(["broken message too large"]);
  });

  test("a megabyte of junk is not kept", () => {
    const junk = Buffer.alloc(1_000_000, "\x16\x03\x01junk", "latin1");
    const reader = new StreamReader(limits, { message() {}, keepAlive() {}, broken() {} });
    reader.push(junk);
    expect(reader.bufferedBytes).toBe(0);
    expect(read([junk])).toEqual(["broken message too large (no answer)"]);
    expect(read([Buffer.alloc(1_000_000, "\n"), second])).toHaveLength(1);
  });

  test("what came before it is still reported", () => {
    expect(read([Buffer.concat([second, message("X: y"), second])])).toEqual([
      `message ${second.toString("latin1")}`,
      "broken no Content-Length",
    ]);
  });
});

test("a reader that is stopped inside a callback reports nothing more", () => {
  const seen: string[] = [];
  const reader = new StreamReader(limits, {
    message() {
      seen.push("message");
      reader.stop();
    },
    keepAlive: () => seen.push("ping"),
    broken: () => seen.push("broken"),
  });
  reader.push(Buffer.concat([first, Buffer.from("\r\n\r\n"), message("X: y")]));
  reader.push(second);
  expect(seen).toEqual(["message"]);
  expect(reader.bufferedBytes).toBe(0);
});

test("a message does not share memory with the chunk it came in", () => {
  const chunk = Buffer.from(second);
  const kept: Uint8Array[] = [];
  const reader = new StreamReader(limits, {
    message: (bytes) => kept.push(bytes),
    keepAlive() {},
    broken() {},
  });
  reader.push(chunk);
  chunk.fill(0);
  expect(Buffer.from(kept[0]!).equals(second)).toBe(true);
});

test("bytes that wait are counted, and forgotten once handed on", () => {
  const reader = new StreamReader(limits, { message() {}, keepAlive() {}, broken() {} });
  reader.push(first.subarray(0, 10));
  reader.push(first.subarray(10, first.length - 1));
  expect(reader.bufferedBytes).toBe(first.length - 1);
  reader.push(first.subarray(first.length - 1));
  expect(reader.bufferedBytes).toBe(0);
});

test("dripping bytes cost no more than their number", () => {
  const large = { headBytes: 3_000_000, messageBytes: 4_000_000 };
  const slow = message(`X: ${"y".repeat(2_000_000)}\r\nContent-Length: 1`, "x");
  const drops = [];
  for (let at = 0; at < slow.length; at += 16) drops.push(slow.subarray(at, at + 16));
  const start = performance.now();
  expect(read(drops, large)).toHaveLength(1);
  // 125,000 pushes; searching or copying the head anew for each would be 1.25e11 bytes, over 10 s.
  expect(performance.now() - start).toBeLessThan(4_000);
});
