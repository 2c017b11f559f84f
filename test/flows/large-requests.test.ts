/** Requests over 1300 bytes (RFC 3261 §18.1.1): UDP stays UDP inside unless largeOverTcp is on. */
import { expect, test } from "bun:test";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { INSIDE, PBX, Place } from "./place.ts";
import { expectAudio, makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

const LONG = "x".repeat(1400);

/** Takes TCP on the port of its UDP socket too. */
async function takesTcp(pbx: TelephoneSystem): Promise<void> {
  await pbx.listenStream({ address: PBX, port: 5060 });
}

async function ends(largeOverTcp: boolean) {
  return await makeEnds({ instance: { sip: { largeOverTcp } } });
}

type Ends = Awaited<ReturnType<typeof ends>>;

/** Sends a MESSAGE of that size; gives the transport by which it came. */
async function arrivesBy({ phone, pbx }: Ends, body: string): Promise<string> {
  phone.requests("MESSAGE", {
    uri: "sip:600@mycompany",
    from: "<sip:100@mycompany>;tag=m",
    to: "<sip:600@mycompany>",
    callId: phone.newId("-large-"),
    cseq: 1,
    headers: [["Content-Type", "text/plain"]],
    body,
  });
  const received = await pbx.receivesOn("MESSAGE");
  expect(received.message.body.trimEnd() === body).toBe(true);
  pbx.answers(received, 200);
  await phone.receives("200 MESSAGE");
  return /SIP\/2\.0\/(\w+)/.exec(received.message.header("Via"))?.[1] ?? "";
}

test("by default a large request stays on UDP, whatever its size", async () => {
  const all = await ends(false);
  await takesTcp(all.pbx);
  expect(await arrivesBy(all, LONG)).toBe("UDP");
  expect(await arrivesBy(all, "x".repeat(20_000))).toBe("UDP");
  expect(all.place.network.streams.open.filter(({ local }) => local.address === INSIDE)).toEqual(
    [],
  );
});

test("with largeOverTcp it goes by TCP once a connection is open; small ones stay on UDP", async () => {
  const all = await ends(true);
  await takesTcp(all.pbx);
  expect(await arrivesBy(all, LONG)).toBe("UDP"); // opens it
  expect(await arrivesBy(all, LONG)).toBe("TCP");
  expect(await arrivesBy(all, "small")).toBe("UDP");
  expect(await arrivesBy(all, LONG)).toBe("TCP");
});

test("an instance without TCP gets everything by UDP, and is not asked for TCP each time", async () => {
  const all = await ends(true);
  let tries = 0;
  const { streams } = all.place.network;
  const connect = streams.connect.bind(streams);
  streams.connect = (place, options) => {
    if (options.remote.address === PBX) tries += 1;
    return connect(place, options);
  };
  for (let n = 0; n < 5; n++) expect(await arrivesBy(all, LONG)).toBe("UDP");
  expect(tries).toBe(1);
  await all.place.network.elapse(31_000);
  expect(await arrivesBy(all, LONG)).toBe("UDP");
  expect(tries).toBe(2);
});

test("a TCP connection that breaks under a large request falls back to UDP at once", async () => {
  const all = await ends(true);
  const { place, phone, pbx } = all;
  await takesTcp(pbx);
  await arrivesBy(all, LONG);
  phone.requests("MESSAGE", {
    uri: "sip:600@mycompany",
    from: "<sip:100@mycompany>;tag=m",
    to: "<sip:600@mycompany>",
    callId: "breaks",
    cseq: 1,
    body: LONG,
  });
  const first = await pbx.receivesOn("MESSAGE");
  expect(first.message.header("Via")).toContain("SIP/2.0/TCP");
  place.network.streams.break(({ remote, local }) => [remote.address, local.address].includes(PBX));
  const second = await pbx.receivesOn("MESSAGE");
  expect(second.message.header("Via")).toContain("SIP/2.0/UDP");
  pbx.answers(second, 200);
  await phone.receives("200 MESSAGE");
  expect(place.status.instances["mycompany"]?.reachable).toBe(true);
});

test("a call whose INVITE went by TCP goes on as its instance likes: Record-Route says UDP", async () => {
  const all = await ends(true);
  await takesTcp(all.pbx);
  await arrivesBy(all, LONG);
  const padded = all.near.sdp.bind(all.near);
  all.near.sdp = (...args) => `${padded(...args)}a=x-padding:${LONG}\r\n`;
  const talk = await phoneCalls(all);
  const { message } = talk.invite;
  expect(message.header("Via")).toContain("SIP/2.0/TCP");
  expect(message.values("Record-Route")[0]).toContain(`@${INSIDE}:15060;transport=udp;lr`);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("the proxy adds less than 300 bytes, with a Path as with two Record-Routes", async () => {
  const place = await Place.open();
  await place.pbx();
  const phone = await place.phone();
  phone.sendsRegister();
  await phone.receives("200 REGISTER");
  const grown = (method: string): number => {
    const sizes = place.network.sent
      .filter(({ bytes }) => Buffer.from(bytes).toString().startsWith(`${method} `))
      .map(({ bytes }) => bytes.length);
    return sizes[1]! - sizes[0]!;
  };
  expect(grown("REGISTER")).toBeLessThan(300);
  phone.requests("SUBSCRIBE", {
    uri: "sip:600@mycompany",
    from: "<sip:100@mycompany>;tag=s",
    to: "<sip:600@mycompany>",
    callId: "sub",
    cseq: 1,
  });
  await place.network.settle();
  expect(grown("SUBSCRIBE")).toBeLessThan(300);
});
