/**
 * One phone and one instance: who speaks first, who never speaks, and what the media looks like outside.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { RINGING_SECONDS } from "./asterisk.ts";
import { decodeAlaw, startCapture } from "./capture.ts";
import { type Lab, openLab } from "./lab.ts";
import { endsWithTone, measureSamples } from "./tone.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

test("a TLS phone behind a NAT, registered through its outbound proxy, is reached by the instance", async () => {
  const phone = await lab.phone("home-a", "101");
  // Asterisk's own OPTIONS travel by the Path of the registration.
  expect(await lab.reachable("mycompany", "101")).toBe(true);
  expect(phone.count("REGISTER_FAIL")).toBe(0);
});

test("echo, far end silent first: the SRTP phone behind a NAT hears itself", async () => {
  const inside = await startCapture("eth0");
  const outside = await startCapture("eth1");
  const phone = await lab.phone("home-a", "101");
  phone.dial("600");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(phone.hz, 4);
  expect(await lab.front.portsInUse()).toBeGreaterThan(0);
  await phone.hangsUp();
  await lab.portsAreFree();
  const plain = (await inside.stop()).filter((packet) => packet.from === "10.0.1.1");
  const secret = (await outside.stop()).filter((packet) => packet.to === "203.0.113.1");
  expect(endsWithTone(measureSamples(decodeAlaw(plain)), phone.hz, 3)).toBe(true);
  expect(secret.length).toBeGreaterThan(150);
  for (const window of measureSamples(decodeAlaw(secret))) expect(window.hz).toBeNull();
});

test("echo: the UDP and RTP phone on the lan hears itself", async () => {
  const phone = await lab.phone("lan", "102");
  phone.dial("600");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(phone.hz, 4);
  await phone.hangsUp();
  await lab.portsAreFree();
});

test("a phone that only listens, and has sent no packet, hears early media and then the answer", async () => {
  const outside = await startCapture("eth1");
  const phone = await lab.phone("open", "103");
  phone.dialToListen("602");
  await phone.expects("CALL_PROGRESS");
  await phone.hears(800, 2);
  expect(phone.count("CALL_ESTABLISHED")).toBe(0);
  await phone.expects("CALL_ESTABLISHED", 12_000);
  await phone.hears(1000, 3);
  await phone.hangsUp();
  await lab.portsAreFree();
  const sent = (await outside.stop()).filter((packet) => packet.from === "203.0.113.50");
  expect(sent).toEqual([]);
});

test("the same on the lan with RTP", async () => {
  const lan = await startCapture("eth2");
  const phone = await lab.phone("lan", "102");
  phone.dialToListen("602");
  await phone.expects("CALL_PROGRESS");
  await phone.hears(800, 2);
  expect(phone.count("CALL_ESTABLISHED")).toBe(0);
  await phone.expects("CALL_ESTABLISHED", 12_000);
  await phone.hears(1000, 3);
  await phone.hangsUp();
  await lab.portsAreFree();
  expect((await lan.stop()).filter((packet) => packet.from === "192.168.10.50")).toEqual([]);
});

test("early media reaches a phone behind a NAT before the answer", async () => {
  const phone = await lab.phone("home-a", "101");
  phone.dial("602");
  await phone.expects("CALL_PROGRESS");
  await phone.hears(800, 2);
  expect(phone.count("CALL_ESTABLISHED")).toBe(0);
  await phone.expects("CALL_ESTABLISHED", 12_000);
  await phone.hears(1000, 3);
  await phone.hangsUp();
  await lab.portsAreFree();
});

// PEQUOD_LAB_LONG=1: four minutes, longer than Timer C. Always: test/flows with the hand-driven clock.
test(`a queue that rings for ${RINGING_SECONDS} s still becomes a call`, async () => {
  const phone = await lab.phone("home-a", "101");
  phone.dial("603");
  await phone.expects("CALL_RINGING");
  await phone.expects("CALL_ESTABLISHED", (RINGING_SECONDS + 5) * 1000);
  await phone.hears(phone.hz, 3);
  await phone.hangsUp();
  await lab.portsAreFree();
}, 330_000);

test("giving up while it rings, and a busy extension, leave nothing behind", async () => {
  const phone = await lab.phone("home-a", "101");
  phone.dial("603");
  await phone.expects("CALL_RINGING");
  await phone.hangsUp();
  await lab.portsAreFree();
  phone.dial("605");
  expect((await phone.expects("CALL_CLOSED")).param).toContain("486");
  await lab.portsAreFree();
});

test("a new SSRC in mid call is heard as well as the first", async () => {
  const inside = await startCapture("eth0");
  const phone = await lab.phone("home-a", "101");
  phone.dial("604");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(800, 2);
  await phone.hears(1000, 4);
  await phone.hangsUp();
  await lab.portsAreFree();
  const sources = (await inside.stop()).filter((packet) => packet.from === "10.0.1.10");
  expect(new Set(sources.map((packet) => packet.ssrc)).size).toBeGreaterThanOrEqual(2);
});

test("a domain that is no instance is refused, and registered phones go on", async () => {
  const phone = await lab.phone("home-a", "101");
  phone.dial("sip:600@nobody;transport=tls");
  expect((await phone.expects("CALL_CLOSED")).param).toContain("404");
  phone.dial("601");
  await phone.hears(1000, 2);
  await phone.hangsUp();
  await lab.portsAreFree();
});
