/**
 * RTCP at the port of RTP (RFC 5761) on either side, on both, or on none: each end gets it where it asked for
 * it, and no end has to do what only the other one can. Also a=rtcp (RFC 3605): RTCP somewhere else.
 */
import { describe, expect, test } from "bun:test";
import {
  type Ends,
  expectAudio,
  makeEnds,
  pbxCalls,
  phoneCalls,
  phoneHangsUp,
  type Talk,
} from "./talk.ts";

async function ends(o: { near: boolean; far: boolean; media: "srtp" | "rtp" }): Promise<Ends> {
  const all = await makeEnds({ media: o.media, proxy: { voipMedia: o.media } });
  const near = await all.place.phoneMedia(all.phone, {
    mux: o.near,
    ...(o.media === "rtp" ? { isPlain: true } : {}),
  });
  const far = await all.place.pbxMedia(all.pbx, { mux: o.far });
  return { ...all, near, far };
}

async function expectReports({ near, far, place }: Talk): Promise<void> {
  near.sendsRtcp(7);
  far.sendsRtcp(8);
  await place.network.settle();
  expect(far.heardRtcp.splice(0).map((packet) => packet.at(-1))).toEqual([7]);
  expect(near.heardRtcp.splice(0).map((packet) => packet.at(-1))).toEqual([8]);
  expect([near.refused, far.refused]).toEqual([0, 0]);
}

for (const media of ["srtp", "rtp"] as const) {
  describe(`${media} outside`, () => {
    test.each([
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])("phone wants it: %p, instance: %p; the phone calls", async (near, far) => {
      const talk = await phoneCalls(await ends({ near, far, media }));
      expect(talk.invite.message.body.includes("a=rtcp-mux")).toBe(near);
      expect(talk.answer.body.includes("a=rtcp-mux")).toBe(near);
      expect([talk.near.isMux, talk.far.isMux]).toEqual([near, near && far]);
      await expectAudio(talk);
      await expectReports(talk);
      await expectAudio(talk);
      await phoneHangsUp(talk);
    });

    test.each([
      [true, false],
      [false, true],
      [true, true],
    ])("phone wants it: %p, instance: %p; the instance calls", async (near, far) => {
      const talk = await pbxCalls(await ends({ near, far, media }));
      expect([talk.near.isMux, talk.far.isMux]).toEqual([near && far, far]);
      await expectAudio(talk);
      await expectReports(talk);
      await phoneHangsUp(talk);
    });
  });
}

test("a listener who sends nothing but RTCP at the shared port is heard and gets his audio there", async () => {
  const talk = await phoneCalls(await ends({ near: true, far: false, media: "rtp" }));
  talk.near.sendsRtcp(1);
  await talk.place.network.settle();
  talk.far.says("music");
  expect(await talk.near.hasHeard()).toEqual(["music"]);
});

test("RTCP of another address and port than RTP's goes there (RFC 3605), inside", async () => {
  const all = await makeEnds({ instance: { mediaNetworks: ["10.0.9.0/24"] } });
  const reports = await all.place.pbx({ address: "10.0.9.9", name: "reports" });
  const elsewhere = await all.place.pbxMedia(reports);
  const { far } = all;
  const original = far.sdp.bind(far);
  const port = elsewhere.rtcp.local.port;
  far.sdp = (parts = {}) => original({ ...parts, lines: [`a=rtcp:${port} IN IP4 10.0.9.9`] });
  const talk = await phoneCalls(all);
  expect(talk.answer.body).not.toContain("a=rtcp:");
  talk.near.sendsRtcp(7);
  await talk.place.network.settle();
  expect(elsewhere.heardRtcp.map((packet) => packet.at(-1))).toEqual([7]);
  expect(far.heardRtcp).toEqual([]);
  await expectAudio(talk);
});

test("RTCP of another port than the next one goes there, outside; another address gets none early", async () => {
  const all = await makeEnds({ nat: null });
  const { near, place, phone } = all;
  const other = await place.phoneMedia(phone);
  const port = other.rtcp.local.port;
  const original = near.sdp.bind(near);
  near.sdp = (parts = {}) => original({ ...parts, lines: [`a=rtcp:${port} IN IP4 192.0.2.66`] });
  const talk = await phoneCalls(all);
  expect(talk.invite.message.body).not.toContain("a=rtcp:");
  other.uses(talk.answer.body);
  talk.near.says("from the phone");
  talk.far.sendsRtcp(8);
  await place.network.settle();
  expect([other.heardRtcp.length, other.refused, near.heardRtcp.length]).toEqual([1, 0, 0]);
  expect(place.network.sent.some(({ to }) => to.address === "192.0.2.66")).toBe(false);
});
