import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { calledDialog, callerDialog } from "../peers/user-agent.ts";
import { makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

test("SUBSCRIBE and its NOTIFYs find their way, also after the phone reconnected", async () => {
  const { place, phone, pbx } = await makeEnds();
  phone.requests("SUBSCRIBE", {
    uri: "sip:101@mycompany",
    from: `<${phone.uri}>;tag=blf`,
    to: "<sip:101@mycompany>",
    callId: "blf",
    cseq: 1,
    headers: [
      ["Contact", `<${phone.contact}>`],
      ["Event", "dialog"],
      ["Expires", "600"],
    ],
  });
  const subscribe = await pbx.receivesOn("SUBSCRIBE");
  expect(subscribe.message.values("Record-Route").length).toBe(1);
  pbx.replies(subscribe, 200, "pbx");
  const phoneSide = callerDialog(await phone.receives("200 SUBSCRIBE"));
  expect(phoneSide.routes.length).toBe(1);
  const pbxSide = calledDialog(subscribe.message, "pbx");
  const notify = async (state: string): Promise<void> => {
    pbx.inDialog(pbxSide, "NOTIFY", {
      headers: [
        ["Event", "dialog"],
        ["Content-Type", "application/dialog-info+xml"],
      ],
      body: `<state>${state}</state>`,
    });
    const received = await phone.receivesOn("NOTIFY");
    expect(received.message.body).toBe(`<state>${state}</state>\r\n`);
    phone.answers(received, 200);
    await pbx.receives("200 NOTIFY");
  };
  await notify("ringing");
  place.network.streams.break(() => true);
  pbx.inDialog(pbxSide, "NOTIFY", { headers: [["Event", "dialog"]] });
  await pbx.receives("430 NOTIFY");
  await phone.connects();
  await phone.registers();
  await notify("terminated");
  expect(place.status.sip.dialogs).toBe(0); // no call, no media, no state of ours
});

test("message waiting comes unasked along the Path", async () => {
  const { phone, pbx } = await makeEnds();
  pbx.requestsTo("100", "NOTIFY", {
    headers: [
      ["Event", "message-summary"],
      ["Subscription-State", "active"],
      ["Content-Type", "application/simple-message-summary"],
    ],
    body: "Messages-Waiting: yes",
  });
  const received = await phone.receivesOn("NOTIFY");
  expect(received.message.body).toBe("Messages-Waiting: yes\r\n");
  phone.answers(received, 200);
  await pbx.receives("200 NOTIFY");
});

test("REFER within a call passes both ways with its headers untouched", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide, pbxSide } = talk;
  const target = "<sip:102@mycompany?Replaces=abc%3Bto-tag%3D1>";
  phone.inDialog(phoneSide, "REFER", {
    headers: [
      ["Refer-To", target],
      ["Referred-By", `<${phone.uri}>`],
      ["Contact", `<${phone.contact}>`],
    ],
  });
  const refer = await pbx.receivesOn("REFER");
  expect(refer.message.header("Refer-To")).toBe(target);
  pbx.replies(refer, 202, "pbx");
  await phone.receives("202 REFER");
  pbx.inDialog(pbxSide, "NOTIFY", {
    headers: [
      ["Event", "refer"],
      ["Content-Type", "message/sipfrag"],
    ],
    body: "SIP/2.0 200 OK",
  });
  phone.answers(await phone.receivesOn("NOTIFY"), 200);
  await pbx.receives("200 NOTIFY");
  await phoneHangsUp(talk);
});

test("the Contact of a call is the phone's own to the telephone system; to the phone it is our address", async () => {
  const { phone, invite, answer } = await phoneCalls(await makeEnds());
  const inside = phone.contact.replace("transport=tls", "transport=udp;pq=l");
  expect(uriOf(invite.message.header("Contact"))).toBe(inside);
  expect(uriOf(answer.header("Contact"))).toMatch(
    /^sip:pq\.[\w-]+@203\.0\.113\.5:5061;transport=tls$/,
  );
});
