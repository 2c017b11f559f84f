/** Row 2.7: a phone that speaks sips keeps it; inside nobody has heard of it. */
import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { Place } from "./place.ts";
import { expectAudio, pbxCalls, phoneCalls } from "./talk.ts";

const SIPS = "sips:100@192.168.1.10:5061";

async function snom() {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  phone.contact = SIPS;
  const answer = await phone.registers();
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  return { place, pbx, phone, near, far, answer };
}

test("REGISTER: sip and the inner transport inside, sips again in the answer", async () => {
  const { pbx, answer } = await snom();
  const [register] = pbx.registers;
  const inside = uriOf(register!.header("Contact"));
  expect(inside).toMatch(/^sip:100@192\.168\.1\.10:5061;transport=udp;pq=[0-9a-f]{8}sn$/);
  expect(uriOf(answer.header("Contact"))).toBe(SIPS);
});

test("a call to it: its Request-URI, Contact of the caller and Record-Route are for TLS", async () => {
  const talk = await pbxCalls(await snom());
  expect(talk.invite.message.uri).toBe(SIPS);
  expect(uriOf(talk.invite.message.header("Contact"))).toMatch(
    /^sips:pq\.[^@]+@203\.0\.113\.5:5061$/,
  );
  const [route] = talk.invite.message.values("Record-Route");
  expect(route).toMatch(/^<sips:[\w-]+@203\.0\.113\.5:5061;lr>$/);
  expect(talk.pbxSide.target).toMatch(/^sip:100@192\.168\.1\.10:5061;transport=udp;pq=sn$/);
  await expectAudio(talk);
  talk.pbx.inDialog(talk.pbxSide, "BYE");
  expect((await talk.phone.receives("BYE")).uri).toBe(SIPS);
});

test("a call of it: the Request-URI is sip inside, the answer's Contact sips", async () => {
  const ends = await snom();
  const { phone, pbx, near } = ends;
  phone.sendsInvite("600", near.sdp(), { uri: "sips:600@mycompany" });
  const { message } = await pbx.receivesOn("INVITE");
  expect(message.uri).toBe("sip:600@mycompany;transport=udp");
  const talk = await phoneCalls(ends);
  expect(talk.phoneSide.target).toMatch(/^sips:pq\./);
  expect(talk.phoneSide.routes[0]).toMatch(/^<sips:/);
  phone.inDialog(talk.phoneSide, "BYE");
  expect((await pbx.receives("BYE")).uri).toBe(pbx.contact);
});
