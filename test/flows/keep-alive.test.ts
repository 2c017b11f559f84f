import { expect, test } from "bun:test";
import { isKeepAlive, type Phone } from "../peers/phone.ts";
import { latin1 } from "../peers/sip-text.ts";
import { HOME, INSIDE, OUTSIDE, PBX, Place } from "./place.ts";
import { makeEnds, pbxCalls } from "./talk.ts";

const UDP = { proxy: { voipSip: "udp" }, transport: "udp", media: "srtp" } as const;
const registered = (limits: Record<string, number> = {}) =>
  makeEnds({ ...UDP, proxy: { ...UDP.proxy, limits } });

/** It takes every OPTIONS of the proxy and never answers; counts them. */
function falls(phone: Phone): { readonly asked: number } {
  const seen = { asked: 0 };
  phone.automatic = (received) => {
    if (isKeepAlive(received)) seen.asked++;
    return true;
  };
  return seen;
}

test("a silent UDP phone gets CRLF CRLF each 25 s and OPTIONS each 60 s", async () => {
  const { place, phone } = await registered();
  let asked = 0;
  phone.automatic = (received) => {
    if (!isKeepAlive(received)) return false;
    asked++;
    phone.answers(received, 200);
    return true;
  };
  await place.network.elapse(26_000);
  expect(phone.wire?.keepAlives).toBe(1);
  await place.network.elapse(35_000);
  expect([phone.wire?.keepAlives, asked]).toEqual([2, 1]);
  expect(place.status.sip.keepAlives).toEqual({ crlf: 2, options: 1, stun: 0 });
  await place.network.elapse(540_000);
  // Drawn between 80 and 100 % of the interval each time.
  expect(asked).toBeWithin(9, 14);
  expect(phone.wire?.keepAlives).toBeWithin(15, 27);
});

test("the OPTIONS names the proxy as phones know it and nothing inside", async () => {
  const { place, phone } = await registered();
  phone.automatic = () => false;
  await place.network.elapse(61_000);
  const asked = await phone.receives("OPTIONS");
  expect(asked.uri).toBe(phone.contact);
  expect(asked.header("To")).toBe("<sip:100@mycompany>");
  expect(asked.header("From")).toStartWith("<sip:mobydick.example.com>;tag=");
  expect(asked.header("Contact")).toBe(`<sip:${OUTSIDE}:5060;transport=udp>`);
  for (const inside of [INSIDE, PBX, "Route:"]) expect(asked.text).not.toContain(inside);
});

test("a phone that speaks by itself, in whatever way, is left in peace", async () => {
  const { place, phone } = await registered();
  phone.automatic = () => false;
  for (let i = 0; i < 20; i++) {
    await place.network.elapse(15_000);
    phone.sendsBytes(latin1("\r\n\r\n"), { to: { address: OUTSIDE, port: 5060 } });
  }
  expect(phone.wire?.keepAlives).toBe(0);
  await phone.receivesNothingMore();
});

test("nobody is spoken to whose registration has ended", async () => {
  const { place, phone } = await registered();
  await phone.registers({ expires: 0 });
  phone.automatic = () => false;
  await place.network.elapse(300_000);
  expect(phone.wire?.keepAlives).toBe(0);
  await phone.receivesNothingMore();
});

test("intervals of 0 switch it off", async () => {
  const { place, phone } = await registered({ keepAliveUdp: 0, optionsUdp: 0 });
  phone.automatic = () => false;
  await place.network.elapse(300_000);
  expect(phone.wire?.keepAlives).toBe(0);
  await phone.receivesNothingMore();
});

test("after three OPTIONS without an answer the instance gets 430 at once", async () => {
  const { place, phone, pbx, far } = await registered();
  const seen = falls(phone);
  await place.network.elapse(145_000);
  expect(place.status.drops).not.toHaveProperty("flow-dead");
  await place.network.elapse(80_000);
  // Each was sent once: no repetitions to somebody who has gone.
  expect(seen.asked).toBeWithin(3, 5);
  expect(place.status.drops["flow-dead"]).toBe(1);
  expect(place.status.sip.flowsDead).toBe(1);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
});

test("a phone that is heard again is called again, without a REGISTER", async () => {
  const { place, phone, pbx, far } = await registered();
  falls(phone);
  await place.network.elapse(225_000);
  phone.automatic = () => false;
  phone.sendsBytes(latin1("\r\n\r\n"), { to: { address: OUTSIDE, port: 5060 } });
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
  expect(place.status.sip.flowsDead).toBe(0);
});

test("what waits for a phone that proves dead is answered 430", async () => {
  const { place, phone, pbx, far } = await registered();
  const invited = pbx.sendsInvite("100", far.sdp(), { callId: "rings" });
  phone.replies(await phone.receivesOn("INVITE"), 180, "phone");
  await pbx.receives("180 INVITE");
  const seen = falls(phone);
  await place.network.elapse(179_000);
  expect(seen.asked).toBeWithin(3, 4);
  // Timer C would cancel after 180 s and wait 32 s more for a phone that is not there.
  await place.network.elapse(40_000);
  pbx.acknowledges(invited, await pbx.receives("430 INVITE"));
});

test("any answer is life: 405, 480, 500", async () => {
  const { place, phone, pbx, far } = await registered();
  const statuses = [405, 480, 500];
  let asked = 0;
  phone.automatic = (received) => {
    if (!isKeepAlive(received)) return false;
    phone.answers(received, statuses[asked++ % 3] ?? 500);
    return true;
  };
  await place.network.elapse(590_000);
  expect(asked).toBeGreaterThan(8);
  expect(place.status.drops).not.toHaveProperty("flow-dead");
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
});

test("a TLS phone gets CRLF, never has to answer it, and is not asked", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  phone.automatic = () => false;
  await phone.registers({ expires: 7200 });
  await place.network.elapse(121_000);
  expect(phone.wire?.keepAlives).toBe(1);
  await place.network.elapse(3_479_000);
  expect(phone.wire?.keepAlives).toBeWithin(29, 38);
  await phone.receivesNothingMore();
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
});

test("where TLS phones are asked too, a dead one's connection is closed", async () => {
  const { place, phone, pbx, far } = await makeEnds({ proxy: { limits: { optionsTls: 60 } } });
  falls(phone);
  await place.network.elapse(225_000);
  expect(phone.wire?.isOpen).toBe(false);
  expect(place.status.sip.connections).toBe(0);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
});

test("OPTIONS under way are bounded", async () => {
  const place = await Place.open({ proxy: { ...UDP.proxy, limits: { optionsPending: 1 } } });
  await place.pbx();
  const seen = [];
  for (const user of ["100", "101"]) {
    const phone = await place.phone({
      transport: "udp",
      user,
      address: `${HOME.slice(0, -2)}${user}`,
    });
    await phone.registers();
    seen.push(falls(phone));
  }
  await place.network.elapse(61_000);
  expect(seen.reduce((sum, { asked }) => sum + asked, 0)).toBe(1);
  expect(place.status.drops["keep-alive-busy"]).toBeGreaterThan(0);
});

test("a call is not disturbed by keep-alives", async () => {
  const talk = await pbxCalls(await registered());
  await talk.place.network.elapse(60_000);
  talk.pbx.inDialog(talk.pbxSide, "BYE");
  await talk.phone.isHungUpOn();
  await talk.pbx.receives("200 BYE");
});
