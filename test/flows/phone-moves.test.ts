import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { HOME, Place } from "./place.ts";
import { Nat } from "./simulated-nat.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls, type Talk } from "./talk.ts";

const UDP = { proxy: { voipSip: "udp" }, transport: "udp" } as const;

/** The phone's re-INVITE and its answer: the first that the proxy hears of it from its new place. */
async function holds({ phone, pbx, phoneSide, near, far }: Talk, status = 200): Promise<void> {
  phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: near.sdp(),
  });
  const asked = await pbx.receivesOn("INVITE");
  pbx.replies(asked, status, "pbx", status === 200 ? far.sdp() : "");
  await phone.receives(`${status} INVITE`);
  if (status === 200) phone.inDialog(phoneSide, "ACK");
  await pbx.receives("ACK");
}

async function isReached({ pbx, phone, far, pbxSide }: Talk): Promise<void> {
  pbx.inDialog(pbxSide, "INFO");
  phone.answers(await phone.receivesOn("INFO"), 200);
  await pbx.receives("200 INFO");
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
}

test("TLS: a phone that comes back in a call, without REGISTER, gets that call's requests and new calls", async () => {
  for (const begin of [phoneCalls, pbxCalls]) {
    const talk = await begin(await makeEnds());
    talk.place.network.streams.break(() => true);
    await talk.phone.connects();
    await holds(talk);
    expect(talk.place.status.sip.flows).toBe(1);
    await isReached(talk);
  }
});

test("TLS: before the 2xx it is not believed, nor after a refusal", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, far } = talk;
  place.network.streams.break(() => true);
  await phone.connects();
  await holds(talk, 500);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
});

test("UDP: a phone whose NAT gives it another port is reached there after its re-INVITE", async () => {
  const talk = await phoneCalls(await makeEnds(UDP));
  talk.place.homeNat.forgetMappings();
  await holds(talk);
  await isReached(talk);
});

test("UDP: and after its REGISTER", async () => {
  const talk = await phoneCalls(await makeEnds(UDP));
  talk.place.homeNat.forgetMappings();
  await talk.phone.registers();
  await isReached(talk);
});

test("from another address this call follows, new ones wait for the REGISTER", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, pbxSide, far } = talk;
  place.network.streams.break(() => true);
  place.homeNat.moveTo("198.51.100.55");
  await phone.connects();
  await holds(talk);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
  pbx.inDialog(pbxSide, "INFO");
  phone.answers(await phone.receivesOn("INFO"), 200);
  await phone.registers();
  await isReached(talk);
});

test("a call begun before any registration follows its phone too", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  const ends = {
    place,
    pbx,
    phone,
    near: await place.phoneMedia(phone),
    far: await place.pbxMedia(pbx),
  };
  const talk = await phoneCalls(ends);
  place.network.streams.break(() => true);
  await phone.connects();
  await holds(talk);
  pbx.inDialog(talk.pbxSide, "BYE");
  await phone.isHungUpOn();
});

test("a call goes on when its phone's registration ends meanwhile", async () => {
  for (const options of [UDP, {}]) {
    const talk = await phoneCalls(await makeEnds(options));
    await talk.phone.registers({ expires: 0 });
    expect(talk.place.status.sip.flows).toBe(0);
    talk.pbx.inDialog(talk.pbxSide, "BYE");
    await talk.phone.isHungUpOn();
    await talk.pbx.receives("200 BYE");
  }
});

/** Knows all of the dialog, its token included, as the far end does where an instance forwards. */
async function thief(talk: Talk, user: string, nat?: Nat): Promise<Phone> {
  const other = await talk.place.phone({ address: "192.168.1.66", user, ...(nat ? { nat } : {}) });
  other.inDialog({ ...talk.phoneSide }, "INFO", {
    headers: [["Contact", `<${other.contact}>`]],
  });
  talk.pbx.answers(await talk.pbx.receivesOn("INFO"), 200);
  await other.receives("200 INFO");
  return other;
}

test("who knows a dialog takes neither a standing flow nor, under another name, a lost one", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, far } = talk;
  await thief(talk, "100");
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
  place.network.streams.break(() => true);
  await thief(talk, "666");
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
});

test("nor from another address any call but this one", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, pbx, far } = talk;
  place.network.streams.break(() => true);
  const elsewhere = new Nat({ name: "elsewhere", publicAddress: "198.51.100.200" });
  const other = await thief(talk, "100", elsewhere);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
  await other.receivesNothingMore();
});

/** Two connections of one phone, each registered under a reg-id of its own (RFC 5626 §4.2). */
async function twoFlows() {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phones = [];
  for (const regId of [1, 2]) {
    const phone = await place.phone({ address: HOME });
    const instance = '"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"';
    phone.contactParams = `;reg-id=${regId};+sip.instance=${instance}`;
    await phone.registers({ headers: [["Supported", "path, outbound"]] });
    phones.push({ phone, registration: { ...pbx.registrationOf("100") } });
  }
  return { place, pbx, first: phones[0]!, second: phones[1]! };
}

test("two flows of one instance id are two ways; a lost one is 430 at once, the other one stays", async () => {
  const { place, pbx, first, second } = await twoFlows();
  expect(place.status.sip.flows).toBe(2);
  expect(first.registration.path).not.toEqual(second.registration.path);
  const call = async (one: typeof first) => {
    pbx.registrations.set("100", one.registration);
    return pbx.sendsInvite("100", (await place.pbxMedia(pbx)).sdp());
  };
  const ringing = await call(first);
  await first.phone.receives("INVITE");
  await call(second);
  await second.phone.receives("INVITE");
  first.phone.wire?.close();
  pbx.acknowledges(ringing, await pbx.receives("430 INVITE"));
  // The second flow's refresh says nothing about the first one.
  await second.phone.registers({ headers: [["Supported", "path, outbound"]] });
  pbx.acknowledges(await call(first), await pbx.receives("430 INVITE"));
  await call(second);
  await second.phone.receives("INVITE");
});

test("a call on a flow that is lost goes on over the phone's other flow", async () => {
  const { place, pbx, first, second } = await twoFlows();
  const near = await place.phoneMedia(first.phone);
  const far = await place.pbxMedia(pbx);
  pbx.registrations.set("100", first.registration);
  const talk = await pbxCalls({ place, pbx, phone: first.phone, near, far });
  first.phone.wire?.close();
  await place.network.settle();
  pbx.inDialog(talk.pbxSide, "BYE");
  await second.phone.isHungUpOn();
  await pbx.receives("200 BYE");
});

test("nor a call of another phone with a token of its own: it rang beside it and knows half of the tags", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { place, pbx, phone, phoneSide, pbxSide } = talk;
  const other = await place.phone({ address: "192.168.1.66", user: "101" });
  await other.registers();
  other.sendsInvite("600", talk.near.sdp());
  pbx.replies(await pbx.receivesOn("INVITE"), 200, "pbx", talk.far.sdp());
  const { dialog } = await other.isAnswered();
  await pbx.receives("ACK");
  await other.registers({ expires: 0 });
  const forged = {
    ...phoneSide,
    routes: dialog.routes,
    local: phoneSide.local.replace(/tag=.*/, "tag=guessed"),
  };
  other.inDialog(forged, "INFO", { headers: [["Contact", `<${other.contact}>`]] });
  pbx.answers(await pbx.receivesOn("INFO"), 200);
  await other.receives("200 INFO");
  pbx.inDialog(pbxSide, "BYE");
  await phone.isHungUpOn();
  await other.receivesNothingMore();
});

test("nor that call's media, by an offer under half of the tags", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { place, pbx, far, phoneSide } = talk;
  const other = await place.phone({ address: "192.168.1.66", user: "101" });
  await other.registers();
  const media = await place.phoneMedia(other);
  const forged = { ...phoneSide, local: phoneSide.local.replace(/tag=.*/, "tag=guessed") };
  const headers = [["Contact", `<${other.contact}>`]] as const;
  other.inDialog({ ...forged, routes: [] }, "INVITE", { headers, body: media.sdp() });
  pbx.replies(await pbx.receivesOn("INVITE"), 200, "pbx", far.sdp());
  await other.receives("200 INVITE");
  await expectAudio(talk);
});
