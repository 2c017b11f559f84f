import { expect, test } from "bun:test";
import { answerChallenge, formatDigestCredentials, parseDigestChallenge } from "../sip/digest.ts";
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest } from "../sip/message.ts";
import { DigestServer } from "./digest-server.ts";

const ACCOUNT = { username: "100", password: "secret" };
const server = new DigestServer("demo", new Uint8Array(32).fill(7), (username) =>
  username === "100" ? "secret" : undefined,
);

function request(authorization: string | null, method = "REGISTER"): SipRequest {
  const headers = authorization === null ? [] : [["Authorization", authorization] as const];
  return makeRequest({ method, uri: "sip:demo", headers });
}

function answerTo(challenge: string, account = ACCOUNT): string {
  const about = { method: "REGISTER", uri: "sip:demo", nonceCount: 1, cnonce: "c0ffee" };
  return formatDigestCredentials(
    answerChallenge(parseDigestChallenge(challenge), { ...account, ...about }),
  );
}

const answered = (nowMs: number, account = ACCOUNT): string =>
  answerTo(server.challenge(nowMs, false), account);

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
  const foreign = answerTo(other.challenge(1000, false));
  expect(server.check(request(foreign), 1000)).toEqual({ kind: "stale" });
});
