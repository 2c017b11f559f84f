/** Several m= lines: audio and video, each with ports, keys and packets of its own; lines that are declined. */
import { expect, test } from "bun:test";
import type { MediaPort } from "../peers/media-port.ts";
import { readSdp } from "../peers/sdp-text.ts";
import { type Ends, expectAudio, makeEnds, phoneHangsUp, type Talk } from "./talk.ts";

type VideoTalk = Talk & { readonly nearVideo: MediaPort; readonly farVideo: MediaPort };

const feedback = ["a=rtpmap:96 H264/90000", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:* ccm fir"];

function videoLine({ rtp, suite, crypto }: MediaPort, port = rtp.local.port): string {
  const keys = suite === null ? [] : [`a=crypto:${crypto}`];
  const proto = suite === null ? "RTP/AVPF" : "RTP/SAVPF";
  return ["", `m=video ${port} ${proto} 96`, ...feedback, ...keys].join("\n");
}

/** The session level and the video line alone. */
function videoOf(body: string): string {
  return body.slice(0, body.indexOf("m=")) + body.slice(body.indexOf("m=video"));
}

const portsOf = (body: string): number[] =>
  [...body.matchAll(/^m=\w+ (\d+)/gm)].map(([, port]) => Number(port));

async function withVideo(ends: Ends) {
  const { place, phone, pbx } = ends;
  const isPlain = ends.near.suite === null;
  const nearVideo = await place.phoneMedia(phone, { isPlain });
  return { ...ends, nearVideo, farVideo: await place.pbxMedia(pbx) };
}

async function calls(ends: Ends): Promise<VideoTalk> {
  const all = await withVideo(ends);
  const { phone, pbx, near, far, nearVideo, farVideo } = all;
  phone.sendsInvite("600", near.sdp() + videoLine(nearVideo));
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  farVideo.uses(videoOf(invite.message.body));
  pbx.replies(invite, 200, "pbx", far.sdp() + videoLine(farVideo));
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  nearVideo.uses(videoOf(answer.body));
  await pbx.receives("ACK");
  const pbxSide = { ...dialog };
  return { ...all, phoneSide: dialog, pbxSide, invite, answer };
}

async function expectVideo({ nearVideo, farVideo }: VideoTalk): Promise<void> {
  await expectAudio({ near: nearVideo, far: farVideo });
}

test.each(["srtp", "rtp"] as const)(
  "audio and video with %s outside: four pairs, nothing mixes",
  async (media) => {
    const talk = await calls(await makeEnds({ media, proxy: { voipMedia: media } }));
    const { invite, answer, place, nearVideo, farVideo } = talk;
    const ports = [...portsOf(invite.message.body), ...portsOf(answer.body)];
    expect(new Set(ports).size).toBe(4);
    expect(readSdp(videoOf(answer.body)).proto).toBe(media === "srtp" ? "RTP/SAVPF" : "RTP/AVPF");
    expect(readSdp(videoOf(invite.message.body)).proto).toBe("RTP/AVPF");
    for (const { body } of [invite.message, answer]) {
      expect(body.match(/a=rtcp-fb:.*/g)).toEqual(["a=rtcp-fb:96 nack pli", "a=rtcp-fb:* ccm fir"]);
    }
    expect(place.status.media).toMatchObject({ sessions: 1, streams: 2, portsInUse: 2 });
    await expectAudio(talk);
    await expectVideo(talk);
    nearVideo.sendsRtcp(7);
    farVideo.sendsRtcp(8);
    await place.network.settle();
    expect(farVideo.heardRtcp.map((packet) => packet.at(-1))).toEqual([7]);
    expect(nearVideo.heardRtcp.map((packet) => packet.at(-1))).toEqual([8]);
    await phoneHangsUp(talk);
  },
);

test("keys are not shared between lines", async () => {
  const talk = await calls(await makeEnds());
  const [audio = "", video = ""] = talk.answer.body.match(/inline:\S+/g) ?? [];
  expect(audio).not.toBe("");
  expect(video).not.toBe(audio);
});

test("an instance that wants no video: its line stays declined, audio flows, one pair is used", async () => {
  const all = await withVideo(await makeEnds());
  const { phone, pbx, near, far, nearVideo, place } = all;
  phone.sendsInvite("600", near.sdp() + videoLine(nearVideo));
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", `${far.sdp()}\nm=video 0 RTP/AVPF 96`);
  const { answer } = await phone.isAnswered();
  near.uses(answer.body);
  expect(portsOf(answer.body)[1]).toBe(0);
  expect(readSdp(videoOf(answer.body)).proto).toBe("RTP/SAVPF");
  await expectAudio({ near, far });
  expect(place.status.media).toMatchObject({ streams: 1, portsInUse: 1 });
});

test("an answer with fewer lines than the offer gets the missing ones, declined", async () => {
  const all = await withVideo(await makeEnds());
  const { phone, pbx, near, far, nearVideo } = all;
  phone.sendsInvite("600", near.sdp() + videoLine(nearVideo));
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer } = await phone.isAnswered();
  expect(portsOf(answer.body)).toHaveLength(2);
  expect(portsOf(answer.body)[1]).toBe(0);
  near.uses(answer.body);
  await expectAudio({ near, far });
});

test("video comes and goes by re-INVITE, audio does not notice and keeps its ports", async () => {
  const ends = await makeEnds();
  const talk = await calls(ends);
  const { phone, pbx, near, far, nearVideo, farVideo, phoneSide, place } = talk;
  const headers = [["Contact", `<${phone.contact}>`]] as const;
  const change = async (
    offer: string,
    answer: string,
  ): Promise<{ there: string; back: string }> => {
    phone.inDialog(phoneSide, "INVITE", { headers, body: near.sdp() + offer });
    const invite = await pbx.receivesOn("INVITE");
    pbx.replies(invite, 200, "pbx", far.sdp() + answer);
    const { body } = await phone.receives("200 INVITE");
    phone.inDialog(phoneSide, "ACK");
    await pbx.receives("ACK");
    return { there: invite.message.body, back: body };
  };
  await expectVideo(talk);
  const before = portsOf(talk.answer.body)[0]!;
  const without = await change(videoLine(nearVideo, 0), videoLine(farVideo, 0));
  expect(portsOf(without.back)).toEqual([before, 0]);
  expect(place.status.media).toMatchObject({ streams: 1, portsInUse: 1 });
  await expectAudio(talk);
  const again = await change(videoLine(nearVideo), videoLine(farVideo));
  expect(portsOf(again.back)[0]).toBe(before);
  nearVideo.uses(videoOf(again.back));
  farVideo.uses(videoOf(again.there));
  await expectVideo(talk);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});
