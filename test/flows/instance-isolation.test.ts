/** Invariant 1: nothing of one instance can be routed to another, whatever a message says. */
import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { INSIDE, PBX, Place } from "./place.ts";
import { expectAudio, phoneCalls } from "./talk.ts";

const OTHER = "10.0.4.150";

async function twoInstances() {
  const place = await Place.open({
    instances: [{ name: "other", aliases: ["other.example.com"], address: OTHER }],
  });
  const mine = await place.pbx();
  const theirs = await place.pbx({ name: "other", address: OTHER });
  const alice = await place.phone();
  const bob = await place.phone({ domain: "other", address: "192.168.1.11" });
  await alice.registers();
  await bob.registers();
  return { place, mine, theirs, alice, bob };
}

async function untouched(...peers: (Phone | TelephoneSystem)[]): Promise<void> {
  for (const peer of peers) await peer.receivesNothingMore();
}

test("the same extension, Call-ID and tag at two instances: each call is its own", async () => {
  const { place, mine, theirs, alice, bob } = await twoInstances();
  for (const [phone, pbx] of [
    [alice, mine],
    [bob, theirs],
  ] as const) {
    const near = await place.phoneMedia(phone);
    const far = await place.pbxMedia(pbx);
    await expectAudio(await phoneCalls({ place, phone, pbx, near, far }));
  }
  const each = { flows: 1, sessions: 1, dialogs: 1, requests: 0, bans: 0 };
  expect(place.status.instances).toMatchObject({ mycompany: each, other: each });
  await untouched(mine, theirs, alice, bob);
});

test("an alias means its instance, in any case of letters", async () => {
  const { place, theirs } = await twoInstances();
  const alice = await place.phone({ address: "192.168.1.12" });
  alice.requests("OPTIONS", {
    uri: "sip:600@OTHER.Example.COM",
    from: "<sip:anonymous@anonymous.invalid>;tag=a",
    to: "<sip:600@other.example.com>",
    callId: "alias",
    cseq: 1,
  });
  await alice.receives("200 OPTIONS");
  await untouched(theirs);
});

test("an instance that uses another's Path reaches nobody", async () => {
  const { mine, theirs, alice, bob } = await twoInstances();
  theirs.registrations.set("100", { ...mine.registrationOf("100") });
  const sent = theirs.sendsInvite("100", "");
  const answer = await theirs.receives("403 INVITE");
  theirs.acknowledges(sent, answer);
  await untouched(alice, bob, mine);
});

test("a stranger inside who knows a Path reaches nobody", async () => {
  const { place, mine, alice } = await twoInstances();
  const stranger = await place.pbx({ name: "mycompany", address: "10.0.3.99" });
  stranger.registrations.set("100", { ...mine.registrationOf("100") });
  stranger.sendsInvite("100", "");
  await untouched(alice, stranger);
  expect(place.status.drops["inside-stranger"]).toBe(1);
});

test("a forged and a changed token are refused", async () => {
  const { mine, alice } = await twoInstances();
  const registration = mine.registrationOf("100");
  const path = registration.path[0] ?? "";
  const token = /sip:([^@]+)@/.exec(path)?.[1] ?? "";
  const flipped = token.replace(/^./, (first) => (first === "A" ? "B" : "A"));
  for (const forged of ["anything", "A".repeat(token.length), flipped]) {
    mine.registrations.set("100", { ...registration, path: [path.replace(token, forged)] });
    const sent = mine.sendsInvite("100", "");
    mine.acknowledges(sent, await mine.receives("403 INVITE"));
  }
  await untouched(alice);
});

test("a phone cannot speak for a user of another instance", async () => {
  const { theirs, mine, alice, place } = await twoInstances();
  const near = await place.phoneMedia(alice);
  const spoof = (method: string, uri: string, from: string, to: string): void => {
    alice.requests(method, { uri, from, to, callId: alice.newId(), cseq: 1, body: near.sdp() });
  };
  spoof("INVITE", "sip:600@other", "<sip:100@mycompany>;tag=a", "<sip:600@other>");
  await alice.receives("403 INVITE");
  spoof("REGISTER", "sip:other", "<sip:100@other>;tag=a", "<sip:100@mycompany>");
  await alice.receives("403 REGISTER");
  await untouched(mine, theirs);
});

test("a dialog's token does not carry a request to another instance", async () => {
  const { place, mine, theirs, alice } = await twoInstances();
  const near = await place.phoneMedia(alice);
  const far = await place.pbxMedia(mine);
  const talk = await phoneCalls({ place, phone: alice, pbx: mine, near, far });
  const dialog = { ...talk.phoneSide, target: "sip:600@other" };
  alice.inDialog(dialog, "MESSAGE");
  await alice.receives("403 MESSAGE");
  await untouched(mine, theirs);
});

test("what phones are told never names another instance or an inside address", async () => {
  const { place, mine, alice } = await twoInstances();
  const near = await place.phoneMedia(alice);
  const far = await place.pbxMedia(mine);
  const { answer } = await phoneCalls({ place, phone: alice, pbx: mine, near, far });
  expect(answer.body).not.toContain("10.0.");
  for (const inside of [INSIDE, PBX, OTHER]) expect(answer.text).not.toContain(inside);
});
