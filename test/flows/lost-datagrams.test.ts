/**
 * Calls by UDP on a network that loses datagrams and delivers others twice: what each side repeats, what
 * is absorbed here, and what must pass (RFC 3261 §17, RFC 6026).
 */

import { expect, test } from "bun:test";
import { makeResponse } from "../../src/sip/make-message.ts";
import { ResponseContext } from "../../src/sip/response-context.ts";
import type { ServerTransaction } from "../../src/sip/transaction-table.ts";
import { answer, phoneRequest, TransactionLadder } from "./transaction-ladder.ts";

/** Everything from the phone is forwarded to the telephone system, as a proxy does. */
function forwarding() {
  const contexts = new Map<ServerTransaction, ResponseContext>();
  const request = (server: ServerTransaction) => {
    if (server.request.method === "CANCEL") {
      server.respond(makeResponse(server.request, server.matching === null ? 481 : 200));
      if (server.matching !== null) contexts.get(server.matching)?.cancel();
      return;
    }
    const context = new ResponseContext({
      table: ladder.table,
      clock: ladder.clock,
      server,
      timerC: { ms: 180_000, capMs: 900_000 },
      response: (response) => response,
      ended() {},
    });
    contexts.set(server, context);
    context.forward(server.request, ladder.pbx);
  };
  const ladder: TransactionLadder = new TransactionLadder({
    request,
    ack: (ack) => void ladder.table.sendStateless(ack, ladder.pbx),
  });
  const phoneSays = (method: string, branch: string, cseq = 1, toTag?: string) => {
    const tag = toTag === undefined ? {} : { toTag };
    ladder.says(ladder.phone, phoneRequest({ method, branch: `z9hG4bK${branch}`, cseq, ...tag }));
  };
  const pbxSays = (status: number, method: string) => {
    ladder.says(ladder.pbx, answer(ladder.pbx.last(method), status));
  };
  return { ladder, phoneSays, pbxSays };
}

test("INVITE, 200, ACK, BYE and its 200 each get lost once, and the call still stands and ends", () => {
  const { ladder, phoneSays, pbxSays } = forwarding();
  phoneSays("INVITE", "call");
  // The telephone system never saw the first INVITE; the phone heard our 100 and keeps quiet.
  ladder.clock.advance(500);
  pbxSays(180, "INVITE");
  pbxSays(200, "INVITE");
  // That 200 got lost behind us; without an ACK the telephone system says it again.
  ladder.clock.advance(500);
  pbxSays(200, "INVITE");
  phoneSays("ACK", "ack", 1, "bob");
  // The ACK got lost behind us: one more 200, and the phone acknowledges that one too.
  ladder.clock.advance(1000);
  pbxSays(200, "INVITE");
  phoneSays("ACK", "ack", 1, "bob");
  ladder.clock.advance(3000);
  phoneSays("BYE", "bye", 2, "bob");
  // The BYE got lost on both sides of us in turn, then its 200 on the way to the phone.
  ladder.clock.advance(500);
  phoneSays("BYE", "bye", 2, "bob");
  pbxSays(200, "BYE");
  ladder.clock.advance(500);
  phoneSays("BYE", "bye", 2, "bob");
  expect(ladder.steps()).toEqual([
    "0 owner: INVITE",
    "0 pbx <- INVITE",
    "0 phone <- 100 INVITE",
    "500 pbx <- INVITE",
    "500 phone <- 180 INVITE",
    "500 phone <- 200 INVITE",
    "1000 phone <- 200 INVITE",
    "1000 pbx <- ACK",
    "2000 phone <- 200 INVITE",
    "2000 pbx <- ACK",
    "5000 owner: BYE",
    "5000 pbx <- BYE",
    "5500 pbx <- BYE",
    "5500 phone <- 200 BYE",
    "6000 phone <- 200 BYE",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the phone's CANCEL comes twice and the 200 to it is lost: one CANCEL goes on, one 487 comes back", () => {
  const { ladder, phoneSays, pbxSays } = forwarding();
  phoneSays("INVITE", "call");
  pbxSays(180, "INVITE");
  ladder.steps();
  phoneSays("CANCEL", "call");
  ladder.clock.advance(200);
  phoneSays("CANCEL", "call");
  pbxSays(200, "CANCEL");
  pbxSays(487, "INVITE");
  phoneSays("CANCEL", "call");
  phoneSays("ACK", "call", 1, "bob");
  expect(ladder.steps()).toEqual([
    "0 owner: CANCEL",
    "0 phone <- 200 CANCEL",
    "0 pbx <- CANCEL",
    "200 phone <- 200 CANCEL",
    "200 pbx <- ACK",
    "200 phone <- 487 INVITE",
    "200 phone <- 200 CANCEL",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a 486 gets lost on both sides: each hop repeats it on its own, the ACKs stay on their hop", () => {
  const { ladder, phoneSays, pbxSays } = forwarding();
  phoneSays("INVITE", "call");
  pbxSays(486, "INVITE");
  ladder.clock.advance(500);
  // Our ACK was lost: the telephone system repeats; our 486 was lost: timer G repeats.
  pbxSays(486, "INVITE");
  phoneSays("ACK", "call", 1, "bob");
  ladder.clock.advance(10_000);
  expect(ladder.steps()).toEqual([
    "0 owner: INVITE",
    "0 pbx <- INVITE",
    "0 phone <- 100 INVITE",
    "0 pbx <- ACK",
    "0 phone <- 486 INVITE",
    "500 phone <- 486 INVITE",
    "500 pbx <- ACK",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("datagrams that come twice change nothing", () => {
  const { ladder, phoneSays, pbxSays } = forwarding();
  const twice = (act: () => void) => {
    act();
    act();
  };
  twice(() => phoneSays("INVITE", "call"));
  twice(() => pbxSays(180, "INVITE"));
  twice(() => pbxSays(486, "INVITE"));
  twice(() => phoneSays("ACK", "call", 1, "bob"));
  expect(ladder.steps()).toEqual([
    "0 owner: INVITE",
    "0 pbx <- INVITE",
    "0 phone <- 100 INVITE",
    "0 phone <- 100 INVITE",
    "0 phone <- 180 INVITE",
    "0 phone <- 180 INVITE",
    "0 pbx <- ACK",
    "0 phone <- 486 INVITE",
    "0 pbx <- ACK",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the phone's CANCEL overtakes its INVITE: 481, and the call goes on", () => {
  const { ladder, phoneSays, pbxSays } = forwarding();
  phoneSays("CANCEL", "call");
  phoneSays("INVITE", "call");
  pbxSays(180, "INVITE");
  expect(ladder.steps()).toEqual([
    "0 owner: CANCEL",
    "0 phone <- 481 CANCEL",
    "0 owner: INVITE",
    "0 pbx <- INVITE",
    "0 phone <- 100 INVITE",
    "0 phone <- 180 INVITE",
  ]);
  pbxSays(486, "INVITE");
  expect(ladder.leftOver()).toEqual([0, 0]);
});
