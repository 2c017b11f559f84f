import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { INSIDE, OUTSIDE } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, pbxHangsUp, phoneCalls, phoneHangsUp } from "./talk.ts";

const SRTP = { instance: { media: "srtp" }, inner: "srtp" } as const;
const PASSTHROUGH = { instance: { media: "srtp-passthrough" }, inner: "srtp" } as const;

const keyOf = (crypto: string): string => /inline:([^|\s]+)/.exec(crypto)?.[1] ?? "";

test("a phone calls: SRTP on both sides, our own keys on each", async () => {
  const talk = await phoneCalls(await makeEnds(SRTP));
  const { near, far, invite, answer } = talk;
  const inside = readSdp(invite.message.body);
  expect(inside).toMatchObject({ address: INSIDE, proto: "RTP/SAVP" });
  const keys = [near.crypto, far.crypto, ...inside.crypto, ...readSdp(answer.body).crypto].map(
    keyOf,
  );
  expect(new Set(keys).size).toBe(keys.length);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("the telephone system calls: SRTP on both sides", async () => {
  const talk = await pbxCalls(await makeEnds(SRTP));
  await expectAudio(talk);
  await pbxHangsUp(talk);
});

test("with passthrough the keys go end to end and the packets are not opened", async () => {
  const talk = await phoneCalls(await makeEnds(PASSTHROUGH));
  const { near, far, invite, answer } = talk;
  expect(readSdp(invite.message.body).crypto.map(keyOf)).toEqual([keyOf(near.crypto)]);
  expect(readSdp(answer.body)).toMatchObject({ address: OUTSIDE, crypto: [far.crypto] });
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("with passthrough reports, lifetimes, MKI and session parameters cross, too", async () => {
  const { place, phone, pbx, near, far } = await makeEnds(PASSTHROUGH);
  const withParams = `${near.crypto}|2^20|1:4 KDR=1 UNENCRYPTED_SRTCP`;
  phone.sendsInvite("600", near.sdp({ crypto: [withParams] }));
  const invite = await pbx.receivesOn("INVITE");
  expect(readSdp(invite.message.body).crypto).toEqual([withParams]);
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  near.uses((await phone.isAnswered()).answer.body);
  near.sendsRtcp(7);
  far.sendsRtcp(8);
  await place.network.settle();
  expect(far.heardRtcp.map((packet) => packet.at(-1))).toEqual([7]);
  expect(near.heardRtcp.map((packet) => packet.at(-1))).toEqual([8]);
  await expectAudio({ near, far });
});

test("elsewhere what we do not do is refused in words: nothing goes unencrypted", async () => {
  const { phone, pbx, near } = await makeEnds();
  phone.sendsInvite("600", near.sdp({ crypto: [`${near.crypto} UNENCRYPTED_SRTCP`] }));
  const refusal = await phone.receives("488 INVITE");
  expect(refusal.header("Warning")).toBe(
    '399 pequod "No a=crypto line has a suite and parameters that are carried here"',
  );
  await pbx.receivesNothingMore();
});

test("passthrough to a phone that the telephone system calls", async () => {
  const talk = await pbxCalls(await makeEnds(PASSTHROUGH));
  await expectAudio(talk);
  await pbxHangsUp(talk);
});
