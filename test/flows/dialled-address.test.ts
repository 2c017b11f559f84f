import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { PBX } from "./place.ts";
import { expectAudio, makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

function dials(phone: Phone, uri: string, method = "MESSAGE"): void {
  phone.requests(method, {
    uri,
    from: `<${phone.uri}>;tag=a`,
    to: `<${uri}>`,
    callId: phone.newId(),
    cseq: 1,
  });
}

test("a phone may dial what its telephone system calls itself in bodies: voicemail, lamps", async () => {
  const { phone, pbx } = await makeEnds();
  for (const uri of [`sip:*97@${PBX}`, `sip:101@${PBX}:5060`, `sip:*8101@${PBX};transport=udp`]) {
    dials(phone, uri);
    const seen = await pbx.receivesOn("MESSAGE");
    expect(seen.message.uri.split(";")[0]).toBe(uri.split(";")[0]);
    pbx.answers(seen, 200);
    await phone.receives("200 MESSAGE");
  }
});

test("a call by that name is a call like any other", async () => {
  const ends = await makeEnds();
  const { phone } = ends;
  const sendsInvite = phone.sendsInvite.bind(phone);
  phone.sendsInvite = (user, body) => sendsInvite(user, body, { uri: `sip:${user}@${PBX}` });
  const talk = await phoneCalls(ends);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("to strangers, to phones of others and for REGISTER it is no name", async () => {
  const { place, phone, pbx } = await makeEnds({
    instances: [{ name: "other", address: "10.0.3.151" }],
  });
  const other = await place.pbx({ name: "other", address: "10.0.3.151" });
  const theirs = await place.phone({ domain: "other", address: "192.168.1.11" });
  expect((await theirs.registers()).status).toBe(200);
  const stranger = await place.phone({ user: "666", address: "192.168.1.66" });
  for (const [caller, uri] of [
    [stranger, `sip:101@${PBX}`],
    [theirs, `sip:101@${PBX}`],
    [phone, "sip:101@10.0.3.151"],
  ] as const) {
    dials(caller, uri);
    await caller.receives("404 MESSAGE");
  }
  dials(phone, `sip:${PBX}`, "REGISTER");
  await phone.receives("404 REGISTER");
  await pbx.receivesNothingMore();
  await other.receivesNothingMore();
});
