import { expect, test } from "bun:test";
import {
  type LadderOptions,
  phoneRequest,
  TransactionLadder,
} from "../../test/flows/transaction-ladder.ts";
import type { Flow } from "./flow.ts";
import { makeResponse } from "./make-message.ts";

const invite = phoneRequest({ method: "INVITE" });
const ack = phoneRequest({ method: "ACK", toTag: "bob" });

/** A phone that called; `respond` answers it from above. */
function called(options: LadderOptions & { transport?: Flow["transport"] } = {}) {
  const ladder = new TransactionLadder(options);
  ladder.says(ladder.phone, invite);
  const respond = (status: number) =>
    ladder.server.respond(makeResponse(ladder.server.request, status, undefined, "bob"));
  ladder.steps();
  return { ladder, respond };
}

test("an INVITE gets 100 at once, written as RFC 3261 8.2.6 says", () => {
  const { ladder } = called();
  expect(ladder.phone.sent).toEqual([
    "SIP/2.0 100 Trying\r\n" +
      "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKphone\r\n" +
      "From: <sip:100@mycompany>;tag=alice\r\n" +
      "To: <sip:600@mycompany>\r\n" +
      "Call-ID: call-1\r\n" +
      "CSeq: 1 INVITE\r\n" +
      "Content-Length: 0\r\n\r\n",
  ]);
  ladder.server.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an INVITE that its owner answers at once gets no 100", () => {
  const ladder = new TransactionLadder({
    request: (server) => server.respond(makeResponse(server.request, 404, undefined, "bob")),
  });
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual(["0 owner: INVITE", "0 phone <- 404 INVITE"]);
  ladder.says(ladder.phone, ack);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an INVITE that its owner abandons is met with silence and leaves nothing", () => {
  const ladder = new TransactionLadder({ request: (server) => server.abandon() });
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual(["0 owner: INVITE"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a phone repeats its INVITE and gets the newest provisional response again", () => {
  const { ladder, respond } = called();
  ladder.says(ladder.phone, invite);
  respond(180);
  respond(183);
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual([
    "0 phone <- 100 INVITE",
    "0 phone <- 180 INVITE",
    "0 phone <- 183 INVITE",
    "0 phone <- 183 INVITE",
  ]);
  expect(ladder.phone.sent[4]).toBe(ladder.phone.sent[3]!);
  expect(ladder.server.state).toBe("proceeding");
  expect(ladder.server.isFinal).toBe(false);
  respond(200);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("busy by UDP: 486 is repeated by timer G, doubling to T2, until timer H gives up", () => {
  const { ladder, respond } = called();
  respond(486);
  ladder.clock.advance(40_000);
  expect(ladder.steps()).toEqual([
    "0 phone <- 486 INVITE",
    "500 phone <- 486 INVITE",
    "1500 phone <- 486 INVITE",
    "3500 phone <- 486 INVITE",
    "7500 phone <- 486 INVITE",
    "11500 phone <- 486 INVITE",
    "15500 phone <- 486 INVITE",
    "19500 phone <- 486 INVITE",
    "23500 phone <- 486 INVITE",
    "27500 phone <- 486 INVITE",
    "31500 phone <- 486 INVITE",
    "32000 count ack-missing",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("busy, then ACK: the 486 stops, repeated ACKs and INVITEs are absorbed until timer I", () => {
  const { ladder, respond } = called();
  respond(486);
  ladder.says(ladder.phone, invite);
  ladder.says(ladder.phone, ack);
  expect(ladder.server.state).toBe("confirmed");
  ladder.clock.advance(4999);
  ladder.says(ladder.phone, ack);
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual(["0 phone <- 486 INVITE", "0 phone <- 486 INVITE"]);
  expect(ladder.table.size).toBe(1);
  ladder.clock.advance(1);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("busy over TLS: nothing is repeated, and the ACK ends the transaction at once", () => {
  const { ladder, respond } = called({ transport: "tls" });
  respond(486);
  ladder.clock.advance(31_999);
  expect(ladder.steps()).toEqual(["0 phone <- 486 INVITE"]);
  ladder.says(ladder.phone, ack);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("busy over TLS and no ACK ever: timer H ends the transaction", () => {
  const { ladder, respond } = called({ transport: "tls" });
  respond(486);
  ladder.clock.advance(32_000);
  expect(ladder.steps()).toEqual(["0 phone <- 486 INVITE", "32000 count ack-missing"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("to a source that proved nothing a final response is repeated only when it asks again", () => {
  const { ladder, respond } = called({ isProven: () => false });
  respond(401);
  ladder.clock.advance(10_000);
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual(["0 phone <- 401 INVITE", "10000 phone <- 401 INVITE"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("answered: each 2xx goes straight out, INVITEs are absorbed, ACKs reach the owner", () => {
  const { ladder, respond } = called();
  respond(200);
  expect(ladder.server.state).toBe("accepted");
  ladder.says(ladder.phone, invite);
  respond(200);
  ladder.says(ladder.phone, ack);
  ladder.clock.advance(31_999);
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual([
    "0 phone <- 200 INVITE",
    "0 phone <- 200 INVITE",
    "0 owner: ACK call-1",
  ]);
  expect(ladder.table.size).toBe(1);
  ladder.clock.advance(1);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("an answered call cannot be refused any more, and a second refusal changes nothing", () => {
  const { ladder, respond } = called();
  respond(200);
  respond(486);
  respond(180);
  expect(ladder.steps()).toEqual([
    "0 phone <- 200 INVITE",
    "0 count response-after-final",
    "0 count response-after-final",
  ]);
  expect(ladder.server.finalStatus).toBe(200);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a 2xx that comes after a refusal was sent still goes out, and the refusal stays final", () => {
  const { ladder, respond } = called();
  respond(487);
  respond(200);
  expect(ladder.server.state).toBe("completed");
  ladder.clock.advance(500);
  expect(ladder.steps()).toEqual([
    "0 phone <- 487 INVITE",
    "0 phone <- 200 INVITE",
    "500 phone <- 487 INVITE",
  ]);
  expect(ladder.server.finalStatus).toBe(487);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a dead flow costs its response and a count, and the transaction still ends", () => {
  const { ladder, respond } = called({ transport: "tls" });
  ladder.phone.canSend = false;
  respond(486);
  expect(ladder.steps()).toEqual(["0 count response-not-sent"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an ACK before any final response is ignored", () => {
  const { ladder, respond } = called();
  ladder.says(ladder.phone, ack);
  expect(ladder.steps()).toEqual([]);
  expect(ladder.server.state).toBe("proceeding");
  respond(200);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
