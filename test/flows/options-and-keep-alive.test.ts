import { expect, test } from "bun:test";
import { latin1 } from "../peers/sip-text.ts";
import type { UserAgent } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE, Place } from "./place.ts";

function ask(peer: UserAgent, uri: string): void {
  peer.requests("OPTIONS", {
    uri,
    from: "<sip:probe@probe.invalid>;tag=a",
    to: `<${uri}>`,
    callId: peer.newId(),
    cseq: 1,
  });
}

test("OPTIONS to the proxy itself is answered by it, from either side", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  for (const uri of [`sip:${OUTSIDE}`, "sip:mobydick.example.com:5061;transport=tls"]) {
    ask(phone, uri);
    const answer = await phone.receives("200 OPTIONS");
    expect(answer.header("To")).toMatch(/;tag=/);
  }
  await pbx.receivesNothingMore();
  ask(pbx, `sip:${INSIDE}:15060`);
  await pbx.receives("200 OPTIONS");
});

test("OPTIONS for a registered phone is passed on to it and its answer back", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  pbx.requestsTo("100", "OPTIONS");
  phone.answers(await phone.receivesOn("OPTIONS"), 200, { headers: [["X-Phone", "yes"]] });
  expect((await pbx.receives("200 OPTIONS")).header("X-Phone")).toBe("yes");
});

test("CRLF CRLF on a connection is answered by CRLF, between messages only", async () => {
  const place = await Place.open();
  await place.pbx();
  const phone = await place.phone();
  phone.sendsBytes(latin1("\r\n\r\n"));
  await phone.sees("a pong", () => phone.wire?.keepAlives === 1);
  phone.sendsBytes(latin1("\r\n\r\n\r\n\r\n"));
  await phone.sees("two pongs", () => phone.wire?.keepAlives === 3);
  phone.sendsBytes(latin1("\r\n"));
  await phone.registers();
  expect(phone.wire?.keepAlives).toBe(3);
});

test("keep-alives of a few bytes by UDP are swallowed and not counted as faults", async () => {
  const place = await Place.open({ proxy: { voipSip: "udp" } });
  const phone = await place.phone({ transport: "udp" });
  const to = { address: OUTSIDE, port: 5060 };
  for (const text of ["\r\n\r\n", "\r\n", "\0", "\0\0\0\0", "jaK"]) {
    phone.sendsBytes(latin1(text), { to });
  }
  await phone.receivesNothingMore();
  expect(place.status.drops).toEqual({});
});

test("a connection that says nothing, or half a message, is closed", async () => {
  const place = await Place.open();
  const silent = await place.phone();
  await place.network.elapse(5001);
  expect(silent.wire?.isOpen).toBe(false);
  const slow = await place.phone();
  slow.sendsBytes(latin1("REGISTER sip:mycompany SIP/2.0\r\nVia: "));
  await place.network.elapse(29_000);
  expect(slow.wire?.isOpen).toBe(true);
  await place.network.elapse(1100);
  expect(slow.wire?.isOpen).toBe(false);
  expect(place.status.sip.connections).toBe(0);
});
