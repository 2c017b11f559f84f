/** Connections that say nothing, too little, too slowly, or what is no SIP: each ends by itself. */
import { expect, test } from "bun:test";
import { latin1 } from "../peers/sip-text.ts";
import { Place } from "./place.ts";
import { makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

const REQUEST = [
  "OPTIONS sip:mobydick.example.com SIP/2.0",
  "Via: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK-slow;rport",
  "Max-Forwards: 70",
  "From: <sip:100@mycompany>;tag=a",
  "To: <sip:mobydick.example.com>",
  "Call-ID: slow",
  "CSeq: 1 OPTIONS",
  "Content-Length: 4",
  "",
  "body",
].join("\r\n");
const BYTES = latin1(REQUEST);

test("who says nothing for five seconds is cut off, who says CRLF is not", async () => {
  const place = await Place.open();
  const silent = await place.phone();
  const alive = await place.phone();
  alive.sendsBytes(latin1("\r\n\r\n"));
  await place.network.elapse(4900);
  expect([silent.wire?.isOpen, alive.wire?.isOpen]).toEqual([true, true]);
  await place.network.elapse(200);
  expect([silent.wire?.isOpen, alive.wire?.isOpen]).toEqual([false, true]);
  expect(place.status.drops).toEqual({ "first-byte-timeout": 1 });
});

test("a message that drips in is waited for, thirty seconds at most", async () => {
  const place = await Place.open();
  const slow = await place.phone();
  for (const byte of BYTES) {
    slow.sendsBytes(Uint8Array.of(byte));
    await place.network.elapse(50);
  }
  expect((await slow.receives("200 OPTIONS")).status).toBe(200);
  const late = await place.phone();
  for (const byte of BYTES) {
    if (late.wire?.isOpen === true) late.sendsBytes(Uint8Array.of(byte));
    await place.network.elapse(200);
  }
  expect(late.wire?.isOpen).toBe(false);
  await late.receivesNothingMore();
  expect(place.status.drops).toEqual({ "message-timeout": 1 });
});

test("half a message and then nothing is cut off, and costs nobody else a call", async () => {
  const ends = await makeEnds();
  const { place } = ends;
  const half = await place.phone({ address: "192.168.1.66" });
  half.sendsBytes(BYTES.subarray(0, BYTES.length - 1));
  const talk = await phoneCalls(ends);
  await place.network.elapse(31_000);
  expect(half.wire?.isOpen).toBe(false);
  await half.receivesNothingMore();
  expect(place.status.sip.connections).toBe(1);
  await phoneHangsUp(talk);
});

test("a length that never comes holds no more than the message may have", async () => {
  const place = await Place.open();
  const greedy = await place.phone();
  greedy.sendsBytes(latin1(REQUEST.replace("Content-Length: 4", "Content-Length: 250000")));
  for (let count = 0; count < 20; count += 1) greedy.sendsBytes(new Uint8Array(10_000));
  await place.network.settle();
  expect(greedy.wire?.isOpen).toBe(true);
  await place.network.elapse(31_000);
  expect(greedy.wire?.isOpen).toBe(false);
});

test("garbage ends its connection once it is more than a head may be, and is not answered", async () => {
  const place = await Place.open();
  for (const junk of ["\x16\x03\x01\x02", "GET / HTTP/1.1\r\nHost: x\r\n", "\xff\xfe", "x"]) {
    const phone = await place.phone();
    phone.sendsBytes(latin1(junk.repeat(1000)));
    await place.network.settle();
    for (let count = 0; count < 70 && phone.wire?.isOpen === true; count += 1) {
      phone.sendsBytes(latin1(junk.repeat(Math.ceil(1000 / junk.length))));
      await place.network.settle();
    }
    expect([junk, phone.wire?.isOpen]).toEqual([junk, false]);
    await phone.receivesNothingMore();
  }
  expect(place.status.sip.connections).toBe(0);
});

test("what stands behind a message that lost its framing is not read", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  const smuggled = REQUEST.replaceAll("mobydick.example.com", "600@mycompany");
  phone.sendsBytes(latin1(`${REQUEST.replace("Length: 4", "Length: 4\r\nl: 0")}${smuggled}`));
  expect((await phone.receives("400 OPTIONS")).status).toBe(400);
  await phone.receivesNothingMore();
  await pbx.receivesNothingMore();
});
