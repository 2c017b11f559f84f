import { expect, test } from "bun:test";
import {
  answer,
  phoneRequest,
  requestOf,
  responseOf,
  TransactionLadder,
} from "../../test/flows/transaction-ladder.ts";
import { makeResponse } from "./make-message.ts";
import type { ServerTransaction } from "./transaction-table.ts";

const invite = phoneRequest({ method: "INVITE" });
const cancel = phoneRequest({ method: "CANCEL" });

/** An owner that answers everything but INVITE with this status. */
function answering(status: number) {
  return (server: ServerTransaction) => {
    if (!server.isInvite) server.respond(makeResponse(server.request, status, undefined, "bob"));
  };
}

test("the phone cancels: CANCEL is a request of its own that names its INVITE, told once", () => {
  const ladder = new TransactionLadder({ request: answering(200) });
  ladder.says(ladder.phone, invite);
  const inviteServer = ladder.server;
  ladder.says(ladder.phone, cancel);
  ladder.says(ladder.phone, cancel);
  expect(ladder.server.request.method).toBe("CANCEL");
  expect(ladder.server.matching).toBe(inviteServer);
  expect(ladder.steps()).toEqual([
    "0 owner: INVITE",
    "0 phone <- 100 INVITE",
    "0 owner: CANCEL",
    "0 phone <- 200 CANCEL",
    "0 phone <- 200 CANCEL",
  ]);
  inviteServer.respond(makeResponse(inviteServer.request, 487, undefined, "bob"));
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a CANCEL for nothing we know matches null", () => {
  const ladder = new TransactionLadder({ request: answering(481) });
  ladder.says(ladder.phone, invite);
  ladder.says(ladder.phone, phoneRequest({ method: "CANCEL", branch: "z9hG4bKother" }));
  expect(ladder.server.matching).toBeNull();
  ladder.servers[0]?.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a CANCEL never matches a request that is no INVITE", () => {
  const ladder = new TransactionLadder({ request: answering(481) });
  ladder.says(ladder.phone, phoneRequest({ method: "OPTIONS" }));
  ladder.says(ladder.phone, cancel);
  expect(ladder.server.matching).toBeNull();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a stranger who knows the branch can neither cancel nor acknowledge another phone's call", () => {
  const ladder = new TransactionLadder({ request: answering(481) });
  const stranger = ladder.flow("stranger", "outer", "udp", "203.0.113.66");
  const inside = ladder.flow("inside", "inner", "udp", "198.51.100.7");
  ladder.says(ladder.phone, invite);
  const inviteServer = ladder.server;
  ladder.says(stranger, cancel);
  expect(ladder.server.matching).toBeNull();
  ladder.says(inside, cancel);
  expect(ladder.server.matching).toBeNull();
  inviteServer.respond(makeResponse(inviteServer.request, 486, undefined, "bob"));
  ladder.says(stranger, phoneRequest({ method: "ACK" }));
  expect(inviteServer.state).toBe("completed");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a stranger who repeats another phone's INVITE makes a call of his own, answered to him", () => {
  const ladder = new TransactionLadder();
  const stranger = ladder.flow("stranger", "outer", "udp", "203.0.113.66");
  ladder.says(ladder.phone, invite);
  ladder.says(stranger, invite);
  expect(ladder.steps()).toEqual([
    "0 owner: INVITE",
    "0 phone <- 100 INVITE",
    "0 owner: INVITE",
    "0 stranger <- 100 INVITE",
  ]);
  for (const server of ladder.servers) server.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("two phones behind one NAT that chose the same branch are told apart by sent-by", () => {
  const ladder = new TransactionLadder();
  const via = "Via: SIP/2.0/UDP 192.168.1.11:5060;branch=z9hG4bKphone";
  ladder.says(ladder.phone, invite);
  ladder.says(ladder.phone, phoneRequest({ method: "INVITE", via }));
  expect(ladder.servers.length).toBe(2);
  for (const server of ladder.servers) server.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the same branch with another method is another transaction", () => {
  const ladder = new TransactionLadder({ request: answering(200) });
  ladder.says(ladder.phone, phoneRequest({ method: "OPTIONS" }));
  ladder.says(ladder.phone, phoneRequest({ method: "REGISTER" }));
  expect(ladder.servers.map((server) => server.request.method)).toEqual(["OPTIONS", "REGISTER"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an old phone without the magic cookie is matched by the rules of RFC 2543", () => {
  const ladder = new TransactionLadder({ request: answering(200) });
  const via = "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=1";
  const old = (method: string, cseq: number, toTag?: string) =>
    phoneRequest({ method, via, cseq, ...(toTag === undefined ? {} : { toTag }) });
  ladder.says(ladder.phone, old("INVITE", 1));
  ladder.says(ladder.phone, old("INVITE", 1));
  const inviteServer = ladder.server;
  ladder.says(ladder.phone, old("CANCEL", 1));
  expect(ladder.server.matching).toBe(inviteServer);
  inviteServer.respond(makeResponse(inviteServer.request, 487, undefined, "bob"));
  ladder.says(ladder.phone, old("ACK", 1, "bob"));
  expect(inviteServer.state).toBe("confirmed");
  ladder.says(ladder.phone, old("INVITE", 2, "bob"));
  expect(ladder.servers.length).toBe(3);
  ladder.server.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an old phone's Via without any branch is enough", () => {
  const ladder = new TransactionLadder({ request: answering(200) });
  const options = phoneRequest({ method: "OPTIONS", via: "Via: SIP/2.0/UDP 198.51.100.7" });
  ladder.says(ladder.phone, options);
  ladder.says(ladder.phone, options);
  expect(ladder.steps()).toEqual([
    "0 owner: OPTIONS",
    "0 phone <- 200 OPTIONS",
    "0 phone <- 200 OPTIONS",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an ACK for a 2xx has a branch of its own and goes to the owner", () => {
  const ladder = new TransactionLadder();
  ladder.says(ladder.phone, phoneRequest({ method: "ACK", branch: "z9hG4bKack", toTag: "bob" }));
  expect(ladder.steps()).toEqual(["0 owner: ACK call-1"]);
  expect(ladder.table.size).toBe(0);
});

test("the request the owner gets says in its Via where it came from", () => {
  const ladder = new TransactionLadder({ request: answering(200) });
  const via = "Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKnat;rport";
  ladder.says(ladder.phone, phoneRequest({ method: "OPTIONS", via }));
  expect(ladder.phone.last("200 OPTIONS").split("\r\n")[1]).toBe(
    "Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKnat;rport=5060;received=198.51.100.7",
  );
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("the ACK of a 2xx leaves without state under a new branch, others untouched", () => {
  const ladder = new TransactionLadder();
  const ack = requestOf(phoneRequest({ method: "ACK", branch: "z9hG4bKack" }));
  expect(ladder.table.sendStateless(ack, ladder.pbx)).toBe(true);
  expect(ladder.pbx.last("ACK")).toStartWith(
    "ACK sip:600@mycompany SIP/2.0\r\n" +
      "Via: SIP/2.0/UDP 10.0.3.1:5060;branch=z9hG4bK-1;rport\r\n" +
      "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKack\r\n",
  );
  expect(ack.headers.count("via")).toBe(1);
  ladder.pbx.canSend = false;
  expect(ladder.table.sendStateless(ack, ladder.pbx)).toBe(false);
  expect(ladder.table.size).toBe(0);
});

test("a response reaches its sender without our Via", () => {
  const ladder = new TransactionLadder();
  const vias: string[][] = [];
  ladder.table.send(requestOf(invite), ladder.pbx, {
    ...ladder.events(),
    response: (response) => vias.push(response.headers.lines("via")),
  });
  ladder.says(ladder.pbx, answer(ladder.pbx.last("INVITE"), 180));
  ladder.says(ladder.pbx, answer(ladder.pbx.last("INVITE"), 486));
  const own = ["SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKphone"];
  expect(vias).toEqual([own, own]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a response from elsewhere is dropped and counted, from another port it is taken", () => {
  const ladder = new TransactionLadder();
  const elsewhere = ladder.flow("elsewhere", "inner", "udp", "10.0.3.151");
  const outside = ladder.flow("outside", "outer", "udp", "10.0.3.150");
  const again = ladder.flow("again", "inner", "udp", "10.0.3.150");
  ladder.table.send(requestOf(invite), ladder.pbx, ladder.events());
  const ringing = answer(ladder.pbx.last("INVITE"), 180);
  ladder.steps();
  ladder.says(elsewhere, ringing);
  ladder.says(outside, ringing);
  ladder.says(again, ringing);
  expect(ladder.steps()).toEqual([
    "0 count response-from-elsewhere",
    "0 count response-from-elsewhere",
    "0 owner: 180",
  ]);
  ladder.says(ladder.pbx, answer(ladder.pbx.last("INVITE"), 486));
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a response with a wrong branch or a wrong method in CSeq is a stray", () => {
  const ladder = new TransactionLadder();
  ladder.table.send(requestOf(phoneRequest({ method: "OPTIONS" })), ladder.pbx, ladder.events());
  const right = answer(ladder.pbx.last("OPTIONS"), 200);
  ladder.steps();
  ladder.says(ladder.pbx, right.replace("z9hG4bK-1", "z9hG4bK-2"));
  ladder.says(ladder.pbx, right.replace("1 OPTIONS", "1 INVITE"));
  expect(ladder.steps()).toEqual(["0 owner: stray 200", "0 owner: stray 200"]);
  ladder.says(ladder.pbx, right);
  expect(ladder.steps()).toEqual(["0 owner: 200"]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a full table refuses new requests with 503 and no state; what runs goes on", () => {
  const ladder = new TransactionLadder({ maxTransactions: 1, request: answering(200) });
  const second = phoneRequest({ method: "INVITE", branch: "z9hG4bKsecond" });
  ladder.says(ladder.phone, invite);
  ladder.steps();
  ladder.says(ladder.phone, second);
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual([
    "0 count transactions-full",
    "0 phone <- 503 INVITE",
    "0 phone <- 100 INVITE",
  ]);
  expect(ladder.table.size).toBe(1);
  expect(ladder.phone.sent[1]).toBe(
    "SIP/2.0 503 Service Unavailable\r\n" +
      "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKsecond\r\n" +
      "From: <sip:100@mycompany>;tag=alice\r\n" +
      "To: <sip:600@mycompany>;tag=refused-503\r\n" +
      "Call-ID: call-1\r\n" +
      "CSeq: 1 INVITE\r\n" +
      "Content-Length: 0\r\n" +
      "Retry-After: 10\r\n\r\n",
  );
  ladder.servers[0]?.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("on a full table ACKs still pass, the ACK of our own 503 is absorbed, CANCEL still works", () => {
  const ladder = new TransactionLadder({ maxTransactions: 1, request: answering(200) });
  ladder.says(ladder.phone, invite);
  ladder.steps();
  const refusedAck = { method: "ACK", branch: "z9hG4bKsecond", toTag: "refused-503" };
  ladder.says(ladder.phone, phoneRequest(refusedAck));
  ladder.says(ladder.phone, phoneRequest({ ...refusedAck, toTag: "bob" }));
  ladder.says(ladder.phone, cancel);
  ladder.says(ladder.phone, phoneRequest({ method: "CANCEL", branch: "z9hG4bKsecond" }));
  expect(ladder.steps()).toEqual([
    "0 owner: ACK call-1",
    "0 owner: CANCEL",
    "0 phone <- 200 CANCEL",
    "0 count transactions-full",
    "0 phone <- 503 CANCEL",
  ]);
  ladder.servers[0]?.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner that throws at a request: 500 is sent, the error goes on, nothing stays behind", () => {
  const ladder = new TransactionLadder({
    request: () => {
      throw new Error("owner broke");
    },
  });
  expect(() => ladder.says(ladder.phone, invite)).toThrow("owner broke");
  expect(ladder.steps()).toEqual(["0 owner: INVITE", "0 phone <- 500 INVITE"]);
  ladder.says(ladder.phone, phoneRequest({ method: "ACK" }));
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner that throws at a response or a timeout leaves the transaction right", () => {
  const ladder = new TransactionLadder();
  const broken = () => {
    throw new Error("owner broke");
  };
  const events = { response: broken, timeout: broken, failed: broken };
  const first = ladder.table.send(requestOf(invite), ladder.pbx, events);
  const busy = answer(ladder.pbx.last("INVITE"), 486);
  expect(() => ladder.says(ladder.pbx, busy)).toThrow("owner broke");
  expect(first.state).toBe("completed");
  ladder.says(ladder.pbx, busy);
  expect(ladder.steps()).toEqual(["0 pbx <- INVITE", "0 pbx <- ACK", "0 pbx <- ACK"]);
  ladder.clock.advance(32_000);
  ladder.table.send(requestOf(invite), ladder.pbx, events);
  expect(() => ladder.clock.advance(32_000)).toThrow("owner broke");
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("an owner may respond, send and cancel from inside any callback", () => {
  const ladder = new TransactionLadder({
    request: (server) => {
      const client = ladder.table.send(server.request, ladder.pbx, {
        ...ladder.events(),
        response: (response) => {
          if (response.status === 180) client.cancel();
          server.respond(response);
        },
      });
    },
  });
  ladder.says(ladder.phone, invite);
  const sent = ladder.pbx.last("INVITE");
  ladder.says(ladder.pbx, answer(sent, 180));
  ladder.says(ladder.pbx, answer(sent, 487));
  ladder.says(ladder.phone, phoneRequest({ method: "ACK" }));
  expect(ladder.steps()).toEqual([
    "0 owner: INVITE",
    "0 pbx <- INVITE",
    "0 phone <- 100 INVITE",
    "0 pbx <- CANCEL",
    "0 phone <- 180 INVITE",
    "0 pbx <- ACK",
    "0 phone <- 487 INVITE",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a flow that closes inside the failure of one call fails each of its calls once", () => {
  const ladder = new TransactionLadder({ transport: "tls" });
  const failing = (name: string) => ({
    ...ladder.events(name),
    failed: (reason: string) => {
      ladder.note(`${name}: failed ${reason}`);
      ladder.table.flowClosed(ladder.pbx);
    },
  });
  ladder.table.send(requestOf(invite), ladder.pbx, failing("first"));
  ladder.table.send(requestOf(invite), ladder.pbx, failing("second"));
  ladder.steps();
  ladder.table.flowClosed(ladder.pbx);
  expect(ladder.steps()).toEqual(["0 first: failed flow-closed", "0 second: failed flow-closed"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("an owner that sends again on the flow that has just closed is told of it later", () => {
  const ladder = new TransactionLadder({ transport: "tls" });
  const again = ladder.events("again");
  ladder.table.send(requestOf(invite), ladder.pbx, {
    ...ladder.events("first"),
    failed: () => ladder.table.send(requestOf(invite), ladder.pbx, again),
  });
  ladder.table.send(requestOf(invite), ladder.pbx, ladder.events("second"));
  ladder.steps();
  ladder.pbx.canSend = false;
  ladder.table.flowClosed(ladder.pbx);
  expect(ladder.steps()).toEqual(["0 second: failed flow-closed"]);
  ladder.clock.advance(0);
  expect(ladder.steps()).toEqual(["0 again: failed not-sent"]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("an INVITE that its owner lets ring at once gets no 100 after the 180", () => {
  const ladder = new TransactionLadder({
    request: (server) => server.respond(makeResponse(server.request, 180, undefined, "bob")),
  });
  ladder.says(ladder.phone, invite);
  expect(ladder.steps()).toEqual(["0 owner: INVITE", "0 phone <- 180 INVITE"]);
  ladder.server.abandon();
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("pending counts the requests that wait for their final response, size all that lives", () => {
  const ladder = new TransactionLadder();
  ladder.says(ladder.phone, invite);
  ladder.says(ladder.phone, phoneRequest({ method: "OPTIONS" }));
  expect([ladder.table.pending, ladder.table.size]).toEqual([2, 2]);
  const [call, options] = ladder.servers;
  call?.respond(makeResponse(call.request, 200, undefined, "bob"));
  expect([ladder.table.pending, ladder.table.size]).toEqual([1, 2]);
  options?.abandon();
  expect([ladder.table.pending, ladder.table.size]).toEqual([0, 1]);
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a request that was sent before keeps its own Via list when it is sent again", () => {
  const ladder = new TransactionLadder({ transport: "tls" });
  const request = requestOf(invite);
  ladder.table.send(request, ladder.pbx, ladder.events());
  ladder.table.send(request, ladder.pbx, ladder.events());
  const [first = "", second = ""] = ladder.pbx.sent;
  expect(second).toBe(first.replace("z9hG4bK-1", "z9hG4bK-2"));
  expect(responseOf(answer(first, 180)).headers.count("via")).toBe(2);
  expect(ladder.leftOver()).toEqual([0, 0]);
});
