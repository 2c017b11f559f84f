import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import type { Dialog, UserAgent } from "../peers/user-agent.ts";
import { expectAudio, makeEnds, pbxHangsUp, phoneCalls, phoneHangsUp, type Talk } from "./talk.ts";

/** A re-INVITE of one side, answered by the other; the two bodies as they arrived. */
async function reInvite(
  talk: Talk,
  by: "phone" | "pbx",
  offer: string,
  answer: string,
): Promise<{ offered: string; answered: string }> {
  const [asking, own, asked, tag]: [UserAgent, Dialog, UserAgent, string] =
    by === "phone"
      ? [talk.phone, talk.phoneSide, talk.pbx, "pbx"]
      : [talk.pbx, talk.pbxSide, talk.phone, "x"];
  asking.inDialog(own, "INVITE", { headers: [["Contact", `<${asking.contact}>`]], body: offer });
  const invite = await asked.receivesOn("INVITE");
  asked.replies(invite, 200, tag, answer);
  const response = await asking.receives("200 INVITE");
  asking.inDialog(own, "ACK");
  await asked.receives("ACK");
  return { offered: invite.message.body, answered: response.body };
}

test("the phone holds and resumes: directions pass, ports and keys stay, audio goes on", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { near, far } = talk;
  await expectAudio(talk);
  const before = readSdp(talk.answer.body);
  const held = await reInvite(
    talk,
    "phone",
    near.sdp({ direction: "sendonly", version: 2 }),
    far.sdp({ direction: "recvonly", version: 2 }),
  );
  expect(readSdp(held.offered).direction).toBe("sendonly");
  expect(readSdp(held.answered)).toEqual({ ...before, direction: "recvonly" });
  near.says("music on hold");
  expect(await far.hasHeard()).toEqual(["music on hold"]);
  const resumed = await reInvite(talk, "phone", near.sdp({ version: 3 }), far.sdp({ version: 3 }));
  expect(readSdp(resumed.answered)).toEqual(before);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("the telephone system holds with inactive and resumes", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { near, far } = talk;
  await expectAudio(talk);
  const held = await reInvite(
    talk,
    "pbx",
    far.sdp({ direction: "inactive", version: 2 }),
    near.sdp({ direction: "inactive", version: 2 }),
  );
  expect(readSdp(held.offered)).toMatchObject({ direction: "inactive", proto: "RTP/SAVP" });
  await reInvite(talk, "pbx", far.sdp({ version: 3 }), near.sdp({ version: 3 }));
  await expectAudio(talk);
  await pbxHangsUp(talk);
});

test("the old hold with c=0.0.0.0 is passed on and nothing is sent until resumed", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { near, far } = talk;
  await expectAudio(talk);
  const zero = near.sdp({ version: 2 }).replace(/^c=IN IP4 .*$/m, "c=IN IP4 0.0.0.0");
  const held = await reInvite(talk, "phone", zero, far.sdp({ direction: "recvonly", version: 2 }));
  expect(readSdp(held.offered).address).toBe("0.0.0.0");
  far.says("not now");
  expect(await near.hasHeard()).toEqual([]);
  await reInvite(talk, "phone", near.sdp({ version: 3 }), far.sdp({ version: 3 }));
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("six minutes of silence on hold cost nothing and the call goes on", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, near, far } = talk;
  await expectAudio(talk);
  await reInvite(
    talk,
    "phone",
    near.sdp({ direction: "inactive", version: 2 }),
    far.sdp({ direction: "inactive", version: 2 }),
  );
  await place.network.elapse(6 * 60_000);
  expect(place.status.media).toMatchObject({ sessions: 1, streams: 1 });
  expect(place.status.warnings).toEqual([]);
  await reInvite(talk, "phone", near.sdp({ version: 3 }), far.sdp({ version: 3 }));
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("one-sided music on hold for six minutes keeps the call too", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, near, far } = talk;
  await reInvite(
    talk,
    "pbx",
    far.sdp({ direction: "sendonly", version: 2 }),
    near.sdp({ direction: "recvonly", version: 2 }),
  );
  near.says("punch through"); // one packet, so that a NAT would let the music in
  await place.network.settle();
  for (let minute = 0; minute < 6; minute += 1) {
    await place.network.elapse(60_000);
    far.says(`minute ${minute}`);
    expect(await near.hasHeard()).toEqual([`minute ${minute}`]);
  }
  await pbxHangsUp(talk);
});

test("without hold, silence both ways warns after a minute and takes the ports after five", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, phoneSide } = talk;
  await expectAudio(talk);
  await place.network.elapse(75_000);
  expect(place.status.warnings.map(({ code }) => code)).toEqual(["media-silent"]);
  await place.network.elapse(300_000);
  expect(place.status.media).toMatchObject({ streams: 0, portsInUse: 0 });
  // SIP is never ended by us: the BYE still passes.
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});
