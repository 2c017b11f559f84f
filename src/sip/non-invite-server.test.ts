import { expect, test } from "bun:test";
import { phoneRequest, TransactionLadder } from "../../test/flows/transaction-ladder.ts";
import type { Flow } from "./flow.ts";
import { makeResponse } from "./make-message.ts";

const register = phoneRequest({ method: "REGISTER" });

function registering(transport: Flow["transport"] = "udp") {
  const ladder = new TransactionLadder({ transport });
  ladder.says(ladder.phone, register);
  const respond = (status: number) =>
    ladder.server.respond(makeResponse(ladder.server.request, status, undefined, "bob"));
  return { ladder, respond };
}

test("a REGISTER reaches the owner once, and no 100 is sent", () => {
  const { ladder } = registering();
  ladder.says(ladder.phone, register);
  ladder.says(ladder.phone, register);
  expect(ladder.steps()).toEqual(["0 owner: REGISTER"]);
  expect(ladder.server.state).toBe("trying");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("by UDP a repeated REGISTER gets the same final response until timer J", () => {
  const { ladder, respond } = registering();
  respond(200);
  ladder.says(ladder.phone, register);
  ladder.clock.advance(31_999);
  ladder.says(ladder.phone, register);
  expect(ladder.steps()).toEqual([
    "0 owner: REGISTER",
    "0 phone <- 200 REGISTER",
    "0 phone <- 200 REGISTER",
    "31999 phone <- 200 REGISTER",
  ]);
  expect(new Set(ladder.phone.sent).size).toBe(1);
  ladder.clock.advance(1);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("over TLS the final response ends the transaction at once", () => {
  const { ladder, respond } = registering("tls");
  respond(200);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
  expect(ladder.server.isFinal).toBe(true);
  expect(ladder.server.finalStatus).toBe(200);
});

test("a provisional response is repeated when the request is", () => {
  const { ladder, respond } = registering();
  respond(100);
  ladder.says(ladder.phone, register);
  expect(ladder.server.state).toBe("proceeding");
  expect(ladder.steps()).toEqual([
    "0 owner: REGISTER",
    "0 phone <- 100 REGISTER",
    "0 phone <- 100 REGISTER",
  ]);
  respond(200);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("only the first final response counts", () => {
  const { ladder, respond } = registering();
  respond(401);
  respond(200);
  expect(ladder.steps()).toEqual([
    "0 owner: REGISTER",
    "0 phone <- 401 REGISTER",
    "0 count response-after-final",
  ]);
  expect(ladder.server.finalStatus).toBe(401);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a request nobody answers ends by itself without an answer (RFC 4320)", () => {
  const { ladder, respond } = registering();
  ladder.clock.advance(37_000);
  expect(ladder.steps()).toEqual(["0 owner: REGISTER", "37000 count request-unanswered"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
  respond(200);
  expect(ladder.phone.sent).toEqual([]);
  expect(ladder.server.finalStatus).toBeNull();
});

test("an abandoned request is silent and gone; sent again it is new", () => {
  const { ladder } = registering();
  ladder.server.abandon();
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
  ladder.says(ladder.phone, register);
  expect(ladder.steps()).toEqual(["0 owner: REGISTER", "0 owner: REGISTER"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a dead flow costs its response and a count, and leaves nothing", () => {
  const { ladder, respond } = registering("tls");
  ladder.phone.canSend = false;
  respond(200);
  expect(ladder.steps()).toEqual(["0 owner: REGISTER", "0 count response-not-sent"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});
