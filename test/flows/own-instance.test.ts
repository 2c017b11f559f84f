/** A phone speaks for its own instance only: each way to speak for another is refused, counted, and goes nowhere. */
import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { SipText } from "../peers/sip-text.ts";
import { calledDialog } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE, Place } from "./place.ts";
import { phoneCalls } from "./talk.ts";

const OTHER = "10.0.4.150";

async function twoInstances() {
  const place = await Place.open({ instances: [{ name: "other", address: OTHER }] });
  const mine = await place.pbx();
  const theirs = await place.pbx({ name: "other", address: OTHER });
  const alice = await place.phone();
  const bob = await place.phone({ domain: "other", address: "192.168.1.11" });
  const carol = await place.phone({ user: "101", address: "192.168.1.12" });
  for (const phone of [alice, bob, carol]) await phone.registers();
  const callOf = async (phone: Phone, pbx: typeof mine) => {
    const near = await place.phoneMedia(phone);
    const far = await place.pbxMedia(pbx);
    return await phoneCalls({ place, phone, pbx, near, far });
  };
  return { place, mine, theirs, alice, bob, carol, callOf };
}

const NOBODY = "<sip:anonymous@anonymous.invalid>;tag=a";
const ALICE = "<sip:100@mycompany>;tag=a";

for (const [what, uri, from, to, reason] of [
  [
    "From of another",
    "sip:600@mycompany",
    "<sip:100@other>;tag=a",
    "<sip:600@mycompany>",
    "domain",
  ],
  ["To of another", "sip:600@mycompany", ALICE, "<sip:600@other>", "domain"],
  ["Request-URI of another", "sip:600@other", ALICE, "<sip:600@mycompany>", "domain"],
  ["anonymous to another", "sip:600@other", NOBODY, "<sip:600@other>", "instance"],
  [
    "a stranger's From to another",
    "sip:600@other",
    "<sip:x@y.example>;tag=a",
    "<tel:6>",
    "instance",
  ],
] as const) {
  test(`${what}: 403`, async () => {
    const { place, mine, theirs, alice } = await twoInstances();
    for (const method of ["OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER"]) {
      const parts = { uri, from, to, callId: alice.newId(), cseq: 1 };
      alice.requests(method, parts);
      await alice.receives(`403 ${method}`);
    }
    expect(place.status.drops[`other-${reason}`]).toBe(5);
    await mine.receivesNothingMore();
    await theirs.receivesNothingMore();
  });
}

test("a REGISTER that names two instances: 403; one for a second account passes", async () => {
  const { theirs, alice } = await twoInstances();
  const register = (uri: string, from: string, to: string): void => {
    const headers = [["Contact", `<${alice.contact}>`]] as const;
    alice.requests("REGISTER", { uri, from, to, callId: alice.newId(), cseq: 1, headers });
  };
  register("sip:other", ALICE, "<sip:100@other>");
  await alice.receives("403 REGISTER");
  register("sip:other", "<sip:100@other>;tag=b", "<sip:100@mycompany>");
  await alice.receives("403 REGISTER");
  register("sip:other", "<sip:105@other>;tag=c", "<sip:105@other>");
  await alice.receives("200 REGISTER");
  alice.requests("MESSAGE", {
    uri: "sip:600@other",
    from: "<sip:105@other>;tag=d",
    to: "<sip:600@other>",
    callId: "second",
    cseq: 1,
  });
  await theirs.receives("MESSAGE");
});

test("an anonymous request of a phone that is registered nowhere is the instance's to judge", async () => {
  const { place, theirs } = await twoInstances();
  const stranger = await place.phone({ address: "192.168.1.13" });
  const parts = { uri: "sip:600@other", from: NOBODY, to: "<sip:600@other>", callId: "x", cseq: 1 };
  stranger.requests("MESSAGE", parts);
  await theirs.receives("MESSAGE");
});

test("tokens of another instance, in Route and in the Request-URI, do not reach it", async () => {
  const { place, mine, theirs, alice, bob, callOf } = await twoInstances();
  const own = (await callOf(alice, mine)).phoneSide;
  const others = (await callOf(bob, theirs)).phoneSide;
  for (const dialog of [
    others,
    { ...own, routes: others.routes },
    { ...own, target: others.target },
    { ...own, target: others.target, routes: [] },
    { ...others, target: own.target },
    { ...own, routes: [...own.routes, ...others.routes] },
  ]) {
    alice.inDialog({ ...dialog, cseq: 50 }, "INFO");
    await alice.receives("403 INFO");
  }
  await mine.receivesNothingMore();
  await theirs.receivesNothingMore();
  const { drops } = place.status;
  expect((drops["other-instance"] ?? 0) + (drops["token-refused"] ?? 0)).toBe(6);
});

test("a phone's token does not make another phone that one, unless it lost its flow", async () => {
  const { place, mine, alice, carol, callOf } = await twoInstances();
  const { phoneSide } = await callOf(alice, mine);
  carol.inDialog({ ...phoneSide }, "BYE");
  await carol.receives("403 BYE");
  expect(place.status.drops["other-phone"]).toBe(1);
  await mine.receivesNothingMore();
  // Not registered yet: it may be the phone itself, back from another place; the instance judges.
  const back = await place.phone({ address: "192.168.1.14" });
  back.inDialog({ ...phoneSide, cseq: 60 }, "INFO");
  await mine.receives("INFO");
});

test("forged and changed tokens and masks: 403, counted", async () => {
  const { place, mine, alice, callOf } = await twoInstances();
  const { phoneSide } = await callOf(alice, mine);
  const flip = (text: string, at: number): string => {
    const other = text[at] === "A" ? "B" : "A";
    return text.slice(0, at) + other + text.slice(at + 1);
  };
  const [route = ""] = phoneSide.routes;
  const forged = [
    { ...phoneSide, routes: [flip(route, 10)] },
    { ...phoneSide, routes: [route.replace("@", ".AAAAAAAAAAAAAAAAAAAAAAAA@")] },
    { ...phoneSide, target: flip(phoneSide.target, 20) },
    { ...phoneSide, target: `sip:pq.AAAA@${OUTSIDE}`, routes: [] },
  ];
  for (const dialog of forged) {
    alice.inDialog(dialog, "INFO");
    await alice.receives("403 INFO");
  }
  expect(place.status.drops["token-refused"]).toBe(forged.length);
  await mine.receivesNothingMore();
});

test("a user whose name looks like a mask is called by the instance's domain all the same", async () => {
  const { mine, alice } = await twoInstances();
  const uri = "sip:pq.bob@mycompany";
  alice.requests("MESSAGE", { uri, from: ALICE, to: `<${uri}>`, callId: "pq", cseq: 1 });
  expect((await mine.receives("MESSAGE")).uri).toBe(uri);
});

test("Path and Record-Route that a phone makes up lead nowhere", async () => {
  const { mine, alice, place } = await twoInstances();
  await alice.registers({ headers: [["Path", "<sip:evil@192.0.2.66;lr>"]] });
  expect(mine.registers.at(-1)?.text).not.toContain("192.0.2.66");
  const near = await place.phoneMedia(alice);
  const far = await place.pbxMedia(mine);
  const before = place.network.sent.length;
  alice.sendsInvite("600", near.sdp(), {
    headers: [["Record-Route", `<sip:192.0.2.66;lr>, <sip:x@${INSIDE};lr>`]],
  });
  const invite = await mine.receivesOn("INVITE");
  expect(invite.message.values("Record-Route").length).toBe(1);
  expect(invite.message.text).not.toContain("192.0.2.66");
  mine.replies(invite, 200, "pbx", far.sdp());
  await alice.isAnswered();
  mine.inDialog(calledDialog(invite.message, "pbx"), "BYE");
  expect((await alice.receives("BYE")).values("Route").length).toBe(2);
  const to = new Set(place.network.sent.slice(before).map((sent) => sent.to.address));
  expect(to.has("192.0.2.66")).toBe(false);
});

test("Via and Contact of a phone decide nothing about where answers and requests go", async () => {
  const { place, mine, alice } = await twoInstances();
  const before = place.network.sent.length;
  const text = alice.requestText("MESSAGE", {
    uri: "sip:600@mycompany",
    from: ALICE,
    to: "<sip:600@mycompany>",
    callId: "poison",
    cseq: 1,
    headers: [["Contact", "<sip:100@192.0.2.66:5060;maddr=192.0.2.67>"]],
  });
  const lie = "192.0.2.66:5060;maddr=192.0.2.67;received=192.0.2.68;rport=9";
  alice.sends(text.replace(/(Via: \S+ )[^;]+/, `$1${lie}`).replace(/;rport$/m, ""));
  mine.answers(await mine.receivesOn("MESSAGE"), 200);
  await alice.receives("200 MESSAGE");
  const places = place.network.sent.slice(before).map((sent) => sent.to.address);
  expect(places.filter((address) => address.startsWith("192.0.2."))).toEqual([]);
});

test("a Contact counts only after the instance's 2xx", async () => {
  const { place, mine, alice, carol } = await twoInstances();
  const register = mine.automatic;
  mine.automatic = (received) => {
    if (received.message.method !== "REGISTER") return register(received);
    mine.answers(received, 403);
    return true;
  };
  carol.requests("REGISTER", {
    uri: "sip:mycompany",
    from: "<sip:100@mycompany>;tag=x",
    to: "<sip:100@mycompany>",
    callId: "hijack",
    cseq: 1,
    headers: [["Contact", `<${alice.contact}>`]],
  });
  await carol.receives("403 REGISTER");
  mine.requestsTo("100", "MESSAGE");
  await alice.receives("MESSAGE");
  await carol.receivesNothingMore();
  expect(place.status.instances["mycompany"]?.flows).toBe(2);
});

test("an answer from elsewhere is no answer, whoever knows the branch", async () => {
  const { place, mine, alice } = await twoInstances();
  const rogue = await place.pbx({ name: "mycompany", port: 5099 });
  alice.requests("MESSAGE", {
    uri: "sip:600@mycompany",
    from: ALICE,
    to: "<sip:600@mycompany>",
    callId: "m",
    cseq: 1,
  });
  const received = await mine.receivesOn("MESSAGE");
  rogue.answers(
    { message: new SipText(received.message.text, received.message.from), wire: rogue.wire! },
    200,
  );
  await alice.receivesNothingMore();
  expect(place.status.drops["response-from-elsewhere"]).toBe(1);
  mine.answers(received, 202);
  await alice.receives("202 MESSAGE");
});
