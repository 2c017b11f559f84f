import { expect, test } from "bun:test";
import { forwarding } from "../../test/flows/context-ladder.ts";
import { answer } from "../../test/flows/transaction-ladder.ts";

test("two targets ring, the second answers: the first is cancelled, its 487 goes nowhere", () => {
  const { ladder, first, second, forward, says } = forwarding();
  forward(first);
  forward(second);
  says(first, 180, { toTag: "one" });
  says(second, 180, { toTag: "two" });
  says(second, 200, { toTag: "two" });
  ladder.says(first, answer(first.last("CANCEL"), 200));
  says(first, 180, { toTag: "one" });
  says(first, 487, { toTag: "one" });
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 second <- INVITE",
    "0 branch 0: 180",
    "0 phone <- 180 INVITE",
    "0 branch 1: 180",
    "0 phone <- 180 INVITE",
    "0 pbx <- CANCEL",
    "0 branch 1: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
    "0 branch 0: 180",
    "0 pbx <- ACK",
    "0 branch 0: 487",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("two targets answer at the same time: both 2xx reach the phone", () => {
  const { ladder, first, second, forward, says } = forwarding();
  forward(first);
  forward(second);
  says(first, 180, { toTag: "one" });
  says(second, 200, { toTag: "two" });
  says(first, 200, { toTag: "one" });
  expect(ladder.steps().slice(-6)).toEqual([
    "0 pbx <- CANCEL",
    "0 branch 1: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("one target forks and both answer; a lost ACK makes one repeat: every 2xx reaches the phone", () => {
  const { ladder, first, forward, says } = forwarding({ transport: "udp" });
  forward();
  says(first, 200, { toTag: "one" });
  says(first, 200, { toTag: "two" });
  ladder.clock.advance(500);
  says(first, 200, { toTag: "one" });
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
    "500 branch 0: 200",
    "500 phone <- 200 INVITE",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("all targets refuse: the phone gets the best answer once the last one has spoken", () => {
  const { ladder, first, second, forward, says } = forwarding();
  forward(first);
  forward(second);
  says(first, 480);
  ladder.clock.advance(1000);
  says(second, 407, { more: ['Proxy-Authenticate: Digest realm="b"'] });
  expect(ladder.steps().slice(-4)).toEqual([
    "1000 second <- ACK",
    "1000 branch 1: 407",
    "1000 phone <- 407 INVITE",
    "1000 ended 407",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("two targets challenge: the phone gets both challenges in one 401", () => {
  const { ladder, first, second, forward, says } = forwarding({ method: "REGISTER" });
  forward(first);
  forward(second);
  says(first, 401, { more: ['WWW-Authenticate: Digest realm="a"'] });
  says(second, 401, { more: ['WWW-Authenticate: Digest realm="b"'] });
  expect(ladder.phone.last("401 REGISTER")).toContain(
    '\r\nWWW-Authenticate: Digest realm="a"\r\nWWW-Authenticate: Digest realm="b"\r\n',
  );
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("two targets take a MESSAGE: the phone hears the first 200 only", () => {
  const { ladder, first, second, forward, says } = forwarding({ method: "MESSAGE" });
  forward(first);
  forward(second);
  says(first, 200);
  says(second, 200);
  expect(ladder.steps().slice(2)).toEqual([
    "0 branch 0: 200",
    "0 phone <- 200 MESSAGE",
    "0 ended 200",
    "0 branch 1: 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a 603 cancels the others and wins when they have ended", () => {
  const { ladder, first, second, forward, says } = forwarding();
  forward(first);
  forward(second);
  says(first, 180);
  says(second, 603);
  expect(ladder.steps().slice(-3)).toEqual([
    "0 second <- ACK",
    "0 pbx <- CANCEL",
    "0 branch 1: 603",
  ]);
  says(first, 487);
  expect(ladder.steps()).toEqual([
    "0 pbx <- ACK",
    "0 branch 0: 487",
    "0 phone <- 603 INVITE",
    "0 ended 603",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a 603 meets a 200 that was on its way: the 200 wins", () => {
  const { ladder, first, second, forward, says } = forwarding();
  forward(first);
  forward(second);
  says(first, 180);
  says(second, 603);
  says(first, 200);
  expect(ladder.steps().slice(-3)).toEqual([
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
