import { expect, test } from "bun:test";
import { forwarding } from "../../test/flows/context-ladder.ts";
import { answer } from "../../test/flows/transaction-ladder.ts";
import type { Flow } from "./flow.ts";

test("a target that rings before send() has returned can be cancelled at once", () => {
  const called = forwarding({
    response: (response) => {
      called.context.cancel();
      return response;
    },
  });
  const { ladder, first, context, server, says } = called;
  const inTheSameBreath: Flow = {
    ...first,
    isOpen: true,
    send: (bytes) => {
      first.send(bytes);
      if (first.sent.length === 1) says(first, 180);
      return true;
    },
  };
  context.forward(server.request, inTheSameBreath);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 branch 0: 180",
    "0 phone <- 180 INVITE",
    "0 pbx <- CANCEL",
  ]);
  says(first, 487);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("phone hangs up while it rings: CANCEL goes on, 487 comes back", () => {
  const { ladder, context, first, forward, says } = forwarding();
  forward();
  says(first, 180);
  context.cancel();
  context.cancel();
  ladder.says(first, answer(first.last("CANCEL"), 200));
  says(first, 487);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 branch 0: 180",
    "0 phone <- 180 INVITE",
    "0 pbx <- CANCEL",
    "0 pbx <- ACK",
    "0 branch 0: 487",
    "0 phone <- 487 INVITE",
    "0 ended 487",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("phone hangs up before anything was forwarded: 487 at once, and nothing is forwarded later", () => {
  const { ladder, context, forward } = forwarding();
  context.cancel();
  expect(forward()).toBe(0);
  expect(ladder.steps()).toEqual(["0 phone <- 487 INVITE", "0 ended 487"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("phone hangs up before the telephone system said anything: CANCEL waits for its 100", () => {
  const { ladder, context, first, forward, says } = forwarding();
  forward();
  context.cancel();
  ladder.clock.advance(300);
  says(first, 100);
  says(first, 487);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "300 pbx <- CANCEL",
    "300 pbx <- ACK",
    "300 branch 0: 487",
    "300 phone <- 487 INVITE",
    "300 ended 487",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("CANCEL crosses 200: the call is answered and the phone hears it", () => {
  const { ladder, context, first, forward, says } = forwarding();
  forward();
  says(first, 180);
  context.cancel();
  says(first, 200);
  ladder.says(first, answer(first.last("CANCEL"), 481));
  expect(ladder.steps().slice(-4)).toEqual([
    "0 pbx <- CANCEL",
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("after CANCEL the telephone system falls silent: the phone gets 487, a later 200 goes nowhere", () => {
  const { ladder, context, first, forward, says } = forwarding();
  forward();
  says(first, 180);
  context.cancel();
  ladder.clock.advance(32_000);
  says(first, 200);
  expect(ladder.steps().slice(-4)).toEqual([
    "32000 branch 0: 487 timeout",
    "32000 phone <- 487 INVITE",
    "32000 ended 487",
    "32000 owner: stray 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a 2xx after the 487 was sent still reaches the phone, and the context ends once", () => {
  const { ladder, context, first, forward, says } = forwarding({ transport: "udp" });
  forward();
  says(first, 180);
  context.cancel();
  says(first, 487);
  ladder.steps();
  says(first, 200, { toTag: "late" });
  expect(ladder.steps()).toEqual(["0 branch 0: 200", "0 phone <- 200 INVITE"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("cancel after the final response does nothing", () => {
  const { ladder, context, first, forward, says } = forwarding();
  forward();
  says(first, 200);
  ladder.steps();
  context.cancel();
  expect(ladder.steps()).toEqual([]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("timer C: three minutes after the last 18x the call is cancelled, a 100 does not count", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 180);
  ladder.clock.advance(179_000);
  says(first, 180);
  ladder.clock.advance(100_000);
  says(first, 100);
  ladder.clock.advance(79_999);
  ladder.steps();
  ladder.clock.advance(1);
  expect(ladder.steps()).toEqual(["359000 pbx <- CANCEL"]);
  says(first, 487);
  expect(ladder.steps().slice(-2)).toEqual(["359000 phone <- 487 INVITE", "359000 ended 487"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("timer C and no answer to the CANCEL either: 408", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 180);
  ladder.clock.advance(180_000 + 32_000);
  expect(ladder.steps().slice(-3)).toEqual([
    "212000 branch 0: 408 timeout",
    "212000 phone <- 408 INVITE",
    "212000 ended 408",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a queue that says 182 every minute ends at the hard cap of timer C", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  for (let minute = 0; minute < 15; minute++) {
    says(first, 182);
    ladder.clock.advance(60_000);
  }
  expect(ladder.steps().at(-1)).toBe("900000 pbx <- CANCEL");
  says(first, 182);
  says(first, 487);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("while early media flows timer C waits, up to its hard cap", () => {
  const { ladder, first, forward, says } = forwarding({ isProgressing: () => true });
  forward();
  says(first, 183);
  ladder.steps();
  ladder.clock.advance(899_999);
  expect(ladder.steps()).toEqual([]);
  ladder.clock.advance(1);
  expect(ladder.steps()).toEqual(["900000 pbx <- CANCEL"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
