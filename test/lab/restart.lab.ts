/**
 * The product restarts: what it promised to instances (the tokens in their Paths) still leads to the phones.
 */
import { afterAll, afterEach, beforeAll, test } from "bun:test";
import { type Lab, openLab } from "./lab.ts";
import type { Phone } from "./phone.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

async function talk(caller: Phone, callee: Phone, number: string): Promise<void> {
  caller.dial(number);
  await callee.accept();
  await Promise.all([caller.hears(callee.hz, 2), callee.hears(caller.hz, 2)]);
  await caller.hangsUp();
  await lab.portsAreFree();
}

test("a UDP phone is called after a restart, without having registered again", async () => {
  const caller = await lab.phone("lan", "102");
  const callee = await lab.phone("lan", "103");
  await lab.front.restart();
  await talk(caller, callee, "103");
});

test("a TLS phone comes back by itself after a restart and is called", async () => {
  const caller = await lab.phone("lan", "102");
  const callee = await lab.phone("home-a", "101");
  await lab.front.restart();
  await callee.expects("REGISTER_OK", 40_000);
  await talk(caller, callee, "101");
}, 90_000);
