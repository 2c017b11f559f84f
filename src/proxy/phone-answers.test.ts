import { expect, test } from "bun:test";
import { makeRequest, makeResponse } from "../sip/make-message.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { refuseChallenge } from "./phone-answers.ts";

function request(to: string, ...more: readonly (readonly [string, string])[]): SipRequest {
  return makeRequest({
    method: "BYE",
    uri: "sip:100@phone",
    headers: [
      ["Via", "SIP/2.0/UDP h;branch=z9hG4bK1"],
      ["From", "<sip:200@h>;tag=a"],
      ["To", to],
      ["Call-ID", "c"],
      ["CSeq", "1 BYE"],
      ...more,
    ],
  });
}

function challenge(status: number, to: SipRequest): SipResponse {
  const response = makeResponse(to, status);
  response.headers.append("www-authenticate", 'Digest realm="x"');
  response.headers.append("proxy-authenticate", 'Digest realm="x"');
  return response;
}

test.each([401, 407])("%i within a dialog becomes 481 without anything to answer", (status) => {
  const bye = request("<sip:100@h>;tag=b");
  const response = challenge(status, bye);
  expect(refuseChallenge(bye, response)).toBe(true);
  expect([response.status, response.reason]).toEqual([481, "Call/Transaction Does Not Exist"]);
  expect(response.headers.has("www-authenticate")).toBe(false);
  expect(response.headers.has("proxy-authenticate")).toBe(false);
});

test("what begins a dialog, what carries credentials and other answers stay", () => {
  for (const [asked, status] of [
    [request("<sip:100@h>"), 401],
    [request("<sip:100@h>;tag=b", ["Authorization", "Digest x"]), 401],
    [request("<sip:100@h>;tag=b", ["Proxy-Authorization", "Digest x"]), 407],
    [request("<sip:100@h>;tag=b"), 403],
  ] as const) {
    const response = challenge(status, asked);
    expect(refuseChallenge(asked, response)).toBe(false);
    expect(response.status).toBe(status);
    expect(response.headers.has("www-authenticate")).toBe(true);
  }
});
