import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { callerDialog } from "../peers/user-agent.ts";
import { answersExactly, sendsExactlyInDialog } from "./exact-body.ts";
import { makeEnds, pbxCalls, pbxHangsUp, phoneCalls, phoneHangsUp, type Talk } from "./talk.ts";

/** The phone transfers its far end; how the transfer goes comes back as sipfrags (RFC 3515). */
async function phoneRefers(talk: Talk, referTo: string): Promise<void> {
  const { phone, pbx, phoneSide, pbxSide } = talk;
  const referredBy = `"Al" <${phone.uri}>;custom=1`;
  phone.inDialog(phoneSide, "REFER", {
    headers: [
      ["Refer-To", referTo],
      ["Referred-By", referredBy],
      ["Supported", "norefersub, replaces"],
      ["Contact", `<${phone.contact}>`],
    ],
  });
  const refer = await pbx.receivesOn("REFER");
  expect(refer.message.header("Refer-To")).toBe(referTo);
  expect(refer.message.header("Referred-By")).toBe(referredBy);
  expect(uriOf(refer.message.header("Contact"))).toContain("sip:100@");
  pbx.answers(refer, 202, { contact: pbx.contact });
  await phone.receives("202 REFER");
  for (const [fragment, state] of [
    ["SIP/2.0 100 Trying\r\n", "active;expires=60"],
    ["SIP/2.0 200 OK\r\n", "terminated;reason=noresource"],
  ] as const) {
    sendsExactlyInDialog(pbx, pbxSide, "NOTIFY", {
      headers: [
        ["Event", "refer;id=2"],
        ["Subscription-State", state],
        ["Contact", `<${pbx.contact}>`],
      ],
      body: { type: "message/sipfrag;version=2.0", bytes: fragment },
    });
    const notify = await phone.receivesOn("NOTIFY");
    expect(notify.message.body).toBe(fragment);
    expect(notify.message.header("Subscription-State")).toBe(state);
    expect(notify.message.header("Event")).toBe("refer;id=2");
    phone.answers(notify, 200);
    await pbx.receives("200 NOTIFY");
  }
}

test("blind transfer: the phone refers its far end and hears how it goes", async () => {
  const talk = await phoneCalls(await makeEnds());
  await phoneRefers(talk, "<sip:102@mycompany>");
  await phoneHangsUp(talk);
});

test("blind transfer in a call that the telephone system began", async () => {
  const talk = await pbxCalls(await makeEnds());
  await phoneRefers(talk, "<sip:+4930123@mycompany;user=phone>");
  await pbxHangsUp(talk);
});

test("attended transfer: Refer-To carries Replaces of a second call, byte for byte", async () => {
  const ends = await makeEnds();
  const first = await phoneCalls(ends);
  const second = await phoneCalls({ ...ends, near: await ends.place.phoneMedia(ends.phone) });
  const other = second.phoneSide;
  const replaces = `${other.callId};to-tag=pbx;from-tag=x;early-only`;
  await phoneRefers(first, `<sip:600@mycompany?Replaces=${encodeURIComponent(replaces)}>`);
  for (const { pbxSide } of [first, second]) {
    ends.pbx.inDialog(pbxSide, "BYE");
    await ends.phone.isHungUpOn();
    await ends.pbx.receives("200 BYE");
  }
  await ends.place.expectNothingLeft();
});

test("INVITE with Replaces passes to a phone and from one (RFC 3891)", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  const replaces = "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff";
  const headers = [
    ["Require", "replaces"],
    ["Replaces", replaces],
    ["Referred-By", "<sip:200@mycompany>"],
  ] as const;
  const sent = pbx.sendsInvite("100", far.sdp(), { headers });
  const called = await phone.receivesOn("INVITE");
  expect(called.message.header("Replaces")).toBe(replaces);
  expect(called.message.header("Require")).toBe("replaces");
  phone.answers(called, 481, { tag: "gone" });
  pbx.acknowledges(sent, await pbx.receives("481 INVITE"));
  phone.sendsInvite("600", near.sdp(), { headers });
  const calling = await pbx.receivesOn("INVITE");
  expect(calling.message.header("Replaces")).toBe(replaces);
  expect(calling.message.header("Referred-By")).toBe("<sip:200@mycompany>");
});

test("the telephone system refers a phone, which tells it by NOTIFY within the dialog", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide, pbxSide } = talk;
  pbx.inDialog(pbxSide, "REFER", {
    headers: [
      ["Refer-To", "<sip:103@mycompany>"],
      ["Contact", `<${pbx.contact}>`],
    ],
  });
  const refer = await phone.receivesOn("REFER");
  expect(refer.message.header("Refer-To")).toBe("<sip:103@mycompany>");
  phone.answers(refer, 202, { contact: phone.contact });
  await pbx.receives("202 REFER");
  sendsExactlyInDialog(phone, phoneSide, "NOTIFY", {
    headers: [
      ["Event", "refer"],
      ["Subscription-State", "active"],
      ["Contact", `<${phone.contact}>`],
    ],
    body: { type: "message/sipfrag", bytes: "SIP/2.0 100 Trying" },
  });
  const notify = await pbx.receivesOn("NOTIFY");
  expect(notify.message.body).toBe("SIP/2.0 100 Trying");
  pbx.answers(notify, 200);
  await phone.receives("200 NOTIFY");
  await phoneHangsUp(talk);
});

test("a REFER outside dialogs makes one of its own, both ways", async () => {
  const { phone, pbx } = await makeEnds();
  const headers = [
    ["Refer-To", "<sip:102@mycompany>"],
    ["Target-Dialog", "abc@x;local-tag=1;remote-tag=2"],
    ["Contact", `<${phone.contact}>`],
  ] as const;
  phone.requests("REFER", {
    uri: "sip:600@mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: "<sip:600@mycompany>",
    callId: phone.newId(),
    cseq: 1,
    headers,
  });
  const refer = await pbx.receivesOn("REFER");
  expect(refer.message.header("Target-Dialog")).toBe("abc@x;local-tag=1;remote-tag=2");
  pbx.answers(refer, 202, { tag: "pbx", contact: pbx.contact });
  const dialog = callerDialog(await phone.receives("202 REFER"));
  expect(dialog.routes.length).toBeGreaterThan(0);
  pbx.requestsTo("100", "REFER", { headers: [["Refer-To", "<sip:104@mycompany>"]] });
  const asked = await phone.receivesOn("REFER");
  const exact = { type: "text/plain", bytes: "no\n" };
  answersExactly(phone, asked, 603, { tag: "phone", exact });
  expect((await pbx.receives("603 REFER")).body).toBe("no\n");
});

test("how the transfer goes is told after the transferred call has ended, both ways", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, phoneSide, pbxSide } = talk;
  await phoneRefers(talk, "<sip:102@mycompany>");
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  expect(place.status.sip.dialogs).toBe(0);
  const headers = [["Event", "refer"]] as const;
  pbx.inDialog(pbxSide, "NOTIFY", { headers });
  phone.answers(await phone.receivesOn("NOTIFY"), 200);
  await pbx.receives("200 NOTIFY");
  phone.inDialog(phoneSide, "NOTIFY", { headers });
  pbx.answers(await pbx.receivesOn("NOTIFY"), 200);
  await phone.receives("200 NOTIFY");
  await place.expectNothingLeft();
});
