import { expect, test } from "bun:test";
import { callerDialog } from "../peers/user-agent.ts";
import { makeEnds } from "./talk.ts";

test("a 2xx that comes long after the CANCEL is passed on, so that the call can be ended", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  phone.cancels(sent);
  await phone.receives("200 CANCEL");
  pbx.answers(await pbx.receivesOn("CANCEL"), 200);
  await place.network.elapse(20_000);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  phone.inDialog(dialog, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test("a telephone system that ignores the CANCEL ends at 487, ports back", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  pbx.replies(await pbx.receivesOn("INVITE"), 180, "pbx");
  await phone.receives("180 INVITE");
  phone.cancels(sent);
  await phone.receives("200 CANCEL");
  pbx.answers(await pbx.receivesOn("CANCEL"), 200);
  await place.network.elapse(40_000);
  phone.acknowledges(sent, await phone.receives("487 INVITE"));
  await place.expectNothingLeft();
});

test("a second 2xx of another fork passes for as long as the first one's transaction stands", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 200, "one", far.sdp());
  const { dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  await place.network.elapse(25_000);
  pbx.replies(invite, 200, "two", far.sdp());
  const late = await phone.receives("200 INVITE");
  expect(late.header("To")).toEndWith(";tag=two");
  const other = callerDialog(late);
  phone.inDialog(other, "ACK");
  await pbx.receives("ACK");
  for (const each of [other, dialog]) {
    phone.inDialog(each, "BYE");
    await pbx.isHungUpOn();
    await phone.receives("200 BYE");
  }
  await place.expectNothingLeft();
});

test("100 comes at once, before the telephone system has said anything", async () => {
  const { phone, pbx, near } = await makeEnds();
  phone.ignored = () => false;
  phone.sendsInvite("600", near.sdp());
  expect((await phone.receives("100 INVITE")).has("Contact")).toBe(false);
  await pbx.receives("INVITE");
});

test("18x of four minutes, early media and all, and then the answer: nothing ran out", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  for (let minute = 0; minute < 4; minute += 1) {
    pbx.replies(invite, 182, "pbx");
    await phone.receives("182 INVITE");
    await place.network.elapse(60_000);
  }
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  await phone.receivesNothingMore();
  phone.inDialog(dialog, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
});
