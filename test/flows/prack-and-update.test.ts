import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { calledDialog, callerDialog } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE } from "./place.ts";
import { expectAudio, makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

test("a reliable 183 and its PRACK pass, and the early dialog's routes hold", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp(), { headers: [["Supported", "100rel"]] });
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.answers(invite, 183, {
    tag: "pbx",
    contact: pbx.contact,
    headers: [
      ["Require", "100rel"],
      ["RSeq", "1"],
    ],
    body: far.sdp(),
  });
  const early = await phone.receives("183 INVITE");
  expect(early.header("RSeq")).toBe("1");
  near.uses(early.body);
  const phoneSide = callerDialog(early);
  phone.inDialog(phoneSide, "PRACK", { headers: [["RAck", "1 1 INVITE"]] });
  const prack = await pbx.receivesOn("PRACK");
  expect(prack.message.header("RAck")).toBe("1 1 INVITE");
  pbx.answers(prack, 200);
  await phone.receives("200 PRACK");
  pbx.replies(invite, 200, "pbx");
  const answer = await phone.receives("200 INVITE");
  phone.inDialog(phoneSide, "ACK", { cseq: 1 });
  await pbx.receives("ACK");
  await expectAudio(ends);
  const pbxSide = calledDialog(invite.message, "pbx");
  await phoneHangsUp({ ...ends, invite, answer, phoneSide, pbxSide });
});

test("an offer in a reliable 183 is answered in the PRACK", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", "", { headers: [["Supported", "100rel"]] });
  const invite = await pbx.receivesOn("INVITE");
  pbx.answers(invite, 183, {
    tag: "pbx",
    contact: pbx.contact,
    headers: [
      ["Require", "100rel"],
      ["RSeq", "1"],
    ],
    body: far.sdp(),
  });
  const early = await phone.receives("183 INVITE");
  expect(readSdp(early.body)).toMatchObject({ address: OUTSIDE, proto: "RTP/SAVP" });
  near.uses(early.body);
  const phoneSide = callerDialog(early);
  phone.inDialog(phoneSide, "PRACK", { headers: [["RAck", "1 1 INVITE"]], body: near.sdp() });
  const prack = await pbx.receivesOn("PRACK");
  expect(readSdp(prack.message.body)).toMatchObject({ address: INSIDE, proto: "RTP/AVP" });
  far.uses(prack.message.body);
  pbx.answers(prack, 200);
  await phone.receives("200 PRACK");
  await expectAudio(ends);
  pbx.replies(invite, 200, "pbx");
  const answer = await phone.receives("200 INVITE");
  phone.inDialog(phoneSide, "ACK", { cseq: 1 });
  await pbx.receives("ACK");
  await expectAudio(ends);
  const pbxSide = calledDialog(invite.message, "pbx");
  await phoneHangsUp({ ...ends, invite, answer, phoneSide, pbxSide });
});

test("UPDATE with an offer moves the media of a call, without SDP it only passes", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, far, pbxSide, near } = talk;
  await expectAudio(talk);
  const moved = await place.pbxMedia(pbx);
  const contact = [["Contact", `<${pbx.contact}>`]] as const;
  pbx.inDialog(pbxSide, "UPDATE", { headers: contact, body: moved.sdp({ version: 2 }) });
  const update = await phone.receivesOn("UPDATE");
  near.uses(update.message.body);
  phone.replies(update, 200, "x", near.sdp({ version: 2 }));
  moved.uses((await pbx.receives("200 UPDATE")).body);
  await expectAudio({ near, far: moved });
  pbx.inDialog(pbxSide, "UPDATE", { headers: [...contact, ["Session-Expires", "1800"]] });
  const refresh = await phone.receivesOn("UPDATE");
  expect(refresh.message.header("Session-Expires")).toBe("1800");
  phone.answers(refresh, 200, { headers: [["Session-Expires", "1800;refresher=uac"]] });
  expect((await pbx.receives("200 UPDATE")).has("Session-Expires")).toBe(true);
  await expectAudio({ near, far: moved });
  far.close();
  await phoneHangsUp(talk);
});

test("an UPDATE that is refused with 504 or 491 changes nothing", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, phoneSide } = talk;
  await expectAudio(talk);
  const moved = await place.phoneMedia(phone);
  for (const status of [504, 491]) {
    phone.inDialog(phoneSide, "UPDATE", {
      headers: [["Contact", `<${phone.contact}>`]],
      body: moved.sdp({ version: 2 }),
    });
    pbx.answers(await pbx.receivesOn("UPDATE"), status);
    await phone.receives(`${status} UPDATE`);
    await expectAudio(talk);
  }
  await phoneHangsUp(talk);
});

test("an UPDATE within an early dialog moves its media before the answer (RFC 3311 §5.1)", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp(), { headers: [["Supported", "100rel"]] });
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.answers(invite, 183, {
    tag: "pbx",
    contact: pbx.contact,
    headers: [
      ["Require", "100rel"],
      ["RSeq", "1"],
    ],
    body: far.sdp(),
  });
  const first = await phone.receives("183 INVITE");
  near.uses(first.body);
  const phoneSide = callerDialog(first);
  phone.inDialog(phoneSide, "PRACK", { headers: [["RAck", "1 1 INVITE"]] });
  pbx.answers(await pbx.receivesOn("PRACK"), 200);
  await phone.receives("200 PRACK");
  await expectAudio(ends);
  const moved = await place.pbxMedia(pbx);
  const pbxSide = calledDialog(invite.message, "pbx");
  const contact = [["Contact", `<${pbx.contact}>`]] as const;
  pbx.inDialog(pbxSide, "UPDATE", { headers: contact, body: moved.sdp({ version: 2 }) });
  const update = await phone.receivesOn("UPDATE");
  near.uses(update.message.body);
  phone.replies(update, 200, "x", near.sdp({ version: 2 }));
  moved.uses((await pbx.receives("200 UPDATE")).body);
  await expectAudio({ near, far: moved });
  pbx.replies(invite, 200, "pbx");
  const answer = await phone.receives("200 INVITE");
  phone.inDialog(phoneSide, "ACK", { cseq: 1 });
  await pbx.receives("ACK");
  await expectAudio({ near, far: moved });
  await phoneHangsUp({ ...ends, invite, answer, phoneSide, pbxSide });
});
