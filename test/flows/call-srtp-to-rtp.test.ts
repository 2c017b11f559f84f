import { expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { HOME, INSIDE, OUTSIDE, PBX } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, pbxHangsUp, phoneCalls, phoneHangsUp } from "./talk.ts";

test("a phone calls: SRTP outside, RTP inside, audio both ways, every port back", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, invite, answer, near } = talk;
  const inside = readSdp(invite.message.body);
  expect([inside.address, inside.proto, inside.crypto]).toEqual([INSIDE, "RTP/AVP", []]);
  expect(inside.port).toBeGreaterThanOrEqual(16_384);
  expect(inside.port).toBeLessThan(29_998);
  expect(invite.message.body).not.toContain(HOME);
  const outside = readSdp(answer.body);
  expect([outside.address, outside.proto]).toEqual([OUTSIDE, "RTP/SAVP"]);
  expect(outside.crypto.length).toBe(1);
  expect(outside.crypto[0]).not.toContain(near.crypto.split(" ")[2]);
  expect(outside.port).toBeGreaterThanOrEqual(30_000);
  expect(answer.body).not.toContain(PBX);
  expect(place.status.media).toMatchObject({ sessions: 1, streams: 1 });
  expect(place.status.sip.dialogs).toBe(1);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("the telephone system calls: the phone is offered SRTP, audio both ways", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { invite, answer } = talk;
  const offer = readSdp(invite.message.body);
  expect([offer.address, offer.proto]).toEqual([OUTSIDE, "RTP/SAVP"]);
  expect(offer.crypto.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
    "1 AES_CM_128_HMAC_SHA1_80",
    "2 AES_CM_128_HMAC_SHA1_32",
  ]);
  expect(readSdp(answer.body)).toMatchObject({ address: INSIDE, proto: "RTP/AVP", crypto: [] });
  await expectAudio(talk);
  await pbxHangsUp(talk);
});

test("what was not touched leaves as it came: session id, codecs, unknown lines, tags", async () => {
  const { phone, pbx, near } = await makeEnds();
  const lines = ["a=x-odd: kept  as it is", "b=AS:64"];
  phone.sendsInvite("600", near.sdp({ lines, version: 77 }), {
    headers: [
      ["X-Odd", "  kept  as it is"],
      ["Supported", "timer, 100rel"],
    ],
  });
  const { message } = await pbx.receivesOn("INVITE");
  expect(message.body).toContain("o=- 4711 77 IN IP4 ");
  expect(message.body).toContain("a=x-odd: kept  as it is\r\nb=AS:64\r\n");
  expect(message.body).toContain(" RTP/AVP 8 0 101\r\n");
  expect(message.text).toContain("X-Odd:   kept  as it is\r\n");
  expect(message.header("Content-Length")).toBe(String(message.body.length));
});

test("RTCP goes both ways, SRTCP outside", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, near, far } = talk;
  await expectAudio(talk);
  near.sendsRtcp(7);
  far.sendsRtcp(8);
  await place.network.settle();
  expect(far.heardRtcp.map((packet) => packet.at(-1))).toEqual([7]);
  expect(near.heardRtcp.map((packet) => packet.at(-1))).toEqual([8]);
  await phoneHangsUp(talk);
});

test("the 32-bit suite is answered when the phone offers it alone, its tag echoed", async () => {
  const ends = await makeEnds();
  const near = await ends.place.phoneMedia(ends.phone, { suite: "AES_CM_128_HMAC_SHA1_32" });
  const offered = near.crypto.replace(/^1 /, "7 ");
  ends.phone.sendsInvite(
    "600",
    near.sdp({ crypto: ["3 AES_256_CM_HMAC_SHA1_80 inline:AAAA", offered] }),
  );
  const invite = await ends.pbx.receivesOn("INVITE");
  ends.far.uses(invite.message.body);
  ends.pbx.replies(invite, 200, "pbx", ends.far.sdp());
  const { answer } = await ends.phone.isAnswered();
  expect(readSdp(answer.body).crypto[0]).toMatch(/^7 AES_CM_128_HMAC_SHA1_32 inline:/);
  near.uses(answer.body);
  await expectAudio({ near, far: ends.far });
});

test("a packet with a wrong tag, a replay and plain RTP never reach the inside", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, near, far } = talk;
  await expectAudio(talk);
  const packet = near.packet("secret");
  const broken = packet.slice();
  broken[20] = (broken[20] ?? 0) ^ 1;
  near.sendsPacket(broken);
  near.sendsPacket(packet);
  near.sendsPacket(packet);
  near.sendsPacket(
    new Uint8Array(
      Buffer.concat([Buffer.from("8008000100000000deadbeef", "hex"), Buffer.alloc(160)]),
    ),
  );
  expect(await far.hasHeard()).toEqual(["secret"]);
  expect(place.status.media.sessions).toBe(1);
  await phoneHangsUp(talk);
});

test("a phone that offers no SRTP is refused with 488 where SRTP is promised", async () => {
  const { place, phone, near } = await makeEnds({ media: "rtp" });
  const invite = phone.sendsInvite("600", near.sdp());
  phone.acknowledges(invite, await phone.receives("488 INVITE"));
  await place.expectNothingLeft();
});

test("an answer without SRTP from a phone is not passed on, nor is its media", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const plain = await place.phoneMedia(phone, { isPlain: true });
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  plain.uses(invite.message.body);
  phone.replies(invite, 200, "phone", plain.sdp());
  // A 2xx cannot be refused on the way: it comes without SDP, and the caller has to end the call.
  const { answer, dialog } = await pbx.isAnswered();
  expect(answer.body).toBe("");
  await phone.receives("ACK");
  plain.says("in the clear");
  expect(await far.hasHeard()).toEqual([]);
  pbx.inDialog(dialog, "BYE");
  await phone.isHungUpOn();
  await pbx.receives("200 BYE");
  await place.expectNothingLeft();
});
