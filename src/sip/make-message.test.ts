import { describe, expect, test } from "bun:test";
import { formatMessage } from "./format-message.ts";
import { makeRequest, makeResponse } from "./make-message.ts";
import { cloneRequest, type SipMessage } from "./message.ts";
import { parseMessage } from "./parse-message.ts";
import { reasonPhrase } from "./reason-phrase.ts";

function textOf(message: SipMessage): string[] {
  return Buffer.from(formatMessage(message)).toString("latin1").split("\r\n");
}

const invite = makeRequest({
  method: "INVITE",
  uri: "sip:600@a.example",
  headers: [
    ["via", "SIP/2.0/TLS 192.0.2.2;branch=z9hG4bK2, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"],
    ["via", "SIP/2.0/UDP 192.0.2.0"],
    ["from", "<sip:101@a.example>;tag=f"],
    ["to", "<sip:600@a.example>"],
    ["call-id", "c1"],
    ["cseq", "7 INVITE"],
    ["timestamp", "54.3"],
    ["record-route", "<sip:p.example;lr>"],
  ],
  body: Buffer.from("v=0\r\n"),
});

describe("a response", () => {
  test("has the request's Via lines, From, To with a tag, Call-ID, CSeq, and no body", () => {
    expect(textOf(makeResponse(invite, 486, undefined, "t1"))).toEqual([
      "SIP/2.0 486 Busy Here",
      "Via: SIP/2.0/TLS 192.0.2.2;branch=z9hG4bK2, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
      "Via: SIP/2.0/UDP 192.0.2.0",
      "From: <sip:101@a.example>;tag=f",
      "To: <sip:600@a.example>;tag=t1",
      "Call-ID: c1",
      "CSeq: 7 INVITE",
      "Content-Length: 0",
      "",
      "",
    ]);
  });

  test("a 100 has no tag of ours, but the Timestamp", () => {
    const lines = textOf(makeResponse(invite, 100, undefined, "t1"));
    expect(lines).toContain("To: <sip:600@a.example>");
    expect(lines).toContain("Timestamp: 54.3");
    expect(lines).not.toContain("Record-Route: <sip:p.example;lr>");
  });

  test("keeps a tag that is there, and a To nobody can parse", () => {
    const tagged = cloneRequest(invite);
    tagged.headers.set("to", "sip:600@a.example;tag=old");
    expect(makeResponse(tagged, 404, undefined, "new").headers.get("to")).toBe(
      "sip:600@a.example;tag=old",
    );
    tagged.headers.set("to", '"open <sip:600@a.example>');
    expect(makeResponse(tagged, 400, undefined, "new").headers.get("to")).toBe(
      '"open <sip:600@a.example>',
    );
    expect(invite.headers.get("to")).toBe("<sip:600@a.example>");
  });

  test("takes a reason of its own, else the registered phrase, else none", () => {
    expect(makeResponse(invite, 400, "Bad Via").reason).toBe("Bad Via");
    expect(makeResponse(invite, 430).reason).toBe("Flow Failed");
    expect(reasonPhrase(299)).toBe("");
    expect(textOf(makeResponse(invite, 299))[0]).toBe("SIP/2.0 299 ");
  });
});

describe("a request", () => {
  test("has its headers in order and can be parsed", () => {
    const lines = textOf(invite);
    expect(lines[0]).toBe("INVITE sip:600@a.example SIP/2.0");
    expect(lines.slice(-4)).toEqual(["Content-Length: 5", "", "v=0", ""]);
    expect(parseMessage(formatMessage(invite)).kind).toBe("request");
  });
});
