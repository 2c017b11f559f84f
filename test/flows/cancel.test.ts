import { expect, test } from "bun:test";
import { makeEnds } from "./talk.ts";

test("a phone gives up while it rings: 200 and 487, the telephone system gets the CANCEL", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  phone.cancels(sent);
  await phone.receives("200 CANCEL");
  const cancel = await pbx.receivesOn("CANCEL");
  expect(cancel.message.header("Via")).toBe(invite.message.header("Via"));
  expect(cancel.message.header("CSeq")).toBe("1 CANCEL");
  pbx.answers(cancel, 200);
  pbx.answers(invite, 487, { tag: "pbx" });
  await pbx.receives("ACK");
  phone.acknowledges(sent, await phone.receives("487 INVITE"));
  await phone.receivesNothingMore();
  await place.expectNothingLeft();
});

test("the telephone system gives up while the phone rings", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const sent = pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  phone.replies(invite, 180, "phone");
  await pbx.receives("180 INVITE");
  pbx.cancels(sent);
  await pbx.receives("200 CANCEL");
  const cancel = await phone.receivesOn("CANCEL");
  expect(cancel.message.uri).toBe(invite.message.uri);
  phone.answers(cancel, 200);
  phone.answers(invite, 487, { tag: "phone" });
  await phone.receives("ACK");
  pbx.acknowledges(sent, await pbx.receives("487 INVITE"));
  await place.expectNothingLeft();
});

test("a CANCEL before any answer waits for the first provisional one", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  phone.cancels(sent);
  await phone.receives("200 CANCEL");
  await pbx.receivesNothingMore();
  pbx.replies(invite, 180, "pbx");
  pbx.answers(await pbx.receivesOn("CANCEL"), 200);
  pbx.answers(invite, 487, { tag: "pbx" });
  await pbx.receives("ACK");
  phone.acknowledges(sent, await phone.receives("487 INVITE"));
  await place.expectNothingLeft();
});

test("a 200 that crosses the CANCEL is passed on and the call can be ended", async () => {
  const { place, phone, pbx, near, far } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  phone.cancels(sent);
  pbx.replies(invite, 200, "pbx", far.sdp());
  await phone.receives("200 CANCEL");
  const { dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  pbx.answers(await pbx.receivesOn("CANCEL"), 200);
  phone.inDialog(dialog, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test("a CANCEL for what never was is answered 481 and goes nowhere", async () => {
  const { phone, pbx, near } = await makeEnds();
  const invite = phone.requestText("INVITE", {
    uri: "sip:600@mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: "<sip:600@mycompany>",
    callId: "never",
    cseq: 1,
    body: near.sdp(),
  });
  phone.cancels(invite);
  await phone.receives("481 CANCEL");
  await pbx.receivesNothingMore();
});

test("a repeated CANCEL is answered again and forwarded once", async () => {
  const { phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  phone.cancels(sent);
  phone.cancels(sent);
  await phone.receives("200 CANCEL");
  await phone.receives("200 CANCEL");
  await pbx.receives("CANCEL");
  await pbx.receivesNothingMore();
});
