/**
 * Two instances with the same extensions behind the same proxies: nothing of one may ever reach the other.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { decodeAlaw, startCapture } from "./capture.ts";
import { type Lab, openLab } from "./lab.ts";
import { ANCHOR } from "./peers.ts";
import { measureSamples } from "./tone.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

test("the same number is another instance's number: each phone hears its own instance's tone", async () => {
  const mine = await lab.phone("home-a", "101");
  const theirs = await lab.phone("home-a", "102", "othercompany");
  mine.dial("601");
  theirs.dial("601");
  await Promise.all([mine.hears(1000, 3), theirs.hears(1200, 3)]);
  await Promise.all([mine.hangsUp(), theirs.hangsUp()]);
  await lab.portsAreFree();
});

test("a call to 101 of one instance never rings 101 of the other, behind the same NAT or not", async () => {
  const caller = await lab.phone("lan", "102");
  const stranger = await lab.phone("lan", "103", "othercompany");
  const mine = await lab.phone("home-a", "101");
  const theirs = await lab.phone("home-a", "101", "othercompany");
  const elsewhere = await lab.phone("home-b", "104", "othercompany");
  caller.dial("101");
  await mine.accept();
  await caller.expects("CALL_ESTABLISHED");
  await Promise.all([caller.hears(mine.hz, 3), mine.hears(caller.hz, 3)]);
  expect(theirs.count("CALL_INCOMING")).toBe(0);
  await caller.hangsUp();
  await lab.portsAreFree();
  stranger.dial("101");
  await theirs.accept();
  await stranger.expects("CALL_ESTABLISHED");
  await Promise.all([stranger.hears(theirs.hz, 3), theirs.hears(stranger.hz, 3)]);
  expect(mine.count("CALL_INCOMING")).toBe(1);
  expect(elsewhere.count("CALL_INCOMING")).toBe(0);
  await stranger.hangsUp();
  await lab.portsAreFree();
});

test("a number that is registered at the other instance only is not reached", async () => {
  const caller = await lab.phone("home-a", "102");
  const theirs = await lab.phone("home-a", "104", "othercompany");
  caller.dial("104");
  const closed = await caller.expects("CALL_CLOSED");
  expect(closed.param).toMatch(/4\d\d|5\d\d|603/);
  expect(theirs.count("CALL_INCOMING")).toBe(0);
  await lab.portsAreFree();
});

test.skipIf(ANCHOR)(
  "with an instance that speaks SRTP no packet is readable on either side",
  async () => {
    const inside = await startCapture("eth0");
    const outside = await startCapture("eth1");
    const phone = await lab.phone("home-b", "103", "othercompany");
    phone.dial("602");
    await phone.expects("CALL_PROGRESS");
    await phone.hears(800, 2);
    await phone.expects("CALL_ESTABLISHED", 12_000);
    await phone.hears(1200, 2);
    await phone.hangsUp();
    await lab.portsAreFree();
    for (const capture of [inside, outside]) {
      const packets = await capture.stop();
      expect(packets.length).toBeGreaterThan(200);
      for (const window of measureSamples(decodeAlaw(packets))) expect(window.hz).toBeNull();
    }
  },
);

test("a lan phone with RTP and an internet phone with SRTP talk through an instance with SRTP", async () => {
  const lan = await lab.phone("lan", "102", "othercompany");
  const home = await lab.phone("home-a", "101", "othercompany");
  lan.dial("101");
  await home.accept();
  await Promise.all([lan.hears(home.hz, 3), home.hears(lan.hz, 3)]);
  await home.hangsUp();
  await lan.expects("CALL_CLOSED");
  await lab.portsAreFree();
});
