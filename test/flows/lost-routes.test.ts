import { expect, test } from "bun:test";
import type { Dialog } from "../peers/user-agent.ts";
import { HOME, OUTSIDE, PBX } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls, type Talk } from "./talk.ts";

/** Asterisk's rewrite_contact and many phones: the remote target is where the last hop seems to be. */
const rewritten = (dialog: Dialog, target: string): Dialog => ({ ...dialog, routes: [], target });

/** Nothing ever went to the private address that the phone's Contact names. */
function expectNothingToContact({ place }: Talk): void {
  const strays = place.network.sent.filter(
    ({ to, from }) => to.address === HOME && from.address === PBX,
  );
  expect(strays).toEqual([]);
  expect(place.status.drops["ack-dropped"]).toBeUndefined();
}

test("the phone's ACK and BYE find the instance by its domain when the Routes are lost", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far, place } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const answer = await phone.receives("200 INVITE");
  near.uses(answer.body);
  const dialog: Dialog = {
    callId: answer.header("Call-ID"),
    local: answer.header("From"),
    remote: answer.header("To"),
    target: "sip:600@mycompany",
    routes: [],
    cseq: 1,
  };
  phone.inDialog(dialog, "ACK");
  await pbx.receives("ACK");
  await expectAudio(ends);
  await place.network.elapse(40_000);
  await pbx.receivesNothingMore();
  phone.inDialog(dialog, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test("a BYE of the phone to our own address is found by the table of calls", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, place } = talk;
  phone.inDialog(rewritten(talk.phoneSide, `sip:600@${OUTSIDE}:5061;transport=tls`), "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test("BYE and hold of the telephone system without Routes reach the phone's flow, not its Contact", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { phone, pbx, place } = talk;
  const lost = rewritten(talk.pbxSide, `sip:100@${HOME}:5061;transport=tls`);
  pbx.inDialog(lost, "INFO");
  const info = await phone.receivesOn("INFO");
  expect(info.wire).toBe(phone.wire as typeof info.wire);
  phone.answers(info, 200);
  await pbx.receives("200 INFO");
  pbx.inDialog(lost, "BYE");
  await phone.isHungUpOn();
  await pbx.receives("200 BYE");
  expectNothingToContact(talk);
  await place.expectNothingLeft();
});

test("the ACK of the telephone system without Routes reaches the phone, which stops repeating", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  phone.replies(invite, 200, "phone", near.sdp());
  const answer = await pbx.receives("200 INVITE");
  pbx.inDialog(
    {
      callId: answer.header("Call-ID"),
      local: answer.header("From"),
      remote: answer.header("To"),
      target: `sip:100@${HOME}:5061`,
      routes: [],
      cseq: 1,
    },
    "ACK",
  );
  await phone.receives("ACK");
  expect(ends.place.status.drops["ack-dropped"]).toBeUndefined();
});

test("a request for a dialog nobody knows, without Routes, goes to no Contact", async () => {
  const { place, phone, pbx } = await makeEnds();
  const lost: Dialog = {
    callId: "nobody",
    local: "<sip:200@mycompany>;tag=a",
    remote: "<sip:100@mycompany>;tag=b",
    target: "sip:100@192.0.2.77",
    routes: [],
    cseq: 1,
  };
  pbx.inDialog(lost, "BYE");
  await pbx.receives("404 BYE");
  await phone.receivesNothingMore();
  expect(place.network.sent.filter(({ to }) => to.address === "192.0.2.77")).toEqual([]);
});
