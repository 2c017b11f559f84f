import { expect, test } from "bun:test";
import {
  answer,
  phoneRequest,
  requestOf,
  TransactionLadder,
} from "../../test/flows/transaction-ladder.ts";
import type { Flow } from "./flow.ts";

const route = "Route: <sip:a.example.com;lr>, <sip:b.example.com;lr>";
const invite = phoneRequest({ method: "INVITE", more: [route, "Subject: lunch", "Expires: 60"] });

/** An INVITE on its way to the telephone system. */
function calling(transport: Flow["transport"] = "udp") {
  const ladder = new TransactionLadder({ transport });
  const client = ladder.table.send(requestOf(invite), ladder.pbx, ladder.events());
  const sent = ladder.pbx.last("INVITE");
  const pbxSays = (status: number, toTag?: string) =>
    ladder.says(ladder.pbx, answer(sent, status, toTag === undefined ? {} : { toTag }));
  return { ladder, client, sent, pbxSays };
}

test("the INVITE leaves with our Via on top and everything else as it was", () => {
  const { ladder, client, sent } = calling();
  expect(sent).toBe(
    invite.replace("Via: ", "Via: SIP/2.0/UDP 10.0.3.1:5060;branch=z9hG4bK-1;rport\r\nVia: "),
  );
  expect(client.branch).toBe("z9hG4bK-1");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("over TLS the Via says so and asks for no rport", () => {
  const { ladder, sent } = calling("tls");
  expect(sent).toStartWith(
    "INVITE sip:600@mycompany SIP/2.0\r\nVia: SIP/2.0/TLS 10.0.3.1:5060;branch=z9hG4bK-1\r\nVia: ",
  );
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("by UDP nobody answers: timer A repeats the INVITE, timer B gives up", () => {
  const { ladder } = calling();
  ladder.clock.advance(60_000);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "500 pbx <- INVITE",
    "1500 pbx <- INVITE",
    "3500 pbx <- INVITE",
    "7500 pbx <- INVITE",
    "15500 pbx <- INVITE",
    "31500 pbx <- INVITE",
    "32000 owner: timeout",
  ]);
  expect(new Set(ladder.pbx.sent).size).toBe(1);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("over TLS nobody answers: nothing is repeated, timer B gives up", () => {
  const { ladder } = calling("tls");
  ladder.clock.advance(60_000);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "32000 owner: timeout"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a provisional response stops the repetitions and ringing may last for ever", () => {
  const { ladder, client, pbxSays } = calling();
  ladder.clock.advance(600);
  pbxSays(100);
  ladder.clock.advance(600_000);
  pbxSays(180);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "500 pbx <- INVITE",
    "600 owner: 100",
    "600600 owner: 180",
  ]);
  expect(client.state).toBe("proceeding");
  pbxSays(200);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("answered: every 2xx goes up, a repeated one and another fork's alike, until timer M", () => {
  const { ladder, client, pbxSays } = calling();
  pbxSays(180);
  pbxSays(200, "bob");
  expect(client.state).toBe("accepted");
  pbxSays(200, "bob");
  pbxSays(200, "carol");
  pbxSays(180, "carol");
  pbxSays(486, "dave");
  ladder.clock.advance(31_999);
  pbxSays(200, "bob");
  ladder.clock.advance(1);
  pbxSays(200, "bob");
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 owner: 180",
    "0 owner: 200",
    "0 owner: 200",
    "0 owner: 200",
    "31999 owner: 200",
    "32000 owner: stray 200",
  ]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("busy: the ACK goes the INVITE's way with its branch and Route, and nothing else of it", () => {
  const { ladder, pbxSays } = calling();
  pbxSays(486, "busy-tag");
  expect(ladder.pbx.last("ACK")).toBe(
    "ACK sip:600@mycompany SIP/2.0\r\n" +
      "Via: SIP/2.0/UDP 10.0.3.1:5060;branch=z9hG4bK-1;rport\r\n" +
      "Max-Forwards: 70\r\n" +
      "Route: <sip:a.example.com;lr>, <sip:b.example.com;lr>\r\n" +
      "From: <sip:100@mycompany>;tag=alice\r\n" +
      "To: <sip:600@mycompany>;tag=busy-tag\r\n" +
      "Call-ID: call-1\r\n" +
      "CSeq: 1 ACK\r\n" +
      "Content-Length: 0\r\n\r\n",
  );
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("busy by UDP: each repeated 486 is acknowledged again but told once, until timer D", () => {
  const { ladder, pbxSays } = calling();
  pbxSays(486);
  ladder.clock.advance(500);
  pbxSays(486);
  ladder.clock.advance(31_499);
  pbxSays(486);
  ladder.clock.advance(1);
  pbxSays(486);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 pbx <- ACK",
    "0 owner: 486",
    "500 pbx <- ACK",
    "31999 pbx <- ACK",
    "32000 owner: stray 486",
  ]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("busy over TLS: one ACK and the transaction is gone (timer D is zero)", () => {
  const { ladder, pbxSays } = calling("tls");
  pbxSays(486);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "0 pbx <- ACK", "0 owner: 486"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a proxy behind us gives up and then passes a late 2xx on: both go up", () => {
  const { ladder, pbxSays } = calling();
  pbxSays(408);
  pbxSays(200, "late");
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 pbx <- ACK",
    "0 owner: 408",
    "0 owner: 200",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a 2xx after the timeout is a stray: it must not be forwarded (RFC 6026)", () => {
  const { ladder, pbxSays } = calling("tls");
  ladder.clock.advance(32_000);
  pbxSays(200);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "32000 owner: timeout",
    "32000 owner: stray 200",
  ]);
});

test("cancel while ringing: the CANCEL has the INVITE's branch and Route, then 487 ends it", () => {
  const { ladder, client, pbxSays } = calling();
  pbxSays(180);
  client.cancel();
  expect(ladder.pbx.last("CANCEL")).toBe(
    "CANCEL sip:600@mycompany SIP/2.0\r\n" +
      "Via: SIP/2.0/UDP 10.0.3.1:5060;branch=z9hG4bK-1;rport\r\n" +
      "Max-Forwards: 70\r\n" +
      "Route: <sip:a.example.com;lr>, <sip:b.example.com;lr>\r\n" +
      "From: <sip:100@mycompany>;tag=alice\r\n" +
      "To: <sip:600@mycompany>\r\n" +
      "Call-ID: call-1\r\n" +
      "CSeq: 1 CANCEL\r\n" +
      "Content-Length: 0\r\n\r\n",
  );
  ladder.says(ladder.pbx, answer(ladder.pbx.last("CANCEL"), 200));
  pbxSays(487);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 owner: 180",
    "0 pbx <- CANCEL",
    "0 pbx <- ACK",
    "0 owner: 487",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("cancel before any response waits for the first provisional, which then goes up", () => {
  const { ladder, client, pbxSays } = calling("tls");
  client.cancel();
  ladder.clock.advance(1000);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE"]);
  pbxSays(100);
  expect(ladder.steps()).toEqual(["1000 pbx <- CANCEL", "1000 owner: 100"]);
  pbxSays(487);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("cancel before any response, and none ever comes: timer B, and no CANCEL was sent", () => {
  const { ladder, client } = calling("tls");
  client.cancel();
  ladder.clock.advance(32_000);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "32000 owner: timeout"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("cancelling twice sends one CANCEL; it is repeated on its own when it gets lost", () => {
  const { ladder, client, pbxSays } = calling();
  pbxSays(180);
  client.cancel();
  client.cancel();
  ladder.clock.advance(1500);
  ladder.says(ladder.pbx, answer(ladder.pbx.last("CANCEL"), 200));
  ladder.clock.advance(10_000);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 owner: 180",
    "0 pbx <- CANCEL",
    "500 pbx <- CANCEL",
    "1500 pbx <- CANCEL",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("CANCEL crosses 200: the call is answered, the 2xx goes up, the 481 concerns nobody", () => {
  const { ladder, client, pbxSays } = calling();
  pbxSays(180);
  client.cancel();
  pbxSays(200);
  ladder.says(ladder.pbx, answer(ladder.pbx.last("CANCEL"), 481));
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 owner: 180",
    "0 pbx <- CANCEL",
    "0 owner: 200",
  ]);
  expect(client.state).toBe("accepted");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("cancel after the final response does nothing", () => {
  const { ladder, client, pbxSays } = calling();
  pbxSays(200);
  client.cancel();
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "0 owner: 200"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("no answer within 64 T1 after CANCEL: the call is taken as cancelled (9.1)", () => {
  const { ladder, client, pbxSays } = calling("tls");
  pbxSays(180);
  ladder.clock.advance(100_000);
  client.cancel();
  ladder.says(ladder.pbx, answer(ladder.pbx.last("CANCEL"), 200));
  ladder.clock.advance(31_999);
  pbxSays(180);
  expect(client.state).toBe("proceeding");
  ladder.clock.advance(1);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 owner: 180",
    "100000 pbx <- CANCEL",
    "131999 owner: 180",
    "132000 owner: timeout",
  ]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a dead flow fails the call, but not before send() has returned", () => {
  const ladder = new TransactionLadder({ transport: "tls" });
  ladder.pbx.canSend = false;
  ladder.table.send(requestOf(invite), ladder.pbx, ladder.events());
  expect(ladder.steps()).toEqual([]);
  ladder.clock.advance(0);
  expect(ladder.steps()).toEqual(["0 owner: failed not-sent"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a repetition that cannot be sent fails the call", () => {
  const { ladder } = calling();
  ladder.pbx.canSend = false;
  ladder.clock.advance(500);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "500 owner: failed not-sent"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a connection that closes fails its calls at once, not those that were answered", () => {
  const { ladder, pbxSays } = calling("tls");
  const second = ladder.table.send(requestOf(invite), ladder.pbx, ladder.events("second"));
  pbxSays(200);
  ladder.steps();
  ladder.table.flowClosed(ladder.pbx);
  expect(ladder.steps()).toEqual(["0 second: failed flow-closed"]);
  expect(second.isFinal).toBe(true);
  ladder.table.flowClosed(ladder.pbx);
  expect(ladder.steps()).toEqual([]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
