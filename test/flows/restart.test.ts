/**
 * The proxy is killed (nothing is said, nothing written any more) and started again with what was on its disk a
 * second after the last change: registrations and running calls go on.
 */
import { describe, expect, test } from "bun:test";
import type { JournalFile } from "../../src/io/journal-file.ts";
import { JOURNAL } from "../../src/proxy/remembered.ts";
import type { StateStore } from "../../src/proxy/state.ts";
import { memoryJournal, Place, type PlaceOptions } from "./place.ts";
import {
  expectAudio,
  makeEnds,
  pbxCalls,
  phoneCalls,
  phoneHangsUp,
  phoneReInvites,
  type Talk,
} from "./talk.ts";

const UDP = { proxy: { voipSip: "udp" }, transport: "udp" } as const;

/** The state of a killed proxy: what reached the disk until now, and a journal that goes on from there. */
async function diskOf(place: Place): Promise<{ state: StateStore; files: Map<string, string> }> {
  const files = new Map([[JOURNAL, await place.state.journal(JOURNAL).read()]]);
  const { read, write } = place.state;
  return { state: { read, write, journal: (name) => memoryJournal(files, name) }, files };
}

/** Killed a second after the last change. */
async function killed(place: Place, options: PlaceOptions = {}): Promise<Place> {
  await place.network.elapse(1000);
  const { state } = await diskOf(place);
  place.proxy.close();
  return await Place.open({ ...options, state }, place.network);
}

async function pbxHolds({ phone, pbx, near, far, pbxSide }: Talk): Promise<void> {
  pbx.inDialog(pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`]],
    body: far.sdp({ version: 2, lines: ["a=sendonly"] }),
  });
  const invite = await phone.receivesOn("INVITE");
  phone.replies(invite, 200, "phone", near.sdp({ version: 2, lines: ["a=recvonly"] }));
  await pbx.receives("200 INVITE");
  pbx.inDialog(pbxSide, "ACK");
  await phone.receives("ACK");
}

for (const path of ["echoed", "ignored"] as const) {
  test(`UDP, Path ${path}: the phone is called at once, at its own Contact`, async () => {
    const before = await Place.open(UDP);
    const pbx = await before.pbx({ path });
    const phone = await before.phone({ transport: "udp" });
    await phone.registers();
    const after = await killed(before, UDP);
    expect(after.status.sip.flows).toBe(1);
    pbx.sendsInvite("100", (await after.pbxMedia(pbx)).sdp());
    expect((await phone.receivesOn("INVITE")).message.uri).toBe(phone.contact);
  });

  test(`TLS, Path ${path}: 430 until the phone is back, then it is found under the token it had`, async () => {
    const before = await Place.open();
    const pbx = await before.pbx({ path });
    const phone = await before.phone();
    phone.contactParams = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';
    await phone.registers();
    const token = (): string | undefined =>
      / <sip:([^@]{30,})@/.exec(pbx.registers.at(-1)?.text ?? "")?.[1];
    const known = token();
    const after = await killed(before);
    const media = await after.pbxMedia(pbx);
    const sent = pbx.sendsInvite("100", media.sdp());
    pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
    expect(after.status.sip.flows).toBe(0);
    await phone.connects();
    phone.sendsRegister();
    await phone.receives("200 REGISTER");
    expect(token()).toBe(known ?? "");
    pbx.sendsInvite("100", media.sdp());
    expect((await phone.receivesOn("INVITE")).message.uri).toBe(phone.contact);
  });
}

describe.each([
  ["UDP", UDP],
  ["TLS", {}],
] as const)("a running call over %s", (_, options) => {
  async function cut(begin: typeof phoneCalls): Promise<Talk> {
    const talk = await begin(await makeEnds(options));
    await expectAudio(talk);
    const place = await killed(talk.place, options);
    expect(place.status.sip.dialogs).toBe(1);
    if (talk.phone.options.transport === "tls") await talk.phone.connects();
    return { ...talk, place };
  }

  test("is ended by the phone", async () => {
    for (const begin of [phoneCalls, pbxCalls]) await phoneHangsUp(await cut(begin));
  });

  test("is held by the phone, its media comes back, and it ends as ever", async () => {
    for (const begin of [phoneCalls, pbxCalls]) {
      const talk = await cut(begin);
      talk.near.uses(await phoneReInvites(talk, talk.near.sdp({ version: 2 })));
      await expectAudio(talk);
      await phoneHangsUp(talk);
    }
  });

  test("is held and ended by the telephone system, once the phone has been heard", async () => {
    for (const begin of [phoneCalls, pbxCalls]) {
      const talk = await cut(begin);
      if (talk.phone.options.transport === "tls") await talk.phone.registers();
      await pbxHolds(talk);
      talk.pbx.inDialog(talk.pbxSide, "BYE");
      await talk.phone.isHungUpOn();
      await talk.pbx.receives("200 BYE");
      await talk.place.expectNothingLeft();
    }
  });
});

test("a call that ended, a phone that left and a registration that ran out are not there again", async () => {
  const talk = await phoneCalls(await makeEnds(UDP));
  await phoneHangsUp(talk);
  const leaving = await talk.place.phone({
    transport: "udp",
    user: "101",
    address: "192.168.1.11",
  });
  await leaving.registers();
  await leaving.registers({ expires: 0 });
  const after = await killed(talk.place, UDP);
  expect([after.status.sip.flows, after.status.sip.dialogs]).toEqual([1, 0]);
  const { state } = await diskOf(after);
  after.proxy.close();
  await after.network.elapse(700_000);
  const late = await Place.open({ ...UDP, state }, after.network);
  expect(late.status.sip.flows).toBe(0);
});

test("what was read is not written again", async () => {
  const before = await Place.open(UDP);
  await before.pbx();
  const phone = await before.phone({ transport: "udp" });
  await phone.registers();
  await before.network.elapse(1000);
  const { state, files } = await diskOf(before);
  before.proxy.close();
  const known = files.get(JOURNAL);
  const after = await Place.open({ ...UDP, state }, before.network);
  await after.network.elapse(1000);
  expect(files.get(JOURNAL)).toBe(known ?? "");
});

test("a call that nobody has touched for a day is not there again, one that is refreshed is", async () => {
  const hours = 3600 * 1000;
  for (const isRefreshed of [false, true]) {
    const talk = await phoneCalls(await makeEnds(UDP));
    const { network } = talk.place;
    // The proxy is down for most of the day, so that no sweep of its own ends the call.
    await network.elapse(hours);
    if (isRefreshed) {
      talk.phone.inDialog(talk.phoneSide, "INFO");
      talk.pbx.replies(await talk.pbx.receivesOn("INFO"), 200, "pbx");
      await talk.phone.receives("200 INFO");
    }
    await network.elapse(1000);
    const { state } = await diskOf(talk.place);
    talk.place.proxy.close();
    await network.elapse(23.5 * hours);
    const after = await Place.open({ ...UDP, state }, network);
    expect(after.status.sip.dialogs).toBe(isRefreshed ? 1 : 0);
  }
});

test("limits hold at the start, too", async () => {
  const before = await Place.open(UDP);
  await before.pbx();
  for (const user of ["100", "101", "102"]) {
    const phone = await before.phone({ transport: "udp", user, address: `192.168.1.${user}` });
    await phone.registers();
  }
  const after = await killed(before, { ...UDP, proxy: { ...UDP.proxy, limits: { bindings: 2 } } });
  expect(after.status.sip.flows).toBe(2);
});

test("an instance that is no longer configured takes its phones and calls with it", async () => {
  const talk = await phoneCalls(await makeEnds(UDP));
  const after = await killed(talk.place, { ...UDP, instance: { name: "other" } });
  expect([after.status.sip.flows, after.status.sip.dialogs]).toEqual([0, 0]);
});

test("a journal whose end was cut off or spoilt costs what stood there, and is whole again afterwards", async () => {
  const talk = await phoneCalls(await makeEnds(UDP));
  await talk.place.network.elapse(1000);
  const { state, files } = await diskOf(talk.place);
  talk.place.proxy.close();
  const text = files.get(JOURNAL) ?? "";
  const lines = text.trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(1);
  files.set(JOURNAL, `${lines[0]}\n${(lines[1] ?? "").slice(0, -9)}\ngarbage\n`);
  const after = await Place.open({ ...UDP, state }, talk.place.network);
  expect(after.status.drops["journal-damaged"]).toBe(2);
  expect(after.status.sip.flows).toBe(1);
  await talk.phone.registers();
  await after.network.elapse(1000);
  expect(files.get(JOURNAL)).not.toContain("garbage");
  expect((await killed(after, UDP)).status.drops["journal-damaged"]).toBeUndefined();
});

test("a full disk is told and costs no call; once there is room everything is written", async () => {
  const files = new Map<string, string>();
  let isFull = true;
  const room = memoryJournal(files, JOURNAL);
  const refuses = async (): Promise<never> => {
    throw new Error("no space left on device");
  };
  const journal: JournalFile = {
    read: room.read,
    append: (text) => (isFull ? refuses() : room.append(text)),
    replace: (pieces) => (isFull ? refuses() : room.replace(pieces)),
  };
  const { read, write } = (await Place.open(UDP)).state;
  const ends = await makeEnds({ ...UDP, state: { read, write, journal: () => journal } });
  const talk = await phoneCalls(ends);
  await expectAudio(talk);
  const { place } = talk;
  await place.network.elapse(1000);
  const warned = (): boolean =>
    place.status.warnings.some(({ code }) => code === "state-unwritable");
  expect(warned()).toBe(true);
  isFull = false;
  await place.network.elapse(6000);
  expect(warned()).toBe(false);
  expect(files.get(JOURNAL)?.trimEnd().split("\n").length).toBe(2);
});
