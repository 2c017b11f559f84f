import { expect, test } from "bun:test";
import { INSIDE, PBX, Place } from "./place.ts";
import { expectAudio, pbxCalls, phoneCalls, phoneHangsUp } from "./talk.ts";

const IDENTITY = { certificatePem: "", keyPem: "" };

async function ends(transport: "tcp" | "tls") {
  const place = await Place.open({ instance: { sip: { transport, verifyTls: false } } });
  const pbx = await place.pbx({
    transport,
    ...(transport === "tls" ? { identity: IDENTITY } : {}),
  });
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(200);
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  return { place, pbx, phone, near, far };
}

for (const [transport, port] of [
  ["tcp", 15_060],
  ["tls", 15_061],
] as const) {
  test(`calls both ways over ${transport} inside, on one connection`, async () => {
    const all = await ends(transport);
    const { pbx, place } = all;
    const path = pbx.registrationOf("100").path[0];
    expect(path).toContain(`@${INSIDE}:${port};transport=${transport};lr`);
    await expectAudio(await phoneCalls(all));
    const talk = await pbxCalls({ ...all, near: await place.phoneMedia(all.phone) });
    expect(pbx.wires.length).toBe(1);
    expect(talk.invite.message.header("Via")).toContain("SIP/2.0/TLS");
  });

  test(`the telephone system may open the ${transport} connection itself`, async () => {
    const all = await ends(transport);
    const { pbx } = all;
    const own = await pbx.connect(PBX, { address: INSIDE, port }, { tls: transport === "tls" });
    pbx.registrations.set("100", { ...pbx.registrationOf("100"), wire: own });
    const talk = await pbxCalls(all);
    await expectAudio(talk);
    await phoneHangsUp(talk);
  });

  test(`a ${transport} connection that breaks is opened again by the next request`, async () => {
    const all = await ends(transport);
    const { place, phone, pbx } = all;
    place.network.streams.break(({ remote, local }) =>
      [remote.address, local.address].includes(PBX),
    );
    expect((await phone.registers()).status).toBe(200);
    expect(pbx.wires.filter(({ isOpen }) => isOpen).length).toBe(1);
    await expectAudio(await phoneCalls(all));
  });

  test(`an INVITE under way on a ${transport} connection that breaks ends at once`, async () => {
    const all = await ends(transport);
    const { place, phone, pbx, near } = all;
    const sent = phone.sendsInvite("600", near.sdp());
    await pbx.receives("INVITE");
    place.network.streams.break(({ remote, local }) =>
      [remote.address, local.address].includes(PBX),
    );
    const answer = await phone.receives(/^SIP\/2\.0 5\d\d .*CSeq: 1 INVITE/s);
    phone.acknowledges(sent, answer);
    await place.expectNothingLeft();
  });
}

test("an instance that is down costs each request one quick 503 and comes back by itself", async () => {
  const place = await Place.open({ instance: { sip: { transport: "tcp" } } });
  const phone = await place.phone();
  phone.sendsRegister();
  await phone.receives("503 REGISTER");
  expect(place.status.instances["mycompany"]?.reachable).toBe(false);
  await place.pbx({ transport: "tcp" });
  expect((await phone.registers()).status).toBe(200);
  expect(place.status.instances["mycompany"]?.reachable).toBe(true);
});

test("instances at one address with different ports stay apart over UDP", async () => {
  const place = await Place.open({
    instances: [{ name: "other", address: PBX, sip: { port: 5070 } }],
  });
  const mine = await place.pbx();
  const theirs = await place.pbx({ name: "other", port: 5070 });
  const alice = await place.phone();
  const bob = await place.phone({ domain: "other", address: "192.168.1.11" });
  await alice.registers();
  await bob.registers();
  expect(mine.registers.length).toBe(1);
  expect(theirs.registers.length).toBe(1);
  theirs.registrations.set("100", { ...mine.registrationOf("100") });
  const sent = theirs.sendsInvite("100", "");
  theirs.acknowledges(sent, await theirs.receives("403 INVITE"));
  await alice.receivesNothingMore();
});
