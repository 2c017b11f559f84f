import { expect, test } from "bun:test";
import type { CallReport } from "./phone.ts";
import { callScreen, hasWorked, softphoneScreen } from "./screen.ts";

const GOOD: CallReport = {
  rangAfterMs: 12,
  answeredAfterMs: 312,
  suite: "AES_CM_128_HMAC_SHA1_80",
  law: "PCMA",
  packetsOut: 150,
  packetsBack: 150,
  roundTrip: { meanMs: 0.4, worstMs: 3 },
  sentHz: 425,
  heard: { frequencyHz: 425, share: 0.997 },
};

function screen(call: CallReport): string {
  return callScreen({
    user: "100",
    domain: "demo",
    proxy: { address: "127.0.0.1", port: 5061 },
    instance: { address: "127.0.0.2", port: 5060 },
    registration: { tookMs: 20, expiresS: 300 },
    call,
  });
}

test("a good call is told on one screen", () => {
  expect(screen(GOOD)).toBe(`
An encrypted call has gone through Pequod:

  phone 100  --TLS, SRTP-->  proxy 127.0.0.1:5061  --UDP, RTP-->  instance "demo" 127.0.0.2:5060

  registered          100@demo, in 20 ms
  rang                after 12 ms
  answered            600 (echo), after 312 ms
  packets             150 out, 150 back
  loss                0 packets (0.0 %)
  round trip          below 1 ms on average, 3.0 ms at worst
  tone                425 Hz sent, 425 Hz heard (100 % of what was heard)
  media               AES_CM_128_HMAC_SHA1_80, PCMA outside; plain RTP inside`);
});

test("silence, another tone and loss are no success, and are told", () => {
  const silent = { ...GOOD, packetsBack: 0, roundTrip: null, heard: null };
  expect(hasWorked(silent)).toBe(false);
  expect(screen(silent)).toContain("150 packets (100.0 %)");
  expect(screen(silent)).toContain("425 Hz sent, nothing heard");
  expect(screen(silent)).toContain("not as it should");
  expect(hasWorked({ ...GOOD, heard: { frequencyHz: 440, share: 1 } })).toBe(false);
  expect(hasWorked({ ...GOOD, packetsBack: 140 })).toBe(false);
  expect(hasWorked({ ...GOOD, packetsBack: 143 })).toBe(true);
});

test("a softphone is told everything it has to be given", () => {
  const text = softphoneScreen({
    domain: "demo",
    users: ["100", "101", "109"],
    password: "secret",
    proxy: { address: "192.168.1.5", port: 5061 },
    here: { address: "127.0.0.1", port: 40123 },
    phoneUrl: "https://192.168.1.5:8884/p/TOKEN",
    webUrl: "https://192.168.1.5:4443/demo/",
    chat: { address: "192.168.1.5", port: 5222 },
    fingerprint: "AA:BB",
  });
  for (const part of [
    "demo",
    "101 (any of 100 to 109)",
    "secret",
    "192.168.1.5:5061  (sip:192.168.1.5:5061;transport=tls;lr)",
    "127.0.0.1:40123",
    "SRTP mandatory",
    "SHA-256 AA:BB",
    "https://192.168.1.5:8884/p/TOKEN",
    "https://192.168.1.5:4443/demo/",
    "101@demo",
    "192.168.1.5:5222, STARTTLS or TLS",
    "600 = echo, 601 = a tone",
    "Ctrl-C",
  ]) {
    expect(text).toContain(part);
  }
});
