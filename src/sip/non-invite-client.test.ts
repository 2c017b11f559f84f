import { expect, test } from "bun:test";
import {
  answer,
  phoneRequest,
  requestOf,
  TransactionLadder,
} from "../../test/flows/transaction-ladder.ts";
import type { Flow } from "./flow.ts";

const register = phoneRequest({ method: "REGISTER" });

function registering(transport: Flow["transport"] = "udp") {
  const ladder = new TransactionLadder({ transport });
  const client = ladder.table.send(requestOf(register), ladder.pbx, ladder.events());
  const pbxSays = (status: number) =>
    ladder.says(ladder.pbx, answer(ladder.pbx.last("REGISTER"), status));
  return { ladder, client, pbxSays };
}

test("by UDP nobody answers: timer E doubles up to T2, timer F gives up", () => {
  const { ladder } = registering();
  ladder.clock.advance(60_000);
  expect(ladder.steps()).toEqual([
    "0 pbx <- REGISTER",
    "500 pbx <- REGISTER",
    "1500 pbx <- REGISTER",
    "3500 pbx <- REGISTER",
    "7500 pbx <- REGISTER",
    "11500 pbx <- REGISTER",
    "15500 pbx <- REGISTER",
    "19500 pbx <- REGISTER",
    "23500 pbx <- REGISTER",
    "27500 pbx <- REGISTER",
    "31500 pbx <- REGISTER",
    "32000 owner: timeout",
  ]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("after a provisional response the request is repeated every T2, and timer F still counts", () => {
  const { ladder, client, pbxSays } = registering();
  pbxSays(100);
  expect(client.state).toBe("proceeding");
  ladder.clock.advance(9000);
  expect(ladder.steps()).toEqual([
    "0 pbx <- REGISTER",
    "0 owner: 100",
    "500 pbx <- REGISTER",
    "4500 pbx <- REGISTER",
    "8500 pbx <- REGISTER",
  ]);
  ladder.clock.advance(23_000);
  expect(ladder.steps().at(-1)).toBe("32000 owner: timeout");
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("over TLS nothing is repeated", () => {
  const { ladder } = registering("tls");
  ladder.clock.advance(32_000);
  expect(ladder.steps()).toEqual(["0 pbx <- REGISTER", "32000 owner: timeout"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("the final response goes up once; by UDP timer K absorbs its repetitions", () => {
  const { ladder, pbxSays } = registering();
  pbxSays(200);
  pbxSays(200);
  ladder.clock.advance(4999);
  pbxSays(401);
  expect(ladder.steps()).toEqual(["0 pbx <- REGISTER", "0 owner: 200"]);
  ladder.clock.advance(1);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
  pbxSays(200);
  expect(ladder.steps()).toEqual(["5000 owner: stray 200"]);
});

test("over TLS the final response ends the transaction at once (timer K is zero)", () => {
  const { ladder, client, pbxSays } = registering("tls");
  pbxSays(200);
  expect(client.isFinal).toBe(true);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a REGISTER cannot be cancelled", () => {
  const { ladder, client, pbxSays } = registering("tls");
  pbxSays(100);
  client.cancel();
  expect(ladder.steps()).toEqual(["0 pbx <- REGISTER", "0 owner: 100"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a dead flow fails the request, but not before send() has returned", () => {
  const ladder = new TransactionLadder({ transport: "tls" });
  ladder.pbx.canSend = false;
  ladder.table.send(requestOf(register), ladder.pbx, ladder.events());
  expect(ladder.steps()).toEqual([]);
  ladder.clock.advance(0);
  expect(ladder.steps()).toEqual(["0 owner: failed not-sent"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a repetition that cannot be sent fails the request", () => {
  const { ladder } = registering();
  ladder.pbx.canSend = false;
  ladder.clock.advance(500);
  expect(ladder.steps()).toEqual(["0 pbx <- REGISTER", "500 owner: failed not-sent"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});
