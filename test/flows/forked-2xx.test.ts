import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { callerDialog } from "../peers/user-agent.ts";
import { expectAudio, makeEnds } from "./talk.ts";

test("every 2xx of a fork behind the telephone system reaches the phone, each with its media", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  const other = await place.pbxMedia(pbx);
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  other.uses(invite.message.body);
  pbx.replies(invite, 200, "first", far.sdp());
  pbx.replies(invite, 200, "second", other.sdp());
  const first = await phone.receives("200 INVITE");
  const second = await phone.receives("200 INVITE");
  expect([first, second].map((one) => one.header("To").split("tag=")[1])).toEqual([
    "first",
    "second",
  ]);
  const dialogs = [callerDialog(first), callerDialog(second)];
  for (const dialog of dialogs) phone.inDialog(dialog, "ACK");
  const acks = [await pbx.receives("ACK"), await pbx.receives("ACK")];
  expect(acks.map((one) => one.header("To").split("tag=")[1])).toEqual(["first", "second"]);
  expect(readSdp(second.body).port).toBe(readSdp(first.body).port);

  // The phone keeps the first and ends the second, as RFC 3261 §13.2.2.4 says.
  phone.inDialog(dialogs[1]!, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  near.uses(first.body);
  await expectAudio({ near, far });
  phone.inDialog(dialogs[0]!, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test("a repeated 2xx is passed on again until the phone's ACK gets through", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 200, "pbx", far.sdp());
  const answer = await phone.receives("200 INVITE");
  pbx.replies(invite, 200, "pbx", far.sdp());
  const again = await phone.receives("200 INVITE");
  expect(again.body).toBe(answer.body);
  const dialog = callerDialog(answer);
  phone.inDialog(dialog, "ACK");
  phone.inDialog(dialog, "ACK");
  await pbx.receives("ACK");
  await pbx.receives("ACK");
});

test("the media of the fork that answers last in early media is not that of the winner", async () => {
  const { phone, pbx, place, near, far } = await makeEnds();
  const other = await place.pbxMedia(pbx);
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  other.uses(invite.message.body);
  pbx.replies(invite, 183, "first", far.sdp());
  pbx.replies(invite, 183, "second", other.sdp());
  await phone.receives("183 INVITE");
  await phone.receives("183 INVITE");
  pbx.replies(invite, 200, "first", far.sdp());
  const { answer } = await phone.isAnswered();
  near.uses(answer.body);
  await expectAudio({ near, far });
  expect(await other.hasHeard()).toEqual([]);
});
