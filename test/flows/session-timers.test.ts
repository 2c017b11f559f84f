import { expect, test } from "bun:test";
import { makeEnds, pbxCalls, phoneCalls, phoneHangsUp } from "./talk.ts";

const TIMER = [
  ["Supported", "timer"],
  ["Session-Expires", "90;refresher=uac"],
  ["Min-SE", "90"],
] as const;

test("422 with Min-SE goes back to the phone that asked, and its second try passes (RFC 4028 §6)", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  const callId = "too-small";
  const sent = phone.sendsInvite("600", near.sdp(), { callId, headers: TIMER });
  const first = await pbx.receivesOn("INVITE");
  expect(first.message.header("Session-Expires")).toBe("90;refresher=uac");
  expect(first.message.header("Min-SE")).toBe("90");
  expect(first.message.values("Supported")).toContain("timer");
  pbx.answers(first, 422, { tag: "pbx", headers: [["Min-SE", "1800"]] });
  await pbx.receives("ACK");
  const refused = await phone.receives("422 INVITE");
  expect(refused.header("Min-SE")).toBe("1800");
  phone.acknowledges(sent, refused);
  const raised = [
    ["Supported", "timer"],
    ["Session-Expires", "1800"],
    ["Min-SE", "1800"],
  ] as const;
  phone.sendsInvite("600", near.sdp(), { callId, cseq: 2, headers: raised });
  const second = await pbx.receivesOn("INVITE");
  expect(second.message.header("Session-Expires")).toBe("1800");
  pbx.answers(second, 200, {
    tag: "pbx",
    contact: pbx.contact,
    body: far.sdp(),
    headers: [
      ["Require", "timer"],
      ["Session-Expires", "1800;refresher=uac"],
    ],
  });
  const { answer, dialog } = await phone.isAnswered();
  expect(answer.header("Require")).toBe("timer");
  expect(answer.header("Session-Expires")).toBe("1800;refresher=uac");
  await pbx.receives("ACK");
  phone.inDialog(dialog, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test("422 of a phone goes back to its telephone system, which is not asked elsewhere", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const sent = pbx.sendsInvite("100", far.sdp(), { headers: TIMER });
  const invite = await phone.receivesOn("INVITE");
  expect(invite.message.header("Session-Expires")).toBe("90;refresher=uac");
  phone.answers(invite, 422, { tag: "phone", headers: [["Min-SE", "300"]] });
  await phone.receives("ACK");
  const refused = await pbx.receives("422 INVITE");
  expect(refused.header("Min-SE")).toBe("300");
  pbx.acknowledges(sent, refused);
  await phone.receivesNothingMore();
  await place.expectNothingLeft();
});

test("the proxy refreshes nothing itself, and lets either end refresh by UPDATE or re-INVITE", async () => {
  const unasked = { instance: { sip: { healthCheck: false } } };
  const talk = await phoneCalls(await makeEnds(unasked));
  const { place, phone, pbx, phoneSide, pbxSide, near, far } = talk;
  await place.network.elapse(1_000_000);
  expect([...phone.inbox, ...pbx.inbox].filter(({ message }) => message.status === 0)).toEqual([]);
  const refresh = [
    ["Supported", "timer"],
    ["Session-Expires", "1800;refresher=uac"],
  ] as const;
  phone.inDialog(phoneSide, "UPDATE", {
    headers: [["Contact", `<${phone.contact}>`], ...refresh],
  });
  const update = await pbx.receivesOn("UPDATE");
  expect(update.message.header("Session-Expires")).toBe("1800;refresher=uac");
  pbx.answers(update, 200, { contact: pbx.contact, headers: [["Session-Expires", "1800"]] });
  expect((await phone.receives("200 UPDATE")).header("Session-Expires")).toBe("1800");
  pbx.inDialog(pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`], ...refresh],
    body: far.sdp(),
  });
  const again = await phone.receivesOn("INVITE");
  expect(again.message.header("Session-Expires")).toBe("1800;refresher=uac");
  phone.replies(again, 200, "phone", near.sdp());
  await pbx.receives("200 INVITE");
  pbx.inDialog(pbxSide, "ACK");
  await phone.receives("ACK");
  await phoneHangsUp(talk);
});

test("an UPDATE that is too short for the phone is 422 within the dialog, which goes on", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { phone, pbx, pbxSide } = talk;
  pbx.inDialog(pbxSide, "UPDATE", { headers: [["Contact", `<${pbx.contact}>`], ...TIMER] });
  phone.answers(await phone.receivesOn("UPDATE"), 422, { headers: [["Min-SE", "120"]] });
  expect((await pbx.receives("422 UPDATE")).header("Min-SE")).toBe("120");
  await phoneHangsUp(talk);
});
