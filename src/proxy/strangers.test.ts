import { describe, expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import type { Flow } from "../sip/flow.ts";
import { Headers, makeHeaderLine } from "../sip/headers.ts";
import { makeRequest } from "../sip/make-message.ts";
import { Challenges, credentialsOf } from "./challenges.ts";
import { LimitWatch } from "./limit-watch.ts";
import { plain } from "./offences.ts";
import { isScanner } from "./scanners.ts";
import { Trusted } from "./sources.ts";
import { Strangers } from "./strangers.ts";

describe("unknown domains by UDP", () => {
  test("one answer a source and minute", () => {
    const clock = new HandClock();
    const strangers = new Strangers(clock, () => 10);
    expect(strangers.mayTellUnknownDomain("203.0.113.1")).toBe(true);
    expect(strangers.mayTellUnknownDomain("203.0.113.1")).toBe(false);
    expect(strangers.mayTellUnknownDomain("203.0.113.2")).toBe(true);
    clock.advance(59_999);
    expect(strangers.mayTellUnknownDomain("203.0.113.1")).toBe(false);
    clock.advance(1);
    expect(strangers.mayTellUnknownDomain("203.0.113.1")).toBe(true);
  });
});

describe("an answer to a source that may be forged", () => {
  const answer = { requestBytes: 400, answerBytes: 400, isOwn: true, phones: 0 };
  const sent = (strangers: Strangers, more: Partial<typeof answer>, count = 100): number =>
    Array.from({ length: count }, () => strangers.mayAnswer("a", { ...answer, ...more })).filter(
      (one) => one,
    ).length;

  test("is one of ours a second and at most 64 bytes larger", () => {
    const clock = new HandClock();
    const strangers = new Strangers(clock, () => 10);
    expect(sent(strangers, { answerBytes: 465 })).toBe(0);
    expect(sent(strangers, { answerBytes: 464 })).toBe(1);
    clock.advance(1000);
    expect(sent(strangers, {})).toBe(1);
  });

  test("is five of an instance a second and at most twice as large", () => {
    const clock = new HandClock();
    const strangers = new Strangers(clock, () => 10);
    expect(sent(strangers, { isOwn: false, answerBytes: 801 })).toBe(0);
    expect(sent(strangers, { isOwn: false, answerBytes: 800 })).toBe(20);
    clock.advance(1000);
    expect(sent(strangers, { isOwn: false })).toBe(5);
  });

  test("comes more often where phones are known to stand", () => {
    const strangers = new Strangers(new HandClock(), () => 10);
    expect(sent(strangers, { phones: 9 })).toBe(10);
    expect(sent(strangers, { phones: 2, isOwn: false })).toBe(60);
  });
});

describe("a challenge", () => {
  const flow = (id: string, transport: "udp" | "tls" = "udp") => ({ id, transport }) as Flow;
  const headers = (name: string, ...values: string[]) =>
    new Headers(values.map((value) => makeHeaderLine(name, value)));
  const challenge = headers("WWW-Authenticate", 'Digest realm="a", nonce="n1"');
  const answered = (...values: string[]) => {
    const found = credentialsOf(headers("Authorization", ...values));
    if (found === null) throw new Error("no credentials");
    return found;
  };

  test("that is answered proves the UDP source it went to, and no other", () => {
    const challenges = new Challenges(() => 10);
    challenges.give(flow("udp:a"), challenge, 0);
    const credentials = answered('Digest username="1", nonce="n1"');
    challenges.prove(flow("udp:b"), credentials, 0);
    expect(challenges.isProven(flow("udp:b"), 0)).toBe(false);
    challenges.prove(flow("udp:a"), credentials, 0);
    expect(challenges.isProven(flow("udp:a"), 0)).toBe(true);
    expect(challenges.isProven(flow("any", "tls"), 0)).toBe(true);
    expect(challenges.isCurrent(credentials, 0)).toBe(true);
    expect(challenges.isCurrent(answered('Digest username="1", nonce="old"'), 0)).toBe(false);
  });

  test("is stale when the instance says so", () => {
    const challenges = new Challenges(() => 10);
    const stale = headers("Proxy-Authenticate", 'Digest nonce="n", stale=TRUE');
    expect(challenges.give(flow("a"), stale, 0)).toBe(true);
    expect(challenges.give(flow("a"), challenge, 0)).toBe(false);
  });

  test.each([
    [['Digest username="x", nonce="decoy"', 'Digest username="1", nonce="n1"']],
    [['Digest x-nonce="decoy", nonce="n1", username="1"']],
    [["Digest username=1, nonce=n1"]],
    [['Digest username="1",nonce = "n1"']],
  ])("is found behind decoys: %p", (values) => {
    const found = answered(...values);
    expect(found.usernames).toContain("1");
    expect(found.nonces).toContain("n1");
  });

  test("is not in a request without credentials", () => {
    expect(credentialsOf(headers("From", "<sip:1@a>"))).toBeNull();
    expect(answered("Basic eHg=")).toEqual({ usernames: [], nonces: [] });
  });
});

test("scanners are told by their User-Agent, phones are none", () => {
  const from = (agent: string) =>
    isScanner(makeRequest({ method: "OPTIONS", uri: "sip:a", headers: [["User-Agent", agent]] }));
  const scanners = [
    ...["friendly-scanner", "friendly-request", "sipvicious", "SIPVicious 0.3", "sipcli/v1.8"],
    ...["sundayddr", "pplsip", "VaxSIPUserAgent/3.1", "sip-scan", "sipscan", "iWar", "masscan/1.0"],
  ];
  const phones = [
    ...["snomD785/10.1.169.13", "Yealink SIP-T54W 96.87.0.5", "Grandstream GXP2170 1.0.11.48"],
    ...["baresip v3.5.1", "Linphone/5.2", "Asterisk PBX 20.5", "Cisco/SPA504G-7.6.2", "PolycomVVX"],
    ...["MicroSIP/3.21", "Zoiper v2.10", "AVM FRITZ!Box 7590", "Gigaset N670", "Mitel 6869i"],
  ];
  expect(scanners.filter((one) => !from(one))).toEqual([]);
  expect(phones.filter((one) => from(one))).toEqual([]);
  expect(isScanner(makeRequest({ method: "OPTIONS", uri: "sip:a", headers: [] }))).toBe(false);
});

test("what goes into a log line for other programs is of few characters and short", () => {
  expect(plain("100")).toBe("100");
  expect(plain("a.b-c_d+e@f")).toBe("a.b-c_d+e@f");
  expect(plain('x ip=1.2.3.4\n"\r\\\u00e4')).toBe("x_ip_1.2.3.4_____");
  expect(plain("x".repeat(100))).toHaveLength(64);
  expect(plain("")).toBe("-");
});

test("the allow list follows the configuration and knows both families", () => {
  let cidrs: readonly string[] = [];
  const trusted = new Trusted(() => cidrs);
  expect(trusted.has("10.0.0.1")).toBe(false);
  cidrs = ["10.0.0.0/8", "2001:db8::/32"];
  expect(trusted.has("10.0.0.1")).toBe(true);
  expect(trusted.has("2001:db8::1")).toBe(true);
  expect(trusted.has("11.0.0.1")).toBe(false);
  cidrs = [];
  expect(trusted.has("10.0.0.1")).toBe(false);
});

test("a limit is told once it was hit in three looks in a row", () => {
  const watch = new LimitWatch();
  const counts = [1, 2, 2, 3, 4, 5];
  const told = counts.map((count, minute) => {
    watch.look({ "user-calls": count, malformed: count }, minute * 60_000);
    return watch.warnings.map(({ code, since }) => `${code} ${since.slice(14, 19)}`);
  });
  expect(told).toEqual([[], [], [], [], [], ["limit-reached 03:00"]]);
});

test("a fault of the media threads is told for a day", () => {
  const watch = new LimitWatch();
  const told = [0, 1, 1, 1].map((count, day) => {
    watch.look({ "media-thread-hung": count }, day * 43_200_001);
    return watch.warnings.map(({ code }) => code);
  });
  expect(told).toEqual([[], ["media-thread-hung"], ["media-thread-hung"], []]);
});
