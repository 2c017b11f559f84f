/**
 * T.38: UDPTL takes the place of audio and gives it back, or stands beside it. It cannot be encrypted, so
 * that where SRTP is promised it passes only where the instance may (allowClearT38).
 */
import { describe, expect, test } from "bun:test";
import type { Datagrams } from "../../src/io/types.ts";
import type { Outside } from "../peers/outside.ts";
import { readSdp } from "../peers/sdp-text.ts";
import type { UserAgent } from "../peers/user-agent.ts";
import { HOME, INSIDE, OUTSIDE, PBX } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls, phoneHangsUp, type Talk } from "./talk.ts";

const fax = (address: string, port = 4004): string =>
  [
    "v=0",
    `o=- 1 2 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=image ${port} udptl t38`,
    "a=T38FaxVersion:0",
    "a=T38MaxBitRate:14400",
    "a=T38FaxRateManagement:transferredTCF",
    "a=T38FaxMaxDatagram:400",
    "a=T38FaxUdpEC:t38UDPRedundancy",
    "",
  ].join("\r\n");

/** The attributes, which nobody may touch. */
const t38Lines = (body: string): string[] =>
  body.split("\r\n").filter((line) => /^a=T38/.test(line));

/** A machine that speaks UDPTL: no RTP anywhere. */
class FaxPort {
  readonly heard: string[] = [];
  #sent = 0;

  private constructor(
    readonly outside: Outside,
    readonly socket: Datagrams,
  ) {}

  static async open(outside: Outside, address: string): Promise<FaxPort> {
    let heard: string[] = [];
    const receive = (bytes: Uint8Array): void =>
      void heard.push(Buffer.from(bytes).toString("hex"));
    const socket = await outside.world.openDatagrams({ local: { address, port: 0 }, receive });
    const port = new FaxPort(outside, socket);
    heard = port.heard;
    return port;
  }

  get sdp(): string {
    return fax(this.socket.local.address, this.socket.local.port);
  }

  /** Sequence number, one primary packet, no redundancy; the bytes as hex. */
  says(body: string, what: number): string {
    const { address, port } = readSdp(body);
    const bytes = new Uint8Array([this.#sent >> 8, this.#sent++ & 255, 2, 0xc0, what, 0, 0]);
    this.socket.send(bytes, address, port);
    return Buffer.from(bytes).toString("hex");
  }
}

async function expectFax(
  near: FaxPort,
  far: FaxPort,
  sdp: { readonly toPhone: string; readonly toPbx: string },
): Promise<void> {
  const said = [near.says(sdp.toPhone, 1), near.says(sdp.toPhone, 2)];
  await near.outside.settle();
  expect(far.heard.splice(0)).toEqual(said);
  const answered = [far.says(sdp.toPbx, 3), far.says(sdp.toPbx, 4)];
  await near.outside.settle();
  expect(near.heard.splice(0)).toEqual(answered);
}

type Side = {
  readonly agent: UserAgent;
  readonly dialog: Talk["phoneSide"];
  readonly offer: string;
};

/** A re-INVITE of one side that the other one answers; what each of them reads. */
async function changes(from: Side, to: UserAgent, answer: string) {
  const headers = [["Contact", `<${from.agent.contact}>`]] as const;
  from.agent.inDialog(from.dialog, "INVITE", { headers, body: from.offer });
  const invite = await to.receivesOn("INVITE");
  to.replies(invite, 200, "any", answer);
  const { body } = await from.agent.receives("200 INVITE");
  from.agent.inDialog(from.dialog, "ACK");
  await to.receives("ACK");
  return { offered: invite.message.body, answered: body };
}

const CLEAR = { instance: { allowClearT38: true } } as const;
const RTP = { proxy: { voipMedia: "rtp" }, media: "rtp" } as const;

describe.each([
  ["SRTP outside, where the instance may", CLEAR],
  ["RTP outside", RTP],
  [
    "SRTP on both sides, where the instance may",
    { instance: { ...CLEAR.instance, media: "srtp" }, inner: "srtp" },
  ],
] as const)("%s", (_, options) => {
  test("the instance changes audio to fax and back: our ports stay, audio goes on as before", async () => {
    const talk = await phoneCalls(await makeEnds(options));
    const { phone, pbx, near, far, pbxSide, place } = talk;
    await expectAudio(talk);
    const nearFax = await FaxPort.open(phone.outside, HOME);
    const farFax = await FaxPort.open(pbx.outside, PBX);
    const from = { agent: pbx, dialog: pbxSide, offer: farFax.sdp };
    const sdp = await changes(from, phone, nearFax.sdp);
    expect(readSdp(sdp.offered)).toMatchObject({ address: OUTSIDE, proto: "udptl" });
    expect(readSdp(sdp.offered).port).toBe(readSdp(talk.answer.body).port);
    expect(readSdp(sdp.answered).port).toBe(readSdp(talk.invite.message.body).port);
    expect([sdp.offered, sdp.answered].map(t38Lines)).toEqual([fax(PBX), fax(PBX)].map(t38Lines));
    await expectFax(nearFax, farFax, { toPhone: sdp.offered, toPbx: sdp.answered });
    expect(place.status.media).toMatchObject({ streams: 1 });
    const [report] = place.proxy.calls("").calls[0]!.streams;
    expect(report).toMatchObject({ type: "image", phone: { codec: null, isEncrypted: false } });
    const back = { agent: pbx, dialog: pbxSide, offer: far.sdp({ version: 3 }) };
    const audio = await changes(back, phone, near.sdp({ version: 3 }));
    expect(readSdp(audio.offered).proto).toBe(readSdp(talk.answer.body).proto);
    near.uses(audio.offered);
    far.uses(audio.answered);
    await expectAudio(talk);
    await phoneHangsUp(talk);
  });

  test("the phone changes to fax; a stranger's packets do not pass", async () => {
    const talk = await pbxCalls(await makeEnds(options));
    const { phone, pbx, phoneSide, place } = talk;
    await expectAudio(talk);
    const nearFax = await FaxPort.open(phone.outside, HOME);
    const farFax = await FaxPort.open(pbx.outside, PBX);
    const from = { agent: phone, dialog: phoneSide, offer: nearFax.sdp };
    const { offered, answered } = await changes(from, pbx, farFax.sdp);
    expect(readSdp(offered)).toMatchObject({ address: INSIDE, proto: "udptl" });
    await expectFax(nearFax, farFax, { toPhone: answered, toPbx: offered });
    const stranger = await FaxPort.open(place.home("192.0.2.66", null), "192.0.2.66");
    stranger.says(answered, 9);
    await place.network.settle();
    expect(farFax.heard).toEqual([]);
    expect(place.status.drops["foreign-source"]).toBe(1);
    await phoneHangsUp(talk);
  });
});

test("a fax that is refused leaves the audio as it was", async () => {
  const talk = await phoneCalls(await makeEnds(CLEAR));
  const { phone, pbx, pbxSide } = talk;
  await expectAudio(talk);
  const headers = [["Contact", `<${pbx.contact}>`]] as const;
  pbx.inDialog(pbxSide, "INVITE", { headers, body: fax(PBX) });
  const invite = await phone.receivesOn("INVITE");
  expect(readSdp(invite.message.body).proto).toBe("udptl");
  phone.answers(invite, 488);
  await phone.receives("ACK");
  await pbx.receives("488 INVITE");
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("a fax machine elsewhere in the instance's networks: the answer's own address counts", async () => {
  const elsewhere = "10.0.9.9";
  const instance = { ...CLEAR.instance, mediaNetworks: ["10.0.9.0/24"] };
  const talk = await phoneCalls(await makeEnds({ instance }));
  const { phone, pbx, phoneSide, place } = talk;
  const nearFax = await FaxPort.open(phone.outside, HOME);
  const gateway = await place.pbx({ address: elsewhere, name: "gateway" });
  const farFax = await FaxPort.open(gateway.outside, elsewhere);
  // The session stays where it was, only the line says where the fax is (c= at media level).
  const moved = farFax.sdp.replace(`c=IN IP4 ${elsewhere}`, `c=IN IP4 ${PBX}`);
  const answer = moved.replace("t38\r\n", `t38\r\nc=IN IP4 ${elsewhere}\r\n`);
  const from = { agent: phone, dialog: phoneSide, offer: nearFax.sdp };
  const { offered, answered } = await changes(from, pbx, answer);
  expect(answered).not.toMatch(/10\.0\./);
  await expectFax(nearFax, farFax, { toPhone: answered, toPbx: offered });
  await phoneHangsUp(talk);
});

test("a fax line beside the audio has ports of its own, and goes again", async () => {
  const talk = await phoneCalls(await makeEnds(CLEAR));
  const { phone, pbx, near, far, phoneSide, place } = talk;
  const nearFax = await FaxPort.open(phone.outside, HOME);
  const farFax = await FaxPort.open(pbx.outside, PBX);
  const line = (port: number): string => `\r\nm=image ${port} udptl t38\r\n`;
  const offer = near.sdp({ version: 2 }) + line(nearFax.socket.local.port);
  const from = { agent: phone, dialog: phoneSide, offer };
  const { offered, answered } = await changes(
    from,
    pbx,
    far.sdp() + line(farFax.socket.local.port),
  );
  const faxOf = (body: string): string =>
    body.slice(0, body.indexOf("m=")) + body.slice(body.indexOf("m=image"));
  await expectFax(nearFax, farFax, { toPhone: faxOf(answered), toPbx: faxOf(offered) });
  await expectAudio(talk);
  expect(place.status.media.streams).toBe(2);
  const without = { ...from, offer: near.sdp({ version: 3 }) + line(0) };
  expect((await changes(without, pbx, far.sdp() + line(0))).answered).toContain("m=image 0 udptl");
  expect(place.status.media.streams).toBe(1);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("where SRTP is promised its re-INVITE is refused in words, the call goes on and the fax by audio", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, pbxSide, phoneSide, place } = talk;
  await expectAudio(talk);
  pbx.inDialog(pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`]],
    body: fax(PBX),
  });
  const refusal = await pbx.receives(/^SIP\/2\.0 [2-6].*CSeq: \d+ INVITE/s);
  expect(refusal.status).toBe(488);
  expect(refusal.header("Warning")).toBe(
    '304 pequod "T.38 cannot be encrypted, SRTP is needed here"',
  );
  phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: fax("192.168.1.10"),
  });
  await phone.receives("488 INVITE");
  await phone.receivesNothingMore();
  await expectAudio(talk);
  expect(place.status.sip.dialogs).toBe(1);
  await phoneHangsUp(talk);
});

test("there a fax line beside the audio is declined, the audio is kept where it was", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { phone, pbx, pbxSide, near, far } = talk;
  await expectAudio(talk);
  const both = `${far.sdp({ version: 2 })}\r\nm=image 4004 udptl t38\r\n`;
  pbx.inDialog(pbxSide, "INVITE", { headers: [["Contact", `<${pbx.contact}>`]], body: both });
  const invite = await phone.receivesOn("INVITE");
  expect(invite.message.body).toContain("m=image 0 udptl t38");
  expect(invite.message.body).toContain(`c=IN IP4 ${OUTSIDE}`);
  phone.replies(invite, 200, "phone", `${near.sdp({ version: 2 })}\r\nm=image 0 udptl t38\r\n`);
  expect((await pbx.receives("200 INVITE")).body).toContain("m=image 0 udptl t38");
  pbx.inDialog(pbxSide, "ACK");
  await phone.receives("ACK");
  await expectAudio(talk);
  await phoneHangsUp(talk);
});
