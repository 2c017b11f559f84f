import { expect, test } from "bun:test";
import { forwarding } from "../../test/flows/context-ladder.ts";
import { phoneRequest } from "../../test/flows/transaction-ladder.ts";

test("phone calls, telephone system rings and answers: 100 stays here, 180 and 200 go through", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 100);
  ladder.clock.advance(2000);
  says(first, 180);
  says(first, 200);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "2000 branch 0: 180",
    "2000 phone <- 180 INVITE",
    "2000 branch 0: 200",
    "2000 phone <- 200 INVITE",
    "2000 ended 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("what goes to the phone is the far end's response with our Via taken off, byte for byte", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 200, { toTag: "carol", more: ["X-Odd:  kept  as is", "m: <sip:600@10.0.3.150>"] });
  expect(ladder.phone.last("200 INVITE")).toBe(
    "SIP/2.0 200 Status 200\r\n" +
      "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKphone\r\n" +
      "From: <sip:100@mycompany>;tag=alice\r\n" +
      "To: <sip:600@mycompany>;tag=carol\r\n" +
      "Call-ID: call-1\r\n" +
      "CSeq: 1 INVITE\r\n" +
      "X-Odd:  kept  as is\r\n" +
      "m: <sip:600@10.0.3.150>\r\n" +
      "Content-Length: 0\r\n\r\n",
  );
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("busy: the one final response goes back unchanged", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 486);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 pbx <- ACK",
    "0 branch 0: 486",
    "0 phone <- 486 INVITE",
    "0 ended 486",
  ]);
  // Only the phone's ACK is awaited: timer C is gone.
  expect(ladder.clock.pending).toBe(1);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("nobody answers an INVITE: 408 to the phone", () => {
  const { ladder, forward } = forwarding({ transport: "udp" });
  forward();
  ladder.clock.advance(32_000);
  ladder.says(ladder.phone, phoneRequest({ method: "ACK" }));
  expect(ladder.steps().slice(-4)).toEqual([
    "31500 pbx <- INVITE",
    "32000 branch 0: 408 timeout",
    "32000 phone <- 408 INVITE",
    "32000 ended 408",
  ]);
  expect(ladder.phone.last("408 INVITE")).toContain("\r\nTo: <sip:600@mycompany>;tag=-2\r\n");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("nobody answers a non-INVITE: nothing is sent, the context ends (RFC 4320)", () => {
  const { ladder, forward } = forwarding({ method: "SUBSCRIBE" });
  forward();
  ladder.clock.advance(32_000);
  expect(ladder.steps()).toEqual(["0 pbx <- SUBSCRIBE", "32000 ended null"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a non-INVITE forwarded late times out after its sender, silently too", () => {
  const { ladder, forward } = forwarding({ method: "SUBSCRIBE" });
  ladder.clock.advance(6000);
  forward();
  ladder.clock.advance(32_000);
  expect(ladder.steps()).toEqual([
    "6000 pbx <- SUBSCRIBE",
    "37000 count request-unanswered",
    "38000 ended null",
  ]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a non-INVITE passes its final response and no provisional one", () => {
  const { ladder, first, forward, says } = forwarding({ method: "SUBSCRIBE" });
  forward();
  says(first, 100);
  says(first, 183);
  says(first, 202);
  expect(ladder.steps()).toEqual([
    "0 pbx <- SUBSCRIBE",
    "0 branch 0: 202",
    "0 phone <- 202 SUBSCRIBE",
    "0 ended 202",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the flow to the telephone system is dead: 503", () => {
  const { ladder, first, forward } = forwarding();
  first.canSend = false;
  forward();
  ladder.clock.advance(0);
  expect(ladder.steps()).toEqual([
    "0 branch 0: 503 transport",
    "0 phone <- 503 INVITE",
    "0 ended 503",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
