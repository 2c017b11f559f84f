import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { calledDialog } from "../peers/user-agent.ts";
import type { Ends } from "./talk.ts";
import { makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

const BODY = "Messages-Waiting: yes\r\nVoice-Message: 999999999999/0";

function notifies(phone: Phone, o: { to?: string; route?: string }): void {
  phone.requests("NOTIFY", {
    uri: "sip:100@mycompany",
    from: `<${phone.uri}>;tag=n`,
    to: o.to ?? "<sip:100@mycompany>",
    callId: phone.newId("-notify-"),
    cseq: 1,
    headers: [
      ...(o.route === undefined ? [] : ([["Route", o.route]] as const)),
      ["Contact", `<${phone.contact}>`],
      ["Event", "message-summary"],
      ["Subscription-State", "active"],
      ["Content-Type", "application/simple-message-summary"],
    ],
    body: BODY,
  });
}

async function expectNothingInside({ place, pbx }: Ends, count: number): Promise<void> {
  await pbx.receivesNothingMore();
  expect(place.status.drops["notify-unasked"]).toBe(count);
}

test("a NOTIFY that nobody has asked for never reaches the inside, whoever sends it", async () => {
  const ends = await makeEnds();
  const { place, phone } = ends;
  const stranger = await place.phone({ user: "666", address: "192.168.1.66" });
  for (const sender of [phone, stranger]) {
    notifies(sender, {});
    await sender.receives("481 NOTIFY");
    notifies(sender, { to: "<sip:100@mycompany>;tag=made-up" });
    await sender.receives("481 NOTIFY");
    notifies(sender, { route: "<sip:mobydick.example.com;lr>", to: "<sip:1@mycompany>;tag=x" });
    await sender.receives("481 NOTIFY");
  }
  await expectNothingInside(ends, 6);
});

test("it is no offence: phones send keep-alives so, and any answer keeps their way open", async () => {
  const { place, phone } = await makeEnds();
  for (let times = 0; times < 50; times++) {
    notifies(phone, {});
    await phone.receives("481 NOTIFY");
  }
  expect((await phone.registers()).status).toBe(200);
  expect(place.status.drops["banned"]).toBeUndefined();
});

test("within a dialog it passes, also where the phone has lost its Routes", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide } = talk;
  for (const routes of [phoneSide.routes, []]) {
    phoneSide.cseq += 1;
    const dialog = { ...phoneSide, routes, target: "sip:600@mycompany" };
    phone.inDialog(dialog, "NOTIFY", { headers: [["Event", "refer"]] });
    pbx.answers(await pbx.receivesOn("NOTIFY"), 200);
    await phone.receives("200 NOTIFY");
  }
  await phoneHangsUp(talk);
});

test("of a subscription too, by its Route or by the Contact alone that the phone was given", async () => {
  const { phone, pbx } = await makeEnds();
  pbx.requestsTo("100", "SUBSCRIBE", { headers: [["Event", "dialog"]] });
  const subscribe = await phone.receivesOn("SUBSCRIBE");
  phone.replies(subscribe, 200, "phone");
  await pbx.receives("200 SUBSCRIBE");
  const dialog = calledDialog(subscribe.message, "phone");
  for (const routes of [dialog.routes, []]) {
    dialog.cseq += 1;
    phone.inDialog({ ...dialog, routes }, "NOTIFY", { headers: [["Event", "dialog"]] });
    const notify = await pbx.receivesOn("NOTIFY");
    expect(notify.message.uri).toContain("sip:10.0.3.150");
    pbx.answers(notify, 200);
    await phone.receives("200 NOTIFY");
  }
});
