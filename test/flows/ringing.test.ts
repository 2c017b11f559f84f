import { expect, test } from "bun:test";
import { calledDialog } from "../peers/user-agent.ts";
import { makeEnds, phoneHangsUp } from "./talk.ts";

test("a queue may ring for four minutes as long as it says so now and then", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  for (let minute = 0; minute < 4; minute += 1) {
    await place.network.elapse(60_000);
    pbx.replies(invite, 182, "pbx");
    await phone.receives("182 INVITE");
  }
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  const pbxSide = calledDialog(invite.message, "pbx");
  await phoneHangsUp({ ...ends, invite, answer, phoneSide: dialog, pbxSide });
});

test("music before the answer keeps a silent queue alive past timer C", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 183, "pbx", far.sdp());
  near.uses((await phone.receives("183 INVITE")).body);
  near.says("punch"); // lets the music in through the router
  await place.network.settle();
  for (let second = 0; second < 240; second += 2) {
    await place.network.elapse(2000);
    far.says(`music ${second}`);
  }
  expect((await near.hasHeard()).length).toBe(120);
  await phone.receivesNothingMore();
  pbx.replies(invite, 200, "pbx", far.sdp());
  await phone.isAnswered();
});

test("ringing without a word for three minutes is cancelled and answered 408, ports back", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  await place.network.elapse(179_000);
  await pbx.receivesNothingMore();
  await place.network.elapse(2000);
  pbx.answers(await pbx.receivesOn("CANCEL"), 200);
  pbx.answers(invite, 487, { tag: "pbx" });
  await pbx.receives("ACK");
  const answer = await phone.receives(/^SIP\/2\.0 4.*CSeq: 1 INVITE/s);
  expect([408, 487]).toContain(answer.status);
  phone.acknowledges(sent, answer);
  await place.expectNothingLeft();
});

test("nothing rings longer than fifteen minutes", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  for (let minute = 0; minute < 15; minute += 1) {
    pbx.replies(invite, 180, "pbx");
    await place.network.elapse(60_000);
  }
  await place.network.elapse(1000);
  await pbx.receives("CANCEL");
});
