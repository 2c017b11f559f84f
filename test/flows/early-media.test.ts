import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { calledDialog } from "../peers/user-agent.ts";
import { HOME_PUBLIC, OUTSIDE } from "./place.ts";
import { expectAudio, makeEnds, phoneHangsUp } from "./talk.ts";

test("an announcement before the answer reaches a phone that has not sent a packet yet", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, near, far } = ends;
  // Behind this router the phone's port is the same outside, as at home with many.
  place.homeNat.keepsPort = true;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 183, "pbx", far.sdp());
  near.uses((await phone.receives("183 INVITE")).body);
  far.says("the number you have dialled");
  await place.network.settle();
  const towards = place.network.sent.filter(
    ({ from, to, transport }) =>
      transport === "udp" && from.address === OUTSIDE && to.address === HOME_PUBLIC,
  );
  expect(towards.map(({ to }) => to.port)).toEqual([near.rtp.local.port]);
  near.says("punch");
  await near.hasHeard();
  await far.hasHeard();
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  expect(readSdp(answer.body).crypto.length).toBe(1);
  near.uses(answer.body);
  await expectAudio(ends);
  const pbxSide = calledDialog(invite.message, "pbx");
  await phoneHangsUp({ ...ends, invite, answer, phoneSide: dialog, pbxSide });
});

test("an instance that never sends first is heard by sending to it at once", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer } = await phone.isAnswered();
  near.uses(answer.body);
  near.says("first");
  expect(await far.hasHeard()).toEqual(["first"]);
  far.says("echo");
  expect(await near.hasHeard()).toEqual(["echo"]);
  expect(place.status.media.sessions).toBe(1);
});

test("a phone that only listens hears the instance without ever sending", async () => {
  const { place, phone, pbx, near, far } = await makeEnds({ nat: null });
  phone.sendsInvite("600", near.sdp({ direction: "recvonly" }));
  const invite = await pbx.receivesOn("INVITE");
  expect(readSdp(invite.message.body).direction).toBe("recvonly");
  pbx.replies(invite, 200, "pbx", far.sdp({ direction: "sendonly" }));
  far.uses(invite.message.body);
  near.uses((await phone.isAnswered()).answer.body);
  far.says("announcement", "and more");
  expect(await near.hasHeard()).toEqual(["announcement", "and more"]);
  expect(place.status.media.sessions).toBe(1);
});

test("media before the first answer goes nowhere, from either side", async () => {
  const { phone, pbx, near, far, place } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  far.says("too early");
  await place.network.settle();
  expect(await near.hasHeard()).toEqual([]);
  expect(near.refused).toBe(0);
});
