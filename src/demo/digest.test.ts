import { expect, test } from "bun:test";
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest } from "../sip/message.ts";
import { answerChallenge, DigestServer, parseDigest } from "./digest.ts";

const ACCOUNT = { username: "100", password: "secret" };
const server = new DigestServer("demo", new Uint8Array(32).fill(7), (username) =>
  username === "100" ? "secret" : undefined,
);

function request(authorization: string | null, method = "REGISTER"): SipRequest {
  const headers = authorization === null ? [] : [["Authorization", authorization] as const];
  return makeRequest({ method, uri: "sip:demo", headers });
}

function answered(nowMs: number, account = ACCOUNT): string {
  const challenge = server.challenge(nowMs, false);
  return (
    answerChallenge(challenge, { method: "REGISTER", uri: "sip:demo" }, account, "c0ffee") ?? ""
  );
}

test("the answer of RFC 2617 section 3.5 comes out", () => {
  const challenge =
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"';
  const account = { username: "Mufasa", password: "Circle Of Life" };
  const answer = answerChallenge(
    challenge,
    { method: "GET", uri: "/dir/index.html" },
    account,
    "0a4f113b",
  );
  expect(answer).toContain('response="6629fae49393a05397450978507c4ef1"');
  expect(answer).toContain('opaque="5ccc069c403ebaf9f0171e9517f40e41"');
});

test("the right password is good, another method or password is wrong", () => {
  const good = answered(1000);
  expect(server.check(request(good), 2000)).toEqual({ kind: "good", username: "100" });
  expect(server.check(request(good, "INVITE"), 2000)).toEqual({ kind: "wrong", username: "100" });
  const bad = answered(1000, { username: "100", password: "guess" });
  expect(server.check(request(bad), 2000).kind).toBe("wrong");
  const nobody = answered(1000, { username: "999", password: "secret" });
  expect(server.check(request(nobody), 2000)).toEqual({ kind: "wrong", username: "999" });
});

test("no credentials, those of another realm and malformed ones are missing", () => {
  expect(server.check(request(null), 0).kind).toBe("missing");
  expect(server.check(request('Digest realm="other", nonce="x"'), 0).kind).toBe("missing");
  expect(server.check(request("Basic Zm9v"), 0).kind).toBe("missing");
  expect(server.check(request('Digest realm="demo" nonce="x"'), 0).kind).toBe("missing");
});

test("a nonce is stale after five minutes and when somebody else made it", () => {
  expect(server.check(request(answered(1000)), 301_001)).toEqual({ kind: "stale" });
  const other = new DigestServer("demo", new Uint8Array(32).fill(8), () => "secret");
  const foreign = answerChallenge(
    other.challenge(1000, false),
    { method: "REGISTER", uri: "sip:demo" },
    ACCOUNT,
    "x",
  );
  expect(server.check(request(foreign), 1000)).toEqual({ kind: "stale" });
});

test("a challenge for another algorithm or for integrity only is not answered", () => {
  const to = { method: "INVITE", uri: "sip:demo" };
  expect(
    answerChallenge('Digest realm="a", nonce="b", algorithm=SHA-256', to, ACCOUNT, "x"),
  ).toBeNull();
  expect(
    answerChallenge('Digest realm="a", nonce="b", qop="auth-int"', to, ACCOUNT, "x"),
  ).toBeNull();
});

test("quoted commas and escapes in parameters are read", () => {
  const params = parseDigest('Digest realm="a, \\"b\\"",qop=auth , nonce=""');
  expect(params?.get("realm")).toBe('a, "b"');
  expect(params?.get("qop")).toBe("auth");
  expect(params?.get("nonce")).toBe("");
});
