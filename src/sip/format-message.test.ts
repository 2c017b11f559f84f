import { expect, test } from "bun:test";
import { formatMessage } from "./format-message.ts";
import { Headers } from "./headers.ts";
import { cloneResponse, type SipMessage, type SipResponse } from "./message.ts";
import { parseMessage } from "./parse-message.ts";

function textOf(message: SipMessage): string[] {
  return Buffer.from(formatMessage(message)).toString("latin1").split("\r\n");
}

const ringing: SipResponse = {
  kind: "response",
  status: 180,
  reason: "Ringing",
  headers: new Headers(),
  body: new Uint8Array(0),
};

test("a Content-Length is appended when there is none, and a second one is left out", () => {
  expect(textOf(ringing)).toEqual(["SIP/2.0 180 Ringing", "Content-Length: 0", "", ""]);
  const doubled = cloneResponse({ ...ringing, body: Uint8Array.of(0xff) });
  doubled.headers.append("content-length", "7");
  doubled.headers.append("content-length", "8");
  expect(textOf(doubled)).toEqual(["SIP/2.0 180 Ringing", "Content-Length: 1", "", "\xff"]);
  expect(doubled.headers.lines("content-length")).toEqual(["7", "8"]);
  expect(ringing.headers.all).toEqual([]);
});

test("a Content-Length is kept when it is right, else replaced in the form it had", () => {
  const written = (value: string, name = "Content-Length") => {
    const text = `OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nf: <sip:a>\r\nt: <sip:b>\r\ni: c\r\nCSeq: 1 OPTIONS\r\n${name}:${value}\r\nX: y\r\n\r\nabcd`;
    const message = parseMessage(Buffer.from(text));
    return {
      unchanged: textOf(message)[6],
      changed: textOf({ ...message, body: new Uint8Array(0) })[6],
    };
  };
  expect(written("4")).toEqual({ unchanged: "Content-Length:4", changed: "Content-Length: 0" });
  expect(written("\t 004", "l")).toEqual({ unchanged: "l:\t 004", changed: "l: 0" });
  expect(written("\r\n 4", "L ")).toEqual({ unchanged: "L :", changed: "L : 0" });
});
