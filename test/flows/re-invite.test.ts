import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import {
  expectAudio,
  makeEnds,
  pbxCalls,
  phoneCalls,
  phoneHangsUp,
  phoneReInvites,
} from "./talk.ts";

test("a re-INVITE within the dialog carries no new Record-Route and no token to the other side", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, near, phoneSide } = talk;
  phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: near.sdp(),
  });
  const { message } = await pbx.receivesOn("INVITE");
  expect(message.has("Route")).toBe(false);
  expect(message.uri).toBe(pbx.contact);
});

test("the phone moves to another port with another key: same ports of ours, audio goes on", async () => {
  const talk = await phoneCalls(await makeEnds());
  await expectAudio(talk);
  const moved = await talk.place.phoneMedia(talk.phone);
  const answer = await phoneReInvites(talk, moved.sdp({ version: 2 }));
  expect(readSdp(answer).port).toBe(readSdp(talk.answer.body).port);
  moved.uses(answer);
  await expectAudio({ near: moved, far: talk.far });
  await phoneHangsUp(talk);
});

test("the telephone system moves its media to another port", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { phone, pbx, near, place, pbxSide } = talk;
  await expectAudio(talk);
  const moved = await place.pbxMedia(pbx);
  pbx.inDialog(pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`]],
    body: moved.sdp({ version: 2 }),
  });
  const invite = await phone.receivesOn("INVITE");
  near.uses(invite.message.body);
  phone.replies(invite, 200, "phone", near.sdp());
  moved.uses((await pbx.receives("200 INVITE")).body);
  pbx.inDialog(pbxSide, "ACK");
  await phone.receives("ACK");
  await expectAudio({ near, far: moved });
  await phoneHangsUp(talk);
});

test("the phone changes only its key", async () => {
  const talk = await phoneCalls(await makeEnds());
  await expectAudio(talk);
  talk.near.changesKey();
  talk.near.uses(await phoneReInvites(talk, talk.near.sdp({ version: 2 })));
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("packets under the old key that were on their way still pass, for three seconds", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { near, far, place } = talk;
  await expectAudio(talk);
  const late = [near.packet("on its way"), near.packet("too late")];
  near.changesKey();
  near.uses(await phoneReInvites(talk, near.sdp({ version: 2 })));
  near.sendsPacket(late[0]!);
  near.says("under the new key");
  expect(await far.hasHeard()).toEqual(["on its way", "under the new key"]);
  await place.network.elapse(3100);
  near.sendsPacket(late[1]!);
  near.says("goes on");
  expect(await far.hasHeard()).toEqual(["goes on"]);
  expect(place.status.drops["auth"]).toBe(1);
});

test("address, port, key and suite change at once, and not a packet is lost on the way", async () => {
  const proxy = { srtpSuites: ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"] };
  const talk = await phoneCalls(await makeEnds({ proxy, nat: null }));
  const { near, far, place, phone } = talk;
  await expectAudio(talk);
  const moved = await place.phoneMedia(phone, { suite: "AEAD_AES_256_GCM" });
  near.says("the last from before");
  const answer = await phoneReInvites(talk, moved.sdp({ version: 2 }));
  expect(readSdp(answer).crypto[0]).toContain("AEAD_AES_256_GCM");
  expect(readSdp(answer).port).toBe(readSdp(talk.answer.body).port);
  const onItsWay = near.packet("still on its way");
  moved.uses(answer);
  // The phone hears us at its new place before it has sent from there.
  far.says("the first at the new place");
  expect(await moved.hasHeard()).toEqual(["the first at the new place"]);
  moved.says("the first from the new place");
  expect(await far.hasHeard()).toEqual(["the last from before", "the first from the new place"]);
  near.sendsPacket(onItsWay);
  expect(await far.hasHeard()).toEqual(["still on its way"]);
  far.says("stays at the new place");
  expect(await moved.hasHeard()).toEqual(["stays at the new place"]);
  await expectAudio({ near: moved, far });
  expect([near.refused, moved.refused, far.refused]).toEqual([0, 0, 0]);
  await phoneHangsUp(talk);
});

test("a re-INVITE that is refused changes nothing", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, phoneSide } = talk;
  await expectAudio(talk);
  const moved = await place.phoneMedia(phone);
  const sent = phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: moved.sdp({ version: 2 }),
  });
  pbx.answers(await pbx.receivesOn("INVITE"), 488);
  await pbx.receives("ACK");
  phone.acknowledges(sent, await phone.receives("488 INVITE"));
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("another SSRC and a jump of sequence numbers do not stop the audio", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { near, far } = talk;
  await expectAudio(talk);
  const { ssrc } = near;
  near.ssrc = 0x2000_0002;
  near.sequence = 40_000;
  far.ssrc = 0x3000_0003;
  far.sequence = 5;
  await expectAudio(talk);
  near.ssrc = ssrc;
  near.sequence = 65_534;
  await expectAudio(talk);
  await expectAudio(talk); // over the turn of the sequence number
  await phoneHangsUp(talk);
});

test("a second m= line comes and goes with a re-INVITE, its ports with it", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, near, far, phoneSide } = talk;
  const video = ["m=video 7000 RTP/SAVP 96", `a=crypto:${near.crypto}`, "a=rtpmap:96 H264/90000"];
  const change = async (offerVideo: string[], answerVideo: string[]): Promise<string> => {
    phone.inDialog(phoneSide, "INVITE", {
      headers: [["Contact", `<${phone.contact}>`]],
      body: `${near.sdp()}\n${offerVideo.join("\n")}`,
    });
    const invite = await pbx.receivesOn("INVITE");
    pbx.replies(invite, 200, "pbx", `${far.sdp()}\n${answerVideo.join("\n")}`);
    const answer = await phone.receives("200 INVITE");
    phone.inDialog(phoneSide, "ACK");
    await pbx.receives("ACK");
    return answer.body;
  };
  const added = await change(video, ["m=video 7002 RTP/AVP 96", "a=rtpmap:96 H264/90000"]);
  expect(added).toMatch(/m=video 3\d{4} RTP\/SAVP 96/);
  expect(place.status.media.streams).toBe(2);
  const removed = await change(["m=video 0 RTP/SAVP 96"], ["m=video 0 RTP/AVP 96"]);
  expect(removed).toContain("m=video 0 RTP/SAVP 96");
  expect(place.status.media.streams).toBe(1);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});
