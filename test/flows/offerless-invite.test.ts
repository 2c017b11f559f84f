import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { calledDialog, callerDialog } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE } from "./place.ts";
import { expectAudio, makeEnds, pbxHangsUp, phoneHangsUp } from "./talk.ts";

test("the telephone system calls without SDP: the phone offers in the 200, the answer is in the ACK", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  pbx.sendsInvite("100", "");
  const invite = await phone.receivesOn("INVITE");
  expect(invite.message.body).toBe("");
  phone.replies(invite, 200, "phone", near.sdp());
  const answer = await pbx.receives("200 INVITE");
  expect(readSdp(answer.body)).toMatchObject({ address: INSIDE, proto: "RTP/AVP", crypto: [] });
  far.uses(answer.body);
  const pbxSide = callerDialog(answer);
  pbx.inDialog(pbxSide, "ACK", { body: far.sdp() });
  const ack = await phone.receives("ACK");
  expect(readSdp(ack.body)).toMatchObject({ address: OUTSIDE, proto: "RTP/SAVP" });
  near.uses(ack.body);
  await expectAudio(ends);
  const phoneSide = calledDialog(invite.message, "phone");
  await pbxHangsUp({ ...ends, invite, answer, pbxSide, phoneSide });
});

test("a phone calls without SDP: the offer in the 200 asks it for SRTP", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", "");
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 200, "pbx", far.sdp());
  const answer = await phone.receives("200 INVITE");
  expect(readSdp(answer.body)).toMatchObject({ address: OUTSIDE, proto: "RTP/SAVP" });
  near.uses(answer.body);
  const phoneSide = callerDialog(answer);
  phone.inDialog(phoneSide, "ACK", { body: near.sdp() });
  const ack = await pbx.receives("ACK");
  far.uses(ack.body);
  await expectAudio(ends);
  const pbxSide = calledDialog(invite.message, "pbx");
  await phoneHangsUp({ ...ends, invite, answer, phoneSide, pbxSide });
});

test("a re-INVITE without SDP asks for a new offer and keeps the audio", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  near.uses(answer.body);
  await expectAudio(ends);
  const pbxSide = calledDialog(invite.message, "pbx");
  pbx.inDialog(pbxSide, "INVITE", { headers: [["Contact", `<${pbx.contact}>`]] });
  const again = await phone.receivesOn("INVITE");
  phone.replies(again, 200, "x", near.sdp({ version: 2 }));
  far.uses((await pbx.receives("200 INVITE")).body);
  pbx.inDialog(pbxSide, "ACK", { body: far.sdp({ version: 2 }) });
  near.uses((await phone.receives("ACK")).body);
  await expectAudio(ends);
  await phoneHangsUp({ ...ends, invite, answer, phoneSide: dialog, pbxSide });
});
