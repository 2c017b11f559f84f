/**
 * What a desk phone shows and sends beside its calls: lamps (Event: dialog), waiting messages, keys, text.
 * All of it between phones behind NATs and Asterisk.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Phone } from "../peers/phone.ts";
import { callerDialog, type Dialog, digestAnswer, type ExtraHeaders } from "../peers/user-agent.ts";
import { type Lab, openLab } from "./lab.ts";
import { TREE } from "./peers.ts";
import { type ScriptedPhone, scriptedPhone } from "./scripted.ts";

let lab: Lab;
const scripted: ScriptedPhone[] = [];
beforeAll(async () => {
  lab = await openLab();
});
afterEach(async () => {
  await Promise.all(scripted.splice(0).map((one) => one.stop()));
  await lab.clear();
});
afterAll(() => lab.close());

async function script(user: string): Promise<Phone> {
  const one = await scriptedPhone("home-b", user);
  scripted.push(one);
  return one.phone;
}

/** A request outside dialogs, and once more with the digest that Asterisk asks for. */
async function asks(
  phone: Phone,
  method: string,
  uri: string,
  headers: ExtraHeaders,
  body = "",
): Promise<void> {
  const parts = {
    uri,
    from: `<${phone.uri}>;tag=script`,
    to: `<${uri}>`,
    callId: phone.newId("-request-"),
  };
  phone.requests(method, { ...parts, cseq: 1, headers, body });
  const challenge = (await phone.receives(`401 ${method}`)).header("WWW-Authenticate");
  const { user, password = "" } = phone.options;
  const answer = digestAnswer(challenge, { method, uri }, { username: user, password });
  const more = [...headers, ["Authorization", answer] as const];
  phone.requests(method, { ...parts, cseq: 2, headers: more, body });
}

async function subscribes(phone: Phone, number: string): Promise<Dialog> {
  await asks(phone, "SUBSCRIBE", `sip:${number}@mycompany`, [
    ["Contact", `<${phone.contact}>`],
    ["Event", "dialog"],
    ["Accept", "application/dialog-info+xml"],
    ["Expires", "600"],
  ]);
  return callerDialog(await phone.receives("200 SUBSCRIBE"));
}

test("a lamp: ringing, talking and the end of another extension's call are shown", async () => {
  const desk = await script("104");
  const caller = await lab.phone("home-a", "101");
  const watched = await lab.phone("lan", "102");
  const dialog = await subscribes(desk, "102");
  const shows = async (state: RegExp): Promise<void> => {
    const notify = await desk.receivesOn("NOTIFY");
    desk.answers(notify, 200);
    expect(notify.message.body).toMatch(state);
  };
  await shows(/<state>terminated<\/state>/);
  caller.dial("102");
  await watched.expects("CALL_INCOMING");
  await shows(/<state>early<\/state>/);
  await watched.picksUp();
  await shows(/<state>confirmed<\/state>/);
  await caller.hangsUp();
  await shows(/<state>terminated<\/state>/);
  desk.inDialog(dialog, "SUBSCRIBE", {
    headers: [
      ["Contact", `<${desk.contact}>`],
      ["Event", "dialog"],
      ["Expires", "0"],
    ],
  });
  await desk.receives("200 SUBSCRIBE");
  const last = await desk.receivesOn("NOTIFY");
  expect(last.message.header("Subscription-State")).toContain("terminated");
  desk.answers(last, 200);
  await lab.portsAreFree();
});

test("waiting messages: the phone is told of an empty mailbox, then of one new message", async () => {
  const phone = await lab.phone("home-a", "103");
  expect((await phone.expects("MWI_NOTIFY")).param).toContain("Messages-Waiting: no");
  const inbox = join(TREE, "lab/instances/mycompany/spool/voicemail/default/103/INBOX");
  mkdirSync(inbox, { recursive: true });
  writeFileSync(join(inbox, "msg0000.txt"), "[message]\norigmailbox=103\n");
  const told = await phone.expects("MWI_NOTIFY", 10_000);
  expect(told.param).toContain("Messages-Waiting: yes");
  expect(told.param).toMatch(/Voice-Message: 1\/0/i);
  rmSync(inbox, { recursive: true });
  expect((await phone.expects("MWI_NOTIFY", 10_000)).param).toContain("Messages-Waiting: no");
});

for (const keys of ["rtp", "info"] as const) {
  test(`keys by ${keys === "rtp" ? "RFC 4733" : "INFO"} arrive: 1, 3, 5, 0 make a tone of 1350 Hz`, async () => {
    const phone = await lab.phone("home-a", "101", "mycompany", { keys });
    phone.dial("606");
    await phone.expects("CALL_ESTABLISHED");
    phone.presses("1350");
    await phone.hears(1350, 2);
    await phone.hangsUp();
    await lab.portsAreFree();
  });
}

test("a MESSAGE from one phone to another through the instance", async () => {
  const sender = await script("103");
  const receiver = await script("104");
  const uri = "sip:104@mycompany";
  await asks(sender, "MESSAGE", uri, [["Content-Type", "text/plain"]], "the goods have come");
  const message = await receiver.receivesOn("MESSAGE");
  expect(message.message.body).toContain("the goods have come");
  receiver.answers(message, 200);
  expect((await sender.receives(/^SIP\/2\.0 [2-6].*CSeq: 2 MESSAGE/s)).status).toBeLessThan(300);
});
