import { expect, test } from "bun:test";
import { forwarding, settled } from "../../test/flows/context-ladder.ts";
import { makeResponse } from "./make-message.ts";

test("a single target's 503 reaches the phone with its Retry-After", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 503, { more: ["Retry-After: 120"] });
  expect(ladder.phone.last("503 INVITE")).toContain("\r\nRetry-After: 120\r\n");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the flow to the phone is dead: the owner makes 430 of it (RFC 5626)", () => {
  const { ladder, first, forward } = forwarding({
    method: "OPTIONS",
    response: (response, _branch, origin) =>
      origin === "transport" ? { ...response, status: 430, reason: "Flow Failed" } : response,
  });
  forward();
  ladder.table.flowClosed(first);
  expect(ladder.steps()).toEqual([
    "0 pbx <- OPTIONS",
    "0 branch 0: 503 transport",
    "0 phone <- 430 OPTIONS",
    "0 ended 430",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("forwarding a request that its owner has answered sends nothing and ends", () => {
  const { ladder, server, first, forward } = forwarding();
  server.respond(makeResponse(server.request, 403, undefined, "own"));
  forward();
  expect(first.sent).toEqual([]);
  expect(ladder.steps()).toEqual(["0 phone <- 403 INVITE", "0 ended 403"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the owner edits what goes to the phone and swallows what it does not like", () => {
  const { ladder, first, forward, says } = forwarding({
    response: (response) => (response.status === 183 ? null : { ...response, reason: "Edited" }),
  });
  forward();
  says(first, 183);
  says(first, 200);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 branch 0: 183",
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
  ]);
  expect(ladder.phone.last("200 INVITE")).toStartWith("SIP/2.0 200 Edited\r\n");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a swallowed final response with nothing else to say becomes 500", () => {
  const { ladder, first, forward, says } = forwarding({ response: () => null });
  forward();
  says(first, 404);
  expect(ladder.steps().slice(-2)).toEqual(["0 phone <- 500 INVITE", "0 ended 500"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("on 420 the owner forwards once more in another way, and only that answer counts", () => {
  const tried = forwarding({
    method: "REGISTER",
    response: (response) => {
      if (response.status !== 420) return response;
      tried.forward();
      return null;
    },
  });
  const { ladder, first, forward, says } = tried;
  forward();
  says(first, 420);
  says(first, 200);
  expect(ladder.steps()).toEqual([
    "0 pbx <- REGISTER",
    "0 branch 0: 420",
    "0 pbx <- REGISTER",
    "0 branch 1: 200",
    "0 phone <- 200 REGISTER",
    "0 ended 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a target without transport is replaced by the next one", () => {
  const tried = forwarding({
    response: (response, branch) => {
      if (response.status !== 503 || branch > 0) return response;
      tried.forward(tried.second);
      return null;
    },
  });
  const { ladder, first, second, forward, says } = tried;
  first.canSend = false;
  forward();
  ladder.clock.advance(0);
  says(second, 200);
  expect(ladder.steps()).toEqual([
    "0 branch 0: 503 transport",
    "0 second <- INVITE",
    "0 branch 1: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a retry after the phone has hung up is not sent: 487", () => {
  const tried = forwarding({
    response: (response) => {
      if (response.status !== 503) return response;
      tried.forward(tried.second);
      return null;
    },
  });
  const { ladder, context, first, second, forward, says } = tried;
  forward();
  says(first, 180);
  context.cancel();
  says(first, 503);
  expect(second.sent).toEqual([]);
  expect(ladder.steps().slice(-3)).toEqual([
    "0 branch 0: 503",
    "0 phone <- 487 INVITE",
    "0 ended 487",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("while the owner works on a response the next ones wait, and their order is kept", async () => {
  const waiting: (() => void)[] = [];
  const { ladder, first, forward, says } = forwarding({
    response: (response) =>
      response.status === 183
        ? new Promise((resolve) => waiting.push(() => resolve(response)))
        : response,
  });
  forward();
  says(first, 183);
  says(first, 180);
  says(first, 200);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "0 branch 0: 183"]);
  waiting[0]?.();
  await settled();
  expect(ladder.steps()).toEqual([
    "0 phone <- 183 INVITE",
    "0 branch 0: 180",
    "0 phone <- 180 INVITE",
    "0 branch 0: 200",
    "0 phone <- 200 INVITE",
    "0 ended 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the phone hangs up while the owner works on the 200: the 200 still wins", async () => {
  const waiting: (() => void)[] = [];
  const { ladder, context, first, forward, says } = forwarding({
    response: (response) => new Promise((resolve) => waiting.push(() => resolve(response))),
  });
  forward();
  says(first, 200);
  context.cancel();
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "0 branch 0: 200"]);
  waiting[0]?.();
  await settled();
  expect(ladder.steps()).toEqual(["0 phone <- 200 INVITE", "0 ended 200"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner that throws at a final response: the phone gets 500, the error goes on", () => {
  const { ladder, first, forward, says } = forwarding({
    response: () => {
      throw new Error("owner broke");
    },
  });
  forward();
  expect(() => says(first, 486)).toThrow("owner broke");
  expect(ladder.steps().slice(-2)).toEqual(["0 phone <- 500 INVITE", "0 ended 500"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner whose work on a 200 fails: the phone gets 500, what waited goes on", async () => {
  const { ladder, first, forward, says } = forwarding({
    response: (response) =>
      response.status === 180 ? response : Promise.reject(new Error("owner broke")),
  });
  forward();
  says(first, 183);
  says(first, 180);
  says(first, 200);
  await settled();
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 branch 0: 183",
    "0 branch 0: 180",
    "0 phone <- 180 INVITE",
    "0 branch 0: 200",
    "0 phone <- 500 INVITE",
    "0 ended 500",
    "0 rejected Error: owner broke",
    "0 rejected Error: owner broke",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner that throws at a provisional response loses only that one", () => {
  const { ladder, first, forward, says } = forwarding({
    response: (response) => {
      if (response.status === 183) throw new Error("owner broke");
      return response;
    },
  });
  forward();
  expect(() => says(first, 183)).toThrow("owner broke");
  says(first, 180);
  says(first, 486);
  expect(ladder.steps().slice(-2)).toEqual(["0 phone <- 486 INVITE", "0 ended 486"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner that throws when it ends ends once", () => {
  const { ladder, first, forward, says } = forwarding({
    ended: () => {
      throw new Error("owner broke");
    },
  });
  forward();
  expect(() => says(first, 200)).toThrow("owner broke");
  says(first, 200);
  expect(ladder.steps().filter((step) => step === "0 ended 200")).toEqual(["0 ended 200"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner that answered by itself is told the end with its own status", () => {
  const { ladder, server, first, forward, says } = forwarding();
  forward();
  server.respond(makeResponse(server.request, 403, undefined, "own"));
  says(first, 486);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 phone <- 403 INVITE",
    "0 pbx <- ACK",
    "0 branch 0: 486",
    "0 ended 403",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
