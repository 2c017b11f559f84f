/**
 * What a call's media may do at odd moments, and a stranger who knows all of it but the key: in each case the
 * honest phone is heard and hears, he neither.
 */
import { describe, expect, test } from "bun:test";
import type { Endpoint } from "../../src/io/types.ts";
import { MediaPort } from "../peers/media-port.ts";
import { readSdp } from "../peers/sdp-text.ts";
import { calledDialog } from "../peers/user-agent.ts";
import { type Place, SUITE } from "./place.ts";
import {
  type Ends,
  type EndsOptions,
  expectAudio,
  makeEnds,
  phoneCalls,
  phoneHangsUp,
  phoneReInvites,
  type Talk,
} from "./talk.ts";

const ELSEWHERE = "192.0.2.66";
const MODES = [
  { name: "SRTP", options: {} },
  {
    name: "RTP",
    options: { proxy: { voipSip: "udp", voipMedia: "rtp" }, media: "rtp", transport: "udp" },
  },
] as const satisfies readonly { name: string; options: object }[];

/** Sends what looks like the phone's next packets, from an address where nobody signalled. */
class Stranger {
  heard = 0;

  private constructor(readonly send: (bytes: Uint8Array, to: Endpoint) => void) {}

  static async at(place: Place, port = 4000): Promise<Stranger> {
    const world = place.network.world({ addresses: [ELSEWHERE] });
    const receive = (): void => {
      stranger.heard += 1;
    };
    const rtp = await world.openDatagrams({ local: { address: ELSEWHERE, port }, receive });
    const stranger = new Stranger((bytes, to) => void rtp.send(bytes, to.address, to.port));
    return stranger;
  }

  /** Enough that nobody could take it for a stray packet; RTP and RTCP, to both of our ports. */
  attacks({ near }: Pick<Ends, "near">): void {
    const { target } = near;
    if (target === null) throw new Error("the phone does not know its target");
    for (let count = 0; count < 10; count += 1) {
      const forged = Buffer.alloc(182, 0x66);
      forged.writeUInt16BE(0x8008, 0);
      forged.writeUInt16BE((near.sequence + count) & 0xffff, 2);
      forged.writeUInt32BE(near.ssrc, 8);
      this.send(forged, target);
      const report = Buffer.alloc(32, 0x66);
      report.writeUInt32BE(0x80c8_0007, 0);
      report.writeUInt32BE(near.ssrc, 4);
      this.send(report, { ...target, port: target.port + 1 });
    }
  }
}

/** What an attack leaves: nothing at all, but counts. */
async function expectUnheard({ place, far, near }: Ends, stranger: Stranger): Promise<void> {
  expect(await far.hasHeard()).toEqual([]);
  expect([stranger.heard, far.refused, near.refused]).toEqual([0, 0, 0]);
  const { drops } = place.status;
  expect((drops["foreign-source"] ?? 0) + (drops["auth"] ?? 0)).toBeGreaterThan(9);
}

type Opened = { readonly talk: Talk; readonly stranger: Stranger };

async function opened(options: EndsOptions): Promise<Opened> {
  const talk = await phoneCalls(await makeEnds(options));
  return { talk, stranger: await Stranger.at(talk.place) };
}

describe.each([...MODES])("$name", ({ options }) => {
  test("a phone that is muted for ten minutes is heard when it speaks, a stranger before it not", async () => {
    const { talk, stranger } = await opened({ ...options });
    for (let minute = 0; minute < 10; minute += 1) {
      stranger.attacks(talk);
      talk.far.says("anybody there?");
      await talk.place.network.elapse(60_000);
    }
    talk.near.heard.length = 0;
    await expectUnheard(talk, stranger);
    await expectAudio(talk);
    await phoneHangsUp(talk);
  });

  test.each(["sendonly", "inactive"] as const)(
    "a held phone (%s) is found again, a stranger meanwhile gets no music",
    async (direction) => {
      const { talk, stranger } = await opened({ ...options });
      await expectAudio(talk);
      await phoneReInvites(talk, talk.near.sdp({ direction, version: 2 }));
      await talk.place.network.elapse(200_000);
      stranger.attacks(talk);
      talk.far.says("music on hold");
      expect(await talk.near.hasHeard()).toEqual(["music on hold"]);
      await expectUnheard(talk, stranger);
      await phoneReInvites(talk, talk.near.sdp({ version: 3 }));
      stranger.attacks(talk);
      await expectUnheard(talk, stranger);
      await expectAudio(talk);
      await phoneHangsUp(talk);
    },
  );

  test("a phone held by 0.0.0.0 too", async () => {
    const { talk, stranger } = await opened({ ...options });
    await expectAudio(talk);
    const held = talk.near.sdp({ version: 2 }).replace(/^c=.*$/m, "c=IN IP4 0.0.0.0");
    await phoneReInvites(talk, held);
    stranger.attacks(talk);
    talk.far.says("nobody listens");
    expect(await talk.near.hasHeard()).toEqual([]);
    await expectUnheard(talk, stranger);
    await phoneReInvites(talk, talk.near.sdp({ version: 3 }));
    await expectAudio(talk);
    await phoneHangsUp(talk);
  });

  test("early media goes to the phone that called, whoever asks for it", async () => {
    const ends = await makeEnds({ ...options, nat: null });
    const { place, phone, pbx, near, far } = ends;
    const stranger = await Stranger.at(place);
    phone.sendsInvite("600", near.sdp());
    const invite = await pbx.receivesOn("INVITE");
    far.uses(invite.message.body);
    pbx.replies(invite, 183, "pbx", far.sdp());
    near.uses((await phone.receives("183 INVITE")).body);
    stranger.attacks(ends);
    far.says("the number you have dialled");
    expect(await near.hasHeard()).toEqual(["the number you have dialled"]);
    await expectUnheard(ends, stranger);
    pbx.replies(invite, 200, "pbx", far.sdp());
    const { answer, dialog } = await phone.isAnswered();
    await pbx.receives("ACK");
    near.uses(answer.body);
    await expectAudio(ends);
    const pbxSide = calledDialog(invite.message, "pbx");
    await phoneHangsUp({ ...ends, invite, answer, phoneSide: dialog, pbxSide });
  });

  test("a phone that only listens goes on hearing, however long a stranger sends in its place", async () => {
    const ends = await makeEnds({ ...options, nat: null });
    const { phone, pbx, near, far, place } = ends;
    const stranger = await Stranger.at(place);
    phone.sendsInvite("600", near.sdp({ direction: "recvonly" }));
    const invite = await pbx.receivesOn("INVITE");
    far.uses(invite.message.body);
    pbx.replies(invite, 200, "pbx", far.sdp({ direction: "sendonly" }));
    near.uses((await phone.isAnswered()).answer.body);
    for (const said of ["one", "two", "three"]) {
      stranger.attacks(ends);
      await place.network.elapse(30_000);
      far.says(said);
      expect(await near.hasHeard()).toEqual([said]);
    }
    await expectUnheard(ends, stranger);
  });

  test("music on hold and a transfer: another SSRC on either side passes, a stranger's with it not", async () => {
    const { talk, stranger } = await opened({ ...options });
    await expectAudio(talk);
    for (const port of [talk.far, talk.near]) {
      Object.assign(port, { ssrc: port.ssrc ^ 0x7777, sequence: 4, timestamp: 0 });
      stranger.attacks(talk);
      await expectUnheard(talk, stranger);
      await expectAudio(talk);
    }
    await phoneHangsUp(talk);
  });

  test("the phone's new SDP opens learning for its new port, and to nobody else", async () => {
    const { talk, stranger } = await opened({ ...options });
    await expectAudio(talk);
    const near = await talk.place.phoneMedia(
      talk.phone,
      "media" in options ? { isPlain: true } : {},
    );
    near.uses(await phoneReInvites(talk, near.sdp({ version: 2 })));
    const moved = { ...talk, near };
    stranger.attacks(moved);
    await expectUnheard(moved, stranger);
    await expectAudio(moved);
    await phoneHangsUp(moved);
  });
});

test("wifi to LTE with SRTP: the next packet moves the audio, a copy of it from elsewhere moves nothing", async () => {
  const { talk, stranger } = await opened({});
  await expectAudio(talk);
  const { place, near, far } = talk;
  const lte = await MediaPort.open(place.home("100.64.7.7", null), {
    address: "100.64.7.7",
    name: "lte",
    suite: SUITE,
  });
  const next = near.packet("from the train");
  const { target } = near;
  if (target === null) throw new Error("no target");
  lte.rtp.send(next, target.address, target.port);
  expect(await far.hasHeard()).toEqual(["from the train"]);
  stranger.send(next, target);
  stranger.attacks(talk);
  expect(await far.hasHeard()).toEqual([]);
  lte.uses(talk.answer.body);
  far.says("to the train");
  expect(await lte.hasHeard()).toEqual(["to the train"]);
  expect([stranger.heard, ...(await near.hasHeard())]).toEqual([0]);
  await phoneHangsUp(talk);
});

test("wifi to LTE with RTP: the re-INVITE from there opens the way, packets alone do not", async () => {
  const { talk, stranger } = await opened({ ...MODES[1].options, nat: null });
  await expectAudio(talk);
  const { place, far } = talk;
  const lte = await MediaPort.open(place.home("100.64.7.7", null), {
    address: "100.64.7.7",
    name: "lte",
  });
  lte.target = talk.near.target;
  lte.says("nobody knows me here");
  expect(await far.hasHeard()).toEqual([]);
  const before = readSdp(talk.answer.body).port;
  const answer = await phoneReInvites(talk, lte.sdp({ version: 2 }));
  expect(readSdp(answer).port).toBe(before);
  lte.uses(answer);
  stranger.attacks(talk);
  await expectAudio({ near: lte, far });
  expect(stranger.heard).toBe(0);
  await phoneHangsUp(talk);
});
