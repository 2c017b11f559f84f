import { expect, test } from "bun:test";
import {
  answer,
  type LadderFlow,
  phoneRequest,
  TransactionLadder,
} from "../../test/flows/transaction-ladder.ts";
import type { Flow } from "./flow.ts";
import type { SipResponse } from "./message.ts";
import { ResponseContext, type ResponseContextOptions } from "./response-context.ts";

type Edit = ResponseContextOptions["response"];

/** Every promise that can go on has gone on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A phone whose request waits to be forwarded; each step of the context is on the ladder. */
function forwarding(
  o: {
    readonly method?: string;
    readonly transport?: Flow["transport"];
    readonly response?: Edit;
    readonly ended?: () => void;
    readonly isProgressing?: () => boolean;
  } = {},
) {
  const { method = "INVITE", transport = "tls", response = (given: SipResponse) => given } = o;
  const ladder = new TransactionLadder({ transport });
  ladder.says(ladder.phone, phoneRequest({ method }));
  const { server } = ladder;
  const context = new ResponseContext({
    table: ladder.table,
    clock: ladder.clock,
    server,
    timerC: { ms: 180_000, capMs: 900_000 },
    response: (given, branch, origin) => {
      ladder.note(`branch ${branch}: ${given.status}${origin === "received" ? "" : ` ${origin}`}`);
      return response(given, branch, origin);
    },
    ended: ({ status }) => {
      ladder.note(`ended ${status}`);
      o.ended?.();
    },
    rejected: (error) => ladder.note(`rejected ${error}`),
    ...(o.isProgressing === undefined ? {} : { isProgressing: o.isProgressing }),
  });
  const first = ladder.pbx;
  const second = ladder.flow("second", "inner", transport, "10.0.3.151");
  const forward = (flow: Flow = first) => context.forward(server.request, flow);
  const says = (flow: LadderFlow, status: number, o: { toTag?: string; more?: string[] } = {}) =>
    ladder.says(flow, answer(flow.last(method), status, o));
  ladder.steps();
  return { ladder, server, context, first, second, forward, says };
}

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
  expect(ladder.leftOver()).toEqual([0, 0]);
});

test("a single target's 503 reaches the phone with its Retry-After", () => {
  const { ladder, first, forward, says } = forwarding();
  forward();
  says(first, 503, { more: ["Retry-After: 120"] });
  expect(ladder.phone.last("503 INVITE")).toContain("\r\nRetry-After: 120\r\n");
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
  expect(ladder.steps()).toEqual([
    "0 pbx <- SUBSCRIBE",
    "32000 count request-unanswered",
    "32000 ended null",
  ]);
  expect([ladder.table.size, ladder.clock.pending]).toEqual([0, 0]);
});

test("a non-INVITE forwarded late times out after its sender, silently too", () => {
  const { ladder, forward } = forwarding({ method: "SUBSCRIBE" });
  ladder.clock.advance(5000);
  forward();
  ladder.clock.advance(32_000);
  expect(ladder.steps()).toEqual([
    "5000 pbx <- SUBSCRIBE",
    "32000 count request-unanswered",
    "37000 ended null",
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

test("two targets ring, the second answers: the first is cancelled, its 487 goes nowhere", () => {
  const { ladder, first, second, forward, says } = forwarding();
  forward(first);
  forward(second);
  says(first, 180, { toTag: "one" });
  says(second, 180, { toTag: "two" });
  says(second, 200, { toTag: "two" });
  ladder.says(first, answer(first.last("CANCEL"), 200));
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
  server.respond({ ...localResponse(), status: 403 });
  says(first, 486);
  expect(ladder.steps()).toEqual([
    "0 pbx <- INVITE",
    "0 phone <- 403 INVITE",
    "0 pbx <- ACK",
    "0 branch 0: 486",
    "0 ended 403",
  ]);
  expect(ladder.leftOver()).toEqual([0, 0]);

  function localResponse(): SipResponse {
    return {
      kind: "response",
      status: 403,
      reason: "Forbidden",
      headers: server.request.headers.clone(),
      body: new Uint8Array(0),
    };
  }
});
