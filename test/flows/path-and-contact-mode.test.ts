import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { INSIDE, Place } from "./place.ts";
import { expectAudio, pbxCalls, phoneHangsUp } from "./talk.ts";

const OUR_CONTACT = new RegExp(`^sip:[A-Za-z0-9_-]+@${INSIDE}:15060`);

for (const [path, why] of [
  ["refused", "420"],
  ["ignored", "echo"],
] as const) {
  test(`routing auto finds out that Path is ${path} and goes on with our Contact`, async () => {
    const place = await Place.open();
    const pbx = await place.pbx({ path });
    const phone = await place.phone();
    const answer = await phone.registers();
    expect(answer.status).toBe(200);
    expect(uriOf(answer.header("Contact"))).toBe(phone.contact);
    const [first, second] = pbx.registers;
    expect(first?.has("Path")).toBe(true);
    expect(second?.has("Path")).toBe(false);
    expect(uriOf(second?.header("Contact") ?? "")).toMatch(OUR_CONTACT);
    expect(pbx.registers.length).toBe(2);

    const status = place.status.instances["mycompany"];
    expect(status?.routing).toBe("contact");
    expect(status?.routingReason).toContain(why);
    await phone.registers();
    expect(pbx.registers.length).toBe(3); // known by now: no second attempt
  });

  test(`a call in Contact mode (Path ${path}) reaches the phone with its own Contact`, async () => {
    const place = await Place.open();
    const pbx = await place.pbx({ path });
    const phone = await place.phone();
    await phone.registers();
    const near = await place.phoneMedia(phone);
    const far = await place.pbxMedia(pbx);
    const talk = await pbxCalls({ place, phone, pbx, near, far });
    expect(talk.invite.message.uri).toBe(phone.contact);
    await expectAudio(talk);
    await phoneHangsUp(talk);
  });
}

test("routing path sticks to Path and passes a 420 on", async () => {
  const place = await Place.open({ instance: { sip: { routing: "path" } } });
  const pbx = await place.pbx({ path: "refused" });
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(420);
  expect(pbx.registers.length).toBe(1);
});

test("routing contact never tries Path", async () => {
  const place = await Place.open({ instance: { sip: { routing: "contact" } } });
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  expect(pbx.registers.map((one) => one.has("Path"))).toEqual([false]);
  expect(uriOf(pbx.registers[0]?.header("Contact") ?? "")).toMatch(OUR_CONTACT);
});

test("in Contact mode other parameters of the Contact stay and other people's Contacts are not shown", async () => {
  const place = await Place.open({ instance: { sip: { routing: "contact" } } });
  const pbx = await place.pbx();
  const phone = await place.phone();
  pbx.automatic = (received) => {
    if (received.message.method !== "REGISTER") return false;
    const contact = received.message.header("Contact");
    expect(contact).toContain(';+sip.instance="<urn:uuid:1>"');
    const both = `${contact};expires=60, <sip:100@192.0.2.99>;expires=3600`;
    pbx.answers(received, 200, { headers: [["Contact", both]] });
    return true;
  };
  phone.contact = `${phone.contact}>;+sip.instance="<urn:uuid:1>`;
  phone.requests("REGISTER", {
    uri: "sip:mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: `<${phone.uri}>`,
    callId: "r",
    cseq: 1,
    headers: [
      ["Contact", '<sip:100@192.168.1.10:5061;transport=tls>;+sip.instance="<urn:uuid:1>"'],
    ],
  });
  const answer = await phone.receives("200 REGISTER");
  expect(answer.values("Contact")).toEqual([
    '<sip:100@192.168.1.10:5061;transport=tls>;+sip.instance="<urn:uuid:1>";expires=60',
  ]);
});

test("a registration that fails leaves no flow", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  pbx.automatic = (received) => {
    pbx.answers(received, 403);
    return true;
  };
  expect((await phone.registers()).status).toBe(403);
  expect(place.status.sip.flows).toBe(0);
});
