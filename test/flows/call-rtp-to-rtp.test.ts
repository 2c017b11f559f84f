import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { HOME, INSIDE, OUTSIDE } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, pbxHangsUp, phoneCalls, phoneHangsUp } from "./talk.ts";

const RTP = { proxy: { voipMedia: "rtp" }, media: "rtp" } as const;

test("a phone calls with plain RTP on both sides", async () => {
  const talk = await phoneCalls(await makeEnds(RTP));
  expect(readSdp(talk.invite.message.body)).toMatchObject({ address: INSIDE, proto: "RTP/AVP" });
  expect(readSdp(talk.answer.body)).toMatchObject({
    address: OUTSIDE,
    proto: "RTP/AVP",
    crypto: [],
  });
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("the telephone system calls with plain RTP on both sides", async () => {
  const talk = await pbxCalls(await makeEnds(RTP));
  expect(readSdp(talk.invite.message.body)).toMatchObject({ address: OUTSIDE, proto: "RTP/AVP" });
  await expectAudio(talk);
  await pbxHangsUp(talk);
});

test("RTCP is relayed and headers of RTP are untouched", async () => {
  const talk = await phoneCalls(await makeEnds(RTP));
  const { near, far, place } = talk;
  near.says("marked");
  await place.network.settle();
  expect(far.heard.splice(0)[0]).toMatchObject({
    payload: "marked",
    payloadType: 8,
    sequence: 100,
    timestamp: 8000,
    ssrc: near.ssrc,
  });
  near.sendsRtcp(5);
  await place.network.settle();
  expect(far.heardRtcp.length).toBe(1);
  await phoneHangsUp(talk);
});

test("packets of a stranger are not relayed, neither before nor after the phone was heard", async () => {
  const talk = await phoneCalls(await makeEnds(RTP));
  const { place, near, far } = talk;
  const stranger = place.network.world({ addresses: ["192.0.2.66"] });
  const socket = await stranger.openDatagrams({
    local: { address: "192.0.2.66", port: 4000 },
    receive: () => {
      throw new Error("the stranger heard something");
    },
  });
  const { target } = near;
  if (target === null) throw new Error("no target");
  const attack = near.packet("attack");
  socket.send(attack, target.address, target.port);
  expect(await far.hasHeard()).toEqual([]);
  await expectAudio(talk);
  socket.send(attack, target.address, target.port);
  far.says("to the phone only");
  expect(await far.hasHeard()).toEqual([]);
  expect(await near.hasHeard()).toEqual(["to the phone only"]);
  await phoneHangsUp(talk);
});

test("a phone that offers SRTP only is refused with 488 where RTP is spoken", async () => {
  const { place, phone, near } = await makeEnds({ ...RTP, media: "srtp" });
  const invite = phone.sendsInvite("600", near.sdp());
  phone.acknowledges(invite, await phone.receives("488 INVITE"));
  await place.expectNothingLeft();
});

test("the private address of a phone is not sent to before the phone was heard there", async () => {
  const talk = await phoneCalls(await makeEnds(RTP));
  const { place, far } = talk;
  far.says("who hears this?");
  await place.network.settle();
  const outside = place.network.sent.filter(
    ({ from, to }) => from.address === OUTSIDE && to.address === HOME,
  );
  expect(outside).toEqual([]);
  await phoneHangsUp(talk);
});
