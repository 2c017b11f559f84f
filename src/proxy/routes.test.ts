import { describe, expect, test } from "bun:test";
import { type FlowTarget, FlowTokens, instanceTag } from "../sip/flow-token.ts";
import { Headers, makeHeaderLine } from "../sip/headers.ts";
import { makeRequest } from "../sip/make-message.ts";
import { SealedTexts } from "../sip/sealed-text.ts";
import { makesDialog, RouteTokens, routeUri, takeRoutes } from "./routes.ts";

const keys = [{ number: 1, secret: Buffer.alloc(32, 1) }];
const tokens = new RouteTokens(new FlowTokens(keys), new SealedTexts(keys));
const target = (name: string): FlowTarget => ({
  instanceTag: instanceTag(name),
  kind: "binding",
  id: "00112233445566aa",
  udp: null,
});
const mine = tokens.make(target("mycompany"), [])!;
const theirs = tokens.make(target("othercompany"), [])!;
const isOurs = (host: string): boolean => ["mobydick.example.com", "203.0.113.5"].includes(host);

function take(...routes: string[]) {
  const headers = new Headers(routes.map((route) => makeHeaderLine("route", route)));
  return { taken: takeRoutes(headers, tokens, isOurs), left: headers.lines("route") };
}

describe("Routes", () => {
  test("none at all is fine", () => {
    expect(take()).toEqual({ taken: { ok: true, target: null, hidden: [] }, left: [] });
  });

  test("a preloaded one that names us is taken off silently, whatever its port", () => {
    for (const uri of [
      "sip:mobydick.example.com;lr",
      "sips:MOBYDICK.example.com:1",
      "sip:203.0.113.5:5061;lr",
    ]) {
      expect(take(`<${uri}>`)).toEqual({ taken: { ok: true, target: null, hidden: [] }, left: [] });
    }
  });

  test("our tokens follow it, in one header line or several", () => {
    const taken = { ok: true as const, target: target("mycompany"), hidden: [] };
    const both = [`<sip:${mine}@203.0.113.5:5061;lr>`, `<sip:${mine}@10.0.3.1:15060;lr>`];
    expect(take("<sip:mobydick.example.com;lr>", ...both)).toEqual({ taken, left: [] });
    expect(take(both.join(", "))).toEqual({ taken, left: [] });
  });

  test("whatever is left over is refused", () => {
    const refused = { ok: false as const, reason: "route-left-over" as const };
    expect(take("<sip:192.0.2.1;lr>").taken).toEqual(refused);
    expect(take("<sip:mobydick.example.com;lr>", "<sip:evil.example;lr>").taken).toEqual(refused);
    expect(take(`<sip:${mine}@10.0.3.1;lr>`, "<sip:evil.example;lr>").taken).toEqual(refused);
    expect(take("<tel:+4930123456>").taken).toEqual(refused);
  });

  test("a user part that is no token of ours is refused", () => {
    const refused = { ok: false as const, reason: "token-refused" as const };
    expect(take("<sip:600@203.0.113.5;lr>").taken).toEqual(refused);
    expect(take(`<sip:${mine.slice(1)}A@203.0.113.5;lr>`).taken).toEqual(refused);
  });

  test("tokens of two instances in one request are refused", () => {
    const { taken } = take(`<sip:${mine}@203.0.113.5;lr>`, `<sip:${theirs}@203.0.113.5;lr>`);
    expect(taken).toEqual({ ok: false, reason: "token-refused" });
  });

  test("a hundred of ours are too many", () => {
    const many = Array<string>(100).fill("<sip:mobydick.example.com;lr>");
    expect(take(...many).taken.ok).toBe(false);
  });
});

describe("hidden Routes", () => {
  const inside = ["<sip:10.0.3.150;lr>", "<sip:a@[fd00::1]:5070;transport=tcp;lr>"];
  const user = tokens.make(target("mycompany"), inside)!;

  test("come out again in their order, and nobody can read them", () => {
    const { taken, left } = take(`<sip:${user}@203.0.113.5;lr>`);
    expect(taken).toEqual({ ok: true, target: target("mycompany"), hidden: inside });
    expect(left).toEqual([]);
    expect(user).not.toContain("10.0.3");
  });

  test("changed, or behind another token, they are refused", () => {
    const refused = { ok: false as const, reason: "token-refused" as const };
    const sealed = user.slice(user.indexOf("."));
    expect(take(`<sip:${user.slice(0, -2)}AA@203.0.113.5;lr>`).taken).toEqual(refused);
    expect(take(`<sip:${theirs}${sealed}@203.0.113.5;lr>`).taken).toEqual(refused);
    expect(take(`<sip:${mine}.@203.0.113.5;lr>`).taken).toEqual(refused);
  });

  test("too many to be carried have no token", () => {
    expect(tokens.make(target("mycompany"), Array<string>(20).fill(inside[1]!))).toBeNull();
  });
});

describe("Record-Route", () => {
  test("has port and transport and a bare lr", () => {
    const inner = { address: "fd00::1", port: 15060, transport: "udp" as const };
    expect(routeUri(inner, "TOKEN")).toBe("sip:TOKEN@[fd00::1]:15060;transport=udp;lr");
  });

  test("only requests that make a dialog get them", () => {
    const request = (method: string) => makeRequest({ method, uri: "sip:a@b", headers: [] });
    expect(makesDialog(request("INVITE"), undefined)).toBe(true);
    expect(makesDialog(request("SUBSCRIBE"), undefined)).toBe(true);
    expect(makesDialog(request("INVITE"), "tag")).toBe(false);
    expect(makesDialog(request("MESSAGE"), undefined)).toBe(false);
  });
});
