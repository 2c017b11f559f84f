/**
 * Hold and resume: the re-INVITEs of both phones and the silence between them.
 */
import { afterAll, afterEach, beforeAll, test } from "bun:test";
import { type Lab, openLab } from "./lab.ts";
import { LONG } from "./peers.ts";

// PEQUOD_LAB_LONG=1: six minutes. Always: test/flows with the hand-driven clock.
const HOLD_SECONDS = LONG ? 360 : 12;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

test(`a call comes back after ${HOLD_SECONDS} s of hold`, async () => {
  const phone = await lab.phone("home-a", "101");
  phone.dial("600");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(phone.hz, 3);
  phone.hold();
  await phone.hearsNothing(HOLD_SECONDS);
  phone.resume();
  await phone.hears(phone.hz, 3);
  await phone.hangsUp();
  await lab.portsAreFree();
}, 420_000);

test("hold with an instance that speaks SRTP", async () => {
  const phone = await lab.phone("home-a", "101", "othercompany");
  phone.dial("600");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(phone.hz, 2);
  for (let i = 0; i < 2; i++) {
    phone.hold();
    await phone.hearsNothing(2);
    phone.resume();
    await phone.hears(phone.hz, 2);
  }
  await phone.hangsUp();
  await lab.portsAreFree();
});

test("hold, resume and hold again between two phones, by either of them", async () => {
  const caller = await lab.phone("home-a", "101");
  const callee = await lab.phone("lan", "102");
  caller.dial("102");
  await callee.accept();
  await caller.expects("CALL_ESTABLISHED");
  await caller.hears(callee.hz, 2);
  await callee.hears(caller.hz, 2);
  for (const phone of [caller, callee, caller]) {
    const other = phone === caller ? callee : caller;
    phone.hold();
    await other.hearsNothing(2);
    phone.resume();
    await phone.hears(other.hz, 2);
    await other.hears(phone.hz, 2);
  }
  await callee.hangsUp();
  await caller.expects("CALL_CLOSED");
  await lab.portsAreFree();
});
