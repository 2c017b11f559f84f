import { describe, expect, test } from "bun:test";
import { makeRequest, makeResponse } from "../sip/make-message.ts";
import { applyRules, changeContacts, removeSdp, restoreEnds } from "./texts.ts";

const request = (headers: [string, string][], body = "") =>
  makeRequest({ method: "MESSAGE", uri: "sip:a@b", headers, body: Buffer.from(body, "latin1") });

const SHOUT = {
  isDropped: (name: string): boolean => name === "path",
  touches: (text: string): boolean => text.includes("secret"),
  change: (text: string): string => text.replaceAll("secret", "X"),
};

describe("texts", () => {
  test("are changed where they may be, dropped where they must", () => {
    const message = request([
      ["Path", "<sip:a>"],
      ["Warning", "399 secret"],
      ["Call-ID", "1@secret"],
      ["WWW-Authenticate", 'Digest realm="secret"'],
      ["Replaces", "1@secret;to-tag=a"],
      ["X-Odd", "other"],
    ]);
    const [, , callId, challenge, replaces, odd] = message.headers.all;
    applyRules(message, SHOUT);
    expect(message.headers.has("path")).toBe(false);
    expect(message.headers.get("warning")).toBe("399 X");
    expect(message.headers.all.slice(1)).toEqual([callId!, challenge!, replaces!, odd!]);
    expect(message.headers.all[4]).toBe(odd!);
  });

  test("bodies for machines are changed, what people wrote is not", () => {
    const after = (type: string, body: string): string => {
      const message = request([["Content-Type", type]], body);
      applyRules(message, SHOUT);
      return Buffer.from(message.body).toString("latin1");
    };
    for (const type of [
      "application/dialog-info+xml",
      "Application/PIDF+XML; charset=UTF-8",
      "application/xml",
      "application/simple-message-summary",
      "message/sipfrag;version=2.0",
      "multipart/related;boundary=x",
    ]) {
      expect(after(type, "a secret \xe9")).toBe("a X \xe9");
    }
    expect(after("text/plain", "a secret")).toBe("a secret");
    expect(after("application/octet-stream", "a secret")).toBe("a secret");
  });

  test("of SDP the lines that say something to people, never those that media deals with", () => {
    const lines = ["o=a secret", "s=secret", "c=secret", "a=rtcp:1 secret", "a=x:secret"];
    const message = request([["Content-Type", "application/sdp"]], lines.join("\r\n"));
    applyRules(message, SHOUT);
    const after = Buffer.from(message.body).toString("latin1").split("\r\n");
    expect(after).toEqual(["o=a secret", "s=X", "c=secret", "a=rtcp:1 secret", "a=x:X"]);
  });

  test("SDP can be taken off, other bodies stay", () => {
    const sdp = request([["Content-Type", "Application/SDP ;x"]], "v=0");
    removeSdp(sdp);
    expect([sdp.body.length, sdp.headers.has("content-type")]).toEqual([0, false]);
    const text = request([["Content-Type", "text/plain"]], "v=0");
    removeSdp(text);
    expect(text.body.length).toBe(3);
  });
});

describe("Contacts", () => {
  const up = (uri: string): string => uri.toUpperCase();

  test("each is changed, parameters and star kept", () => {
    const message = request([["Contact", '"A, b" <sip:a@b>;q=1, sip:c@d;x=y, *']]);
    changeContacts(message, up, "passes");
    expect(message.headers.values("contact")).toEqual([
      '"A, b" <SIP:A@B>;q=1',
      "<SIP:C@D>;x=y",
      "*",
    ]);
  });

  test("one that cannot be read passes or is dropped; unchanged ones keep their bytes", () => {
    const headers: [string, string][] = [["Contact", "  <sip:a@b> ;q=1"]];
    const same = request(headers);
    const [line] = same.headers.all;
    changeContacts(same, (uri) => uri, "passes");
    expect(same.headers.all[0]).toBe(line!);
    const odd = (): ReturnType<typeof request> => request([["Contact", "<sip:a"]]);
    const passed = odd();
    changeContacts(passed, up, "passes");
    expect(passed.headers.values("contact")).toEqual(["<sip:a"]);
    const dropped = odd();
    changeContacts(dropped, up, "is-dropped");
    expect(dropped.headers.has("contact")).toBe(false);
  });
});

describe("the ends of a response", () => {
  const received = request([
    ["Via", "a"],
    ["Via", "b"],
    ["From", "<sip:1@inside>;tag=f"],
    ["To", "<sip:2@inside>"],
    ["Call-ID", "1"],
    ["CSeq", "1 MESSAGE"],
  ]);
  const sent = request([
    ["Via", "ours"],
    ["From", "<sip:1@shown>;tag=f"],
    ["To", "<sip:2@shown>"],
  ]);

  test("are those of the request, the To tag the answerer's", () => {
    const response = makeResponse(received, 200);
    response.headers.set("via", "whatever");
    response.headers.set("from", "<sip:1@shown>;tag=f");
    response.headers.set("to", "<sip:2@shown>;tag=t");
    restoreEnds(response, sent, received);
    expect(response.headers.lines("via")).toEqual(["a", "b"]);
    expect(response.headers.get("from")).toBe("<sip:1@inside>;tag=f");
    expect(response.headers.get("to")).toBe("<sip:2@inside>;tag=t");
  });

  test("stay as they came where nothing was changed", () => {
    const response = makeResponse(received, 200);
    response.headers.set("to", "  <sip:2@inside>;x;tag=t");
    restoreEnds(response, received, received);
    expect(response.headers.get("to")).toBe("<sip:2@inside>;x;tag=t");
  });
});
