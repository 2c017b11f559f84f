import { expect, test } from "bun:test";
import type { Received } from "../peers/sip-peer.ts";
import { uriOf } from "../peers/sip-text.ts";
import { calledDialog, callerDialog, type Dialog } from "../peers/user-agent.ts";
import { sendsExactlyInDialog } from "./exact-body.ts";
import { type Ends, makeEnds } from "./talk.ts";

const XML =
  '<?xml version="1.0"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="7"\r\n' +
  ' state="partial" entity="sip:101@mycompany">\n\t<dialog id="\u00fc" direction="recipient"><state>early' +
  "</state></dialog></dialog-info>";

async function subscribes({ phone, pbx }: Ends, event: string, accept: string): Promise<Received> {
  phone.requests("SUBSCRIBE", {
    uri: "sip:101@mycompany",
    from: `<${phone.uri}>;tag=${phone.newId()}`,
    to: "<sip:101@mycompany>",
    callId: phone.newId("-lamp-"),
    cseq: 1,
    headers: [
      ["Contact", `<${phone.contact}>`],
      ["o", event],
      ["Accept", accept],
      ["Expires", "3600"],
    ],
  });
  return await pbx.receivesOn("SUBSCRIBE");
}

/** One NOTIFY of the telephone system, taken and answered; its body comes with every byte. */
async function notifies(
  { phone, pbx }: Ends,
  dialog: Dialog,
  o: { event: string; state: string; type: string; bytes: string },
): Promise<void> {
  sendsExactlyInDialog(pbx, dialog, "NOTIFY", {
    headers: [
      ["Event", o.event],
      ["Subscription-State", o.state],
      ["Contact", `<${pbx.contact}>`],
    ],
    body: { type: o.type, bytes: o.bytes },
  });
  const notify = await phone.receivesOn("NOTIFY");
  expect(notify.message.body).toBe(o.bytes);
  expect(notify.message.header("Event")).toBe(o.event);
  expect(notify.message.header("Subscription-State")).toBe(o.state);
  expect(notify.message.header("Content-Type")).toBe(o.type);
  expect(notify.message.uri).toBe(phone.contact);
  phone.answers(notify, 200);
  await pbx.receives("200 NOTIFY");
}

test("a lamp: SUBSCRIBE, states, refresh, and the end by Expires 0", async () => {
  const ends = await makeEnds();
  const { phone, pbx } = ends;
  const event = "dialog;sla;ma";
  const subscribe = await subscribes(ends, event, "application/dialog-info+xml");
  expect(subscribe.message.header("Event")).toBe(event);
  expect(subscribe.message.header("Expires")).toBe("3600");
  pbx.answers(subscribe, 200, {
    tag: "pbx",
    contact: pbx.contact,
    headers: [["Expires", "1800"]],
  });
  const answer = await phone.receives("200 SUBSCRIBE");
  expect(answer.header("Expires")).toBe("1800");
  const phoneSide = callerDialog(answer);
  const pbxSide = calledDialog(subscribe.message, "pbx");
  const type = "application/dialog-info+xml;charset=iso-8859-1";
  await notifies(ends, pbxSide, { event, state: "active;expires=1800", type, bytes: XML });
  for (const expires of ["1800", "0"]) {
    phone.inDialog(phoneSide, "SUBSCRIBE", {
      headers: [
        ["Contact", `<${phone.contact}>`],
        ["Event", event],
        ["Expires", expires],
      ],
    });
    const again = await pbx.receivesOn("SUBSCRIBE");
    expect(again.message.header("Expires")).toBe(expires);
    expect(uriOf(again.message.header("To"))).toBe("sip:101@mycompany");
    pbx.answers(again, 200, { contact: pbx.contact, headers: [["Expires", expires]] });
    await phone.receives("200 SUBSCRIBE");
  }
  const state = "terminated;reason=timeout";
  await notifies(ends, pbxSide, { event, state, type, bytes: "" });
});

test("the first NOTIFY may overtake the 200 of its SUBSCRIBE (RFC 6665 §4.1.2.4)", async () => {
  const ends = await makeEnds();
  const event = "dialog";
  const subscribe = await subscribes(ends, event, "application/dialog-info+xml");
  const pbxSide = calledDialog(subscribe.message, "pbx");
  const type = "application/dialog-info+xml";
  await notifies(ends, pbxSide, { event, state: "active;expires=60", type, bytes: XML });
  ends.pbx.replies(subscribe, 202, "pbx");
  await ends.phone.receives("202 SUBSCRIBE");
});

test("a telephone system that takes 20 s for a SUBSCRIBE is waited for", async () => {
  const ends = await makeEnds();
  const subscribe = await subscribes(ends, "dialog", "application/dialog-info+xml");
  await ends.place.network.elapse(20_000);
  ends.pbx.replies(subscribe, 200, "pbx");
  await ends.phone.receives("200 SUBSCRIBE");
});

test("a lamp list (RFC 4662) of many parts comes as it is", async () => {
  const ends = await makeEnds();
  const event = "dialog";
  const subscribe = await subscribes(ends, event, "multipart/related, application/rlmi+xml");
  expect(subscribe.message.header("Accept")).toBe("multipart/related, application/rlmi+xml");
  ends.pbx.replies(subscribe, 200, "pbx");
  await ends.phone.receives("200 SUBSCRIBE");
  const bytes = `--b\r\nContent-ID: <a@b>\r\n\r\n<list/>\r\n${`--b\r\n\r\n${XML}\r\n`.repeat(20)}--b--`;
  await notifies(ends, calledDialog(subscribe.message, "pbx"), {
    event,
    state: "active;expires=60",
    type: 'multipart/related;type="application/rlmi+xml";boundary=b',
    bytes,
  });
});

test("489 and 481 of a telephone system come back with what they say", async () => {
  const ends = await makeEnds();
  const refused = await subscribes(ends, "odd-package", "text/plain");
  ends.pbx.answers(refused, 489, { headers: [["Allow-Events", "dialog, presence"]] });
  const answer = await ends.phone.receives("489 SUBSCRIBE");
  expect(answer.header("Allow-Events")).toBe("dialog, presence");
});

test("a telephone system may subscribe to a phone, whose NOTIFYs find back", async () => {
  const { phone, pbx } = await makeEnds();
  pbx.requestsTo("100", "SUBSCRIBE", { headers: [["Event", "dialog"]] });
  const subscribe = await phone.receivesOn("SUBSCRIBE");
  phone.replies(subscribe, 200, "phone");
  const pbxSide = callerDialog(await pbx.receives("200 SUBSCRIBE"));
  expect(pbxSide.routes.length).toBeGreaterThan(0);
  sendsExactlyInDialog(phone, calledDialog(subscribe.message, "phone"), "NOTIFY", {
    headers: [
      ["Event", "dialog"],
      ["Subscription-State", "active"],
      ["Contact", `<${phone.contact}>`],
    ],
    body: { type: "application/dialog-info+xml", bytes: XML },
  });
  const notify = await pbx.receivesOn("NOTIFY");
  expect(notify.message.body).toBe(XML);
  pbx.answers(notify, 200);
  await phone.receives("200 NOTIFY");
});
