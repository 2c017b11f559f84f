/** Calls under each suite that can be configured: offered, taken, keys of the right length, audio. */
import { describe, expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import type { Suite } from "../peers/slow-srtp.ts";
import type { Document } from "./place.ts";
import {
  expectAudio,
  makeEnds,
  pbxCalls,
  pbxHangsUp,
  phoneCalls,
  phoneHangsUp,
  phoneReInvites,
} from "./talk.ts";

/** Suite and length of its key in base64. */
const SUITES: readonly (readonly [Suite, number])[] = [
  ["AES_CM_128_HMAC_SHA1_32", 40],
  ["AES_256_CM_HMAC_SHA1_80", 64],
  ["AES_256_CM_HMAC_SHA1_32", 64],
  ["AEAD_AES_128_GCM", 40],
  ["AEAD_AES_256_GCM", 60],
];
const USUAL = "AES_CM_128_HMAC_SHA1_80";
const allows = (...srtpSuites: Suite[]): Document => ({ srtpSuites });
const suitesOf = (body: string): (string | undefined)[] =>
  readSdp(body).crypto.map((line) => line.split(" ")[1]);

describe.each(SUITES)("%s", (suite, keyLength) => {
  test("a phone's offer is answered in kind, audio and RTCP go both ways", async () => {
    const talk = await phoneCalls(await makeEnds({ suite, proxy: allows(suite, USUAL) }));
    expect(suitesOf(talk.answer.body)).toEqual([suite]);
    expect(/inline:(\S+)/.exec(talk.answer.body)?.[1]?.length).toBe(keyLength);
    await expectAudio(talk);
    talk.near.sendsRtcp(7);
    talk.far.sendsRtcp(8);
    await talk.place.network.settle();
    expect(talk.far.heardRtcp.map((packet) => packet.at(-1))).toEqual([7]);
    expect(talk.near.heardRtcp.map((packet) => packet.at(-1))).toEqual([8]);
    await phoneHangsUp(talk);
  });

  test("it is offered in the order of the configuration, on both sides", async () => {
    const ends = await makeEnds({
      suite,
      inner: "srtp",
      instance: { media: "srtp" },
      proxy: allows(suite, USUAL),
    });
    const talk = await pbxCalls(ends);
    expect(suitesOf(talk.invite.message.body)).toEqual([suite, USUAL]);
    expect(suitesOf(talk.answer.body)).toEqual([suite]);
    await expectAudio(talk);
    await pbxHangsUp(talk);
  });

  test("a call goes on under a new key of the phone", async () => {
    const talk = await phoneCalls(await makeEnds({ suite, proxy: allows(suite) }));
    await expectAudio(talk);
    talk.near.changesKey();
    talk.near.uses(await phoneReInvites(talk, talk.near.sdp({ version: 2 })));
    await expectAudio(talk);
  });
});

test("a suite that is not configured is not taken, the next of the offer is", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  const strong = `2 AEAD_AES_128_GCM inline:${Buffer.alloc(28, 7).toString("base64")}`;
  phone.sendsInvite("600", near.sdp({ crypto: [strong, near.crypto] }));
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer } = await phone.isAnswered();
  expect(suitesOf(answer.body)).toEqual([USUAL]);
});
