/**
 * Calls between phones: both media paths of a call go through the product, whatever zone the phones are in.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { type Lab, openLab } from "./lab.ts";
import type { Phone } from "./phone.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

/** One calls the other; each must hear the other's tone, then the callee hangs up. */
async function talk(caller: Phone, callee: Phone, number: string): Promise<void> {
  caller.dial(number);
  await callee.accept();
  await caller.expects("CALL_ESTABLISHED");
  await Promise.all([caller.hears(callee.hz, 3), callee.hears(caller.hz, 3)]);
  await callee.hangsUp();
  await caller.expects("CALL_CLOSED");
  await lab.portsAreFree();
}

test("two phones behind one NAT call each other", async () => {
  const one = await lab.phone("home-a", "101");
  const two = await lab.phone("home-a", "102");
  await talk(one, two, "102");
  await talk(two, one, "101");
});

test("each of two phones behind one NAT is called from outside, and only that one rings", async () => {
  const one = await lab.phone("home-a", "101");
  const two = await lab.phone("home-a", "102");
  const caller = await lab.phone("lan", "103");
  await talk(caller, one, "101");
  expect(two.count("CALL_INCOMING")).toBe(0);
  await talk(caller, two, "102");
  expect(one.count("CALL_INCOMING")).toBe(1);
});

test("two homes with the same private address call each other", async () => {
  const one = await lab.phone("home-a", "101");
  const two = await lab.phone("home-b", "102");
  await talk(one, two, "102");
  await talk(two, one, "101");
});

test("a lan phone and an internet phone call each other across two proxies", async () => {
  const lan = await lab.phone("lan", "103");
  const outside = await lab.phone("home-b", "104");
  await talk(lan, outside, "104");
  await talk(outside, lan, "103");
});

test("a phone without NAT calls and is called", async () => {
  const open = await lab.phone("open", "103");
  const home = await lab.phone("home-a", "104");
  await talk(open, home, "104");
  await talk(home, open, "103");
});

test("a phone that declines, and a caller that gives up, leave nothing behind", async () => {
  const caller = await lab.phone("lan", "103");
  const callee = await lab.phone("home-a", "101");
  caller.dial("101");
  await callee.expects("CALL_INCOMING");
  await callee.hangsUp();
  await caller.expects("CALL_CLOSED");
  await lab.portsAreFree();
  caller.dial("101");
  await callee.expects("CALL_INCOMING");
  await caller.hangsUp();
  await callee.expects("CALL_CLOSED");
  await lab.portsAreFree();
});
