import { expect, test } from "bun:test";
import { OUTSIDE, PBX } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls, phoneHangsUp } from "./talk.ts";

const fax = (address: string): string =>
  [
    "v=0",
    `o=- 1 2 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    "m=image 4004 udptl t38",
    "a=T38FaxVersion:0",
    "",
  ].join("\r\n");

test("T.38 cannot be encrypted: its re-INVITE is refused, the call goes on and the fax by audio", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, pbxSide, phoneSide, place } = talk;
  await expectAudio(talk);
  pbx.inDialog(pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`]],
    body: fax(PBX),
  });
  expect((await pbx.receives(/^SIP\/2\.0 [2-6].*CSeq: \d+ INVITE/s)).status).toBe(488);
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

test("a fax line beside the audio is declined, the audio is kept where it was", async () => {
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
