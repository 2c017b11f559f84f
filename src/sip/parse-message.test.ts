import { describe, expect, test } from "bun:test";
import { formatMessage } from "./format-message.ts";
import { parseMessage, partialRequest } from "./parse-message.ts";
import { SipSyntaxError } from "./syntax-error.ts";

const VIA = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1";
const FROM = "From: <sip:a@a.example>;tag=1";
const TO = "To: <sip:b@a.example>";
const CALL_ID = "Call-ID: c1@192.0.2.1";
const CSEQ = "CSeq: 1 OPTIONS";
const START = "OPTIONS sip:b@a.example SIP/2.0";
const FIVE = [VIA, FROM, TO, CALL_ID, CSEQ];

function bytesOf(lines: readonly string[], body = ""): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

/** The error a message is refused with. */
function refusal(bytes: Uint8Array): SipSyntaxError {
  try {
    parseMessage(bytes);
  } catch (error) {
    if (error instanceof SipSyntaxError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

/** status, message, and whether an answer can be built. */
function checkRefused(
  lines: readonly string[],
  expected: [number, string, boolean],
  body = "",
): void {
  const { status, message, partial } = refusal(bytesOf(lines, body));
  expect([status, message, partial !== null], lines.join("\n")).toEqual(expected);
}

describe("line ends", () => {
  const lf = (lines: string[], body: string) =>
    Buffer.from(`${lines.join("\n")}\n\n${body}`, "latin1");

  test("CRLFs and NULs before the message are skipped", () => {
    const bytes = bytesOf([START, ...FIVE]);
    expect(parseMessage(Buffer.concat([Buffer.from("\r\n\r\n\0\r\n"), bytes])).kind).toBe(
      "request",
    );
  });

  test("a message in bare LF is read and leaves in CRLF, the body as it came", () => {
    const bytes = lf([START, ...FIVE, "Subject: a", "\tb", "Content-Length: 5"], "v=0\r\n");
    expect(Buffer.from(formatMessage(parseMessage(bytes))).toString("latin1")).toBe(
      bytesOf([START, ...FIVE, "Subject: a", "\tb", "Content-Length: 5"], "v=0\r\n").toString(
        "latin1",
      ),
    );
  });

  test("a bare LF or CR in a message of CRLF could hide a header, and is refused", () => {
    for (const odd of [
      "X: a\nX-Internal: b",
      "X: a\rX-Internal: b",
      "X: a\n b",
      "X: a\r",
      "X: \\\n",
    ]) {
      checkRefused([START, ...FIVE, odd], [400, "control character", true]);
    }
    expect(refusal(lf([START, ...FIVE, "X: a\rb"], "")).status).toBe(400);
    expect(refusal(lf([START, ...FIVE, "X: a\r\nX: b"], "")).status).toBe(400);
  });
});

describe("Content-Length of a datagram", () => {
  test("a shorter one cuts the body, and without one all the rest is the body", () => {
    const cut = parseMessage(bytesOf([START, ...FIVE, "Content-Length: 3"], "abcdefg"));
    expect(Buffer.from(cut.body).toString()).toBe("abc");
    expect(parseMessage(bytesOf([START, ...FIVE], "abcdefg")).body).toHaveLength(7);
  });

  test("a longer, signed, doubled or odd one is refused", () => {
    const wrong = (...lines: string[]) => [START, ...FIVE, ...lines];
    checkRefused(wrong("l: 5"), [400, "Content-Length beyond the end", true], "abcd");
    for (const value of ["-999", "+4", "4x", "", "0x4", "4, 4", "1e1"]) {
      checkRefused(wrong(`Content-Length: ${value}`), [400, "bad Content-Length", true], "abcd");
    }
    const two = wrong("Content-Length: 4", "l: 4");
    checkRefused(two, [400, "second content-length", true], "abcd");
  });
});

describe("a broken request is refused, and can be answered when the five headers are there", () => {
  test("start line", () => {
    const check = (line: string, expected: [number, string, boolean]) =>
      checkRefused([line, ...FIVE], expected);
    check("OPTIONS  sip:a.example SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS sip:a.example  SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS sip:a.example SIP/2.0 ", [400, "bad SIP version", true]);
    check("OPTIONS sip:a.example; lr SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS <sip:a.example> SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS sip:a@b@a.example SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS sip: SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS a.example SIP/2.0", [400, "bad Request-URI", true]);
    check("OPTIONS sip:a.example", [400, "bad request line", true]);
    check("OPTIONS sip:a.example HTTP/1.1", [400, "bad SIP version", true]);
    check("OPTIONS sip:a.example SIP/2.0.1", [400, "bad SIP version", true]);
    check("OPTIONS sip:a.example SIP/7.0", [505, "other SIP version", true]);
    check("OPTIONS sip:a.example sip/2.1", [505, "other SIP version", true]);
    check("OPT(IONS sip:a.example SIP/2.0", [400, "bad method", false]);
    check(" OPTIONS sip:a.example SIP/2.0", [400, "bad method", false]);
    check("OPTIONS", [400, "bad method", false]);
    check("OPTIONS sip:a\x01.example SIP/2.0", [400, "bad Request-URI", true]);
  });

  test("a header that is missing leaves nothing to answer", () => {
    const names = ["Via", "From", "To", "Call-ID", "CSeq"];
    for (const [at, name] of names.entries()) {
      checkRefused([START, ...FIVE.toSpliced(at, 1)], [400, `no ${name}`, false]);
    }
  });

  test("a header that may stand only once stands twice, equal or not, compact or not", () => {
    const twice = [FROM, TO, CALL_ID, CSEQ, "Max-Forwards: 70", "Content-Length: 0"];
    for (const line of twice) {
      const name = line.slice(0, line.indexOf(":")).toLowerCase();
      const once = name === "max-forwards" || name === "content-length" ? [line] : [];
      checkRefused([START, ...FIVE, ...once, line], [400, `second ${name}`, true]);
    }
    const types = ["Content-Type: text/plain", "c: application/sdp"];
    checkRefused([START, ...FIVE, ...types], [400, "second content-type", true]);
    checkRefused([START, ...FIVE, "t: <sip:c@a.example>"], [400, "second to", true]);
    checkRefused([START, ...FIVE, "FROM : sip:x@y"], [400, "second from", true]);
  });

  test("an answer takes the first of two", () => {
    const { partial } = refusal(bytesOf([START, ...FIVE, "To: <sip:other@a.example>", VIA]));
    expect(partial?.headers.lines("to")).toEqual(["<sip:b@a.example>"]);
    expect(partial?.headers.count("via")).toBe(2);
  });

  test("values that everybody needs", () => {
    const check = (at: number, line: string, problem: string) =>
      checkRefused([START, ...FIVE.toSpliced(at, 1, line)], [400, problem, true]);
    check(0, "Via: SIP/2.0/UDP 192.0.2.15;;,;,,", "bad parameter name");
    check(0, "Via:", "bad Via protocol");
    check(1, 'From: "Mr. Watson <sip:a@a.example>;tag=1', "quoted string without end");
    check(1, "From: Bell, Alexander <sip:a@a.example>;tag=43", "bad display name");
    check(2, 'To: "Watson, Thomas" <sip: t.watson@a.example>', "bad URI in a header");
    check(2, "To:", "bad URI in a header");
    check(3, "Call-ID:", "bad Call-ID");
    check(3, "Call-ID: a b", "bad Call-ID");
    check(4, "CSeq: 8 INVITE", "CSeq of another method");
    check(4, "CSeq: 36893488147419103232 OPTIONS", "bad CSeq");
    check(4, "CSeq: 2147483648 OPTIONS", "bad CSeq");
    check(4, "CSeq: -1 OPTIONS", "bad CSeq");
    checkRefused([START, ...FIVE, "Max-Forwards: 300"], [400, "bad Max-Forwards", true]);
    checkRefused([START, ...FIVE, "Max-Forwards: -1"], [400, "bad Max-Forwards", true]);
    checkRefused([START, ...FIVE, "Max-Forwards:"], [400, "bad Max-Forwards", true]);
  });

  test("lines that are no headers", () => {
    const check = (line: string, problem: string) =>
      checkRefused([START, ...FIVE, line], [400, problem, true]);
    check("no colon here", "header without colon");
    check(": value", "bad header name");
    check("Bad Name: value", "bad header name");
    check("X\r\n : value", "bad header name");
    check("X\xfc: value", "bad header name");
    check("X: a\0b", "control character");
    check('X: "a\\\0b"', "control character");
    check("X: a\x7fb", "control character");
    check("X: a\x1bb", "control character");
    checkRefused([START, " X: folded", ...FIVE], [400, "bad header name", true]);
  });

  test("256 headers pass, one more does not", () => {
    const more = Array.from({ length: 251 }, (_, at) => `X-${at}: y`);
    expect(parseMessage(bytesOf([START, ...FIVE, ...more])).headers.all).toHaveLength(256);
    checkRefused([START, ...FIVE, ...more, "X: y"], [400, "too many headers", true]);
  });

  test("64 KiB of head and 256 KiB of message pass, one byte more does not", () => {
    const headBytes = 65_536;
    const empty = bytesOf([START, ...FIVE, "X: "]).length - 4;
    const fits = `X: ${"y".repeat(headBytes - empty)}`;
    expect(parseMessage(bytesOf([START, ...FIVE, fits])).kind).toBe("request");
    checkRefused([START, ...FIVE, `${fits}y`], [400, "message too large", true]);
    const room = 262_144 - bytesOf([START, ...FIVE]).length;
    expect(parseMessage(bytesOf([START, ...FIVE], "z".repeat(room))).body).toHaveLength(room);
    checkRefused([START, ...FIVE], [400, "message too large", true], "z".repeat(room + 1));
  });

  test("without the empty line at its end", () => {
    const whole = bytesOf([START, ...FIVE]);
    const { message, partial } = refusal(whole.subarray(0, whole.length - 2));
    expect(message).toBe("no empty line after the headers");
    expect(partial?.headers.get("cseq")).toBe("1 OPTIONS");
  });
});

test("a broken response is refused and never answered", () => {
  const rest = [VIA, FROM, TO, CALL_ID, "CSeq: 1 INVITE"];
  const starts = [
    "SIP/2.0 4294967301 better not break",
    "SIP/2.0 099 x",
    "SIP/2.0 700 x",
    "SIP/2.0",
  ];
  starts.push(
    "SIP/2.0 20 x",
    "SIP/2.0  200 x",
    "SIP/2.0 2x0 x",
    "SIP/2.0 200x",
    "SIP/7.0 200 OK",
    "SIP/ ",
  );
  starts.push("SIP/2.0 -20 x", "SIP/2.0\t200 x");
  for (const start of starts) {
    const { partial, status } = refusal(bytesOf([start, ...rest]));
    expect([partial, status], start).toEqual([null, 400]);
  }
  expect(refusal(bytesOf(["SIP/2.0 200 OK", ...rest.slice(1)])).partial).toBeNull();
});

test("anything else throws the one error and gives nothing to answer", () => {
  const texts = [
    "",
    "\r\n\r\n",
    "\0\0\0\0",
    "\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\x16\x03\x01\x02",
  ];
  for (const text of texts) {
    expect(refusal(Buffer.from(text, "latin1")).partial, JSON.stringify(text)).toBeNull();
  }
});

test("partialRequest gives what can be answered, of good and bad messages", () => {
  expect(partialRequest(bytesOf([START, ...FIVE]))?.method).toBe("OPTIONS");
  expect(partialRequest(bytesOf([START, ...FIVE, TO]))?.method).toBe("OPTIONS");
  expect(partialRequest(bytesOf([START, ...FIVE.slice(1)]))).toBeNull();
  expect(partialRequest(bytesOf(["SIP/2.0 200 OK", ...FIVE]))).toBeNull();
});

test("hostile heads of full size cost no more than their length", () => {
  const fill = (part: string) => part.repeat(65_000 / part.length).slice(0, 65_000);
  const lines = [
    " ",
    "\r\n ",
    "a",
    "<",
    '"',
    "\\",
    ";",
    ";a=",
    "(",
    ",",
    "/",
    ":",
    "%",
    "@",
    "?",
    "\t",
  ];
  for (const part of lines) {
    for (const name of ["To", "Via", "CSeq", "X"]) {
      const bytes = bytesOf([START, `${name}: ${fill(part)}`, ...FIVE]);
      const start = performance.now();
      partialRequest(bytes);
      // Quadratic cost is seconds.
      expect(performance.now() - start, `${name} ${part}`).toBeLessThan(500);
    }
  }
});
