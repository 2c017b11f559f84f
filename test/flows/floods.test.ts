/**
 * Floods and freeloaders: an office that comes back at once is served, a stranger is slowed and then banned,
 * scanners hear nothing, forged datagrams are not multiplied, and no user, address or instance takes
 * what belongs to the others.
 */
import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { HOME_PUBLIC, memoryState, OUTSIDE, Place, type PlaceOptions } from "./place.ts";
import { Nat } from "./simulated-nat.ts";

const UDP = { proxy: { voipSip: "udp", voipMedia: "rtp" } };

async function placeWithPbx(options: PlaceOptions = {}, network?: Place["network"]) {
  const place = await Place.open(options, network);
  return { place, pbx: await place.pbx() };
}

/** An office of so many phones, connected and not yet registered. */
async function phonesOf(place: Place, count: number): Promise<Phone[]> {
  const phones: Phone[] = [];
  for (let n = 0; n < count; n += 1) {
    phones.push(await place.phone({ user: `${1000 + n}`, address: `192.168.2.${n + 1}` }));
  }
  return phones;
}

test("200 phones behind one NAT come back in one moment, all with BLF: nobody is refused or banned", async () => {
  const state = memoryState();
  const first = await placeWithPbx({ state });
  for (const phone of await phonesOf(first.place, 200)) {
    expect((await phone.registers()).status).toBe(200);
  }
  first.place.proxy.close();
  const place = await Place.open({ state }, first.place.network);
  const phones = await phonesOf(place, 200);
  for (const phone of phones) {
    phone.sendsRegister();
    for (let key = 0; key < 15; key += 1) {
      phone.requests("SUBSCRIBE", {
        uri: `sip:${key}@mycompany`,
        from: `<${phone.uri}>;tag=t${key}`,
        to: `<sip:${key}@mycompany>`,
        callId: phone.newId("-blf-"),
        cseq: 1,
        headers: [
          ["Contact", `<${phone.contact}>`],
          ["Event", "dialog"],
        ],
      });
    }
  }
  await place.network.settle();
  for (const phone of phones) await phone.receives("200 REGISTER");
  expect(place.status.bans).toEqual([]);
  const refused = Object.keys(place.status.drops).filter((one) => /-per-|bans/.test(one));
  expect(refused).toEqual([]);
}, 60_000);

test("an office whose instance is down keeps its connections, a crowd of strangers does not", async () => {
  const state = memoryState();
  const proxy = { limits: { connectionsUnregistered: 2, firstByteTimeout: 300 } };
  const first = await placeWithPbx({ state, proxy });
  for (const phone of await phonesOf(first.place, 5)) await phone.registers();
  first.place.proxy.close();
  const place = await Place.open({ state, proxy }, first.place.network);
  const office = await phonesOf(place, 7);
  const nat = new Nat({ name: "other", publicAddress: "198.51.100.44" });
  const strangers = [
    await place.phone({ nat }),
    await place.phone({ nat }),
    await place.phone({ nat }),
  ];
  await place.network.elapse(31_000);
  expect(office.filter(({ wire }) => wire?.isOpen !== true)).toEqual([]);
  expect(strangers.filter(({ wire }) => wire?.isOpen !== true)).toHaveLength(1);
  expect(place.status.drops["connections-unregistered"]).toBe(1);
});

test("a stranger's flood on a connection is told to wait, then the address is banned", async () => {
  const { place } = await placeWithPbx({ proxy: { limits: { refusals: 200 } } });
  const flooder = await place.phone();
  const sends = (count: number): void => {
    for (let n = 0; n < count; n += 1) {
      flooder.requests("OPTIONS", {
        uri: "sip:1@mycompany",
        from: "<sip:1@mycompany>;tag=a",
        to: "<sip:1@mycompany>",
        callId: flooder.newId("-flood-"),
        cseq: 1,
      });
    }
  };
  sends(510);
  const busy = await flooder.receives("503 OPTIONS");
  expect(busy.header("Retry-After")).toBe("10");
  expect(place.status.drops["requests-per-flow"]).toBe(10);
  expect(place.status.bans).toEqual([]);
  sends(200);
  await flooder.sees("the end of its connection", () => flooder.wire?.isOpen === false);
  expect(place.status.bans).toMatchObject([{ address: HOME_PUBLIC, reason: "too-many-requests" }]);
});

test("a flooder behind an office's NAT loses his connection, the office nothing", async () => {
  const { place } = await placeWithPbx({ proxy: { limits: { refusals: 200 } } });
  const [own] = await phonesOf(place, 1);
  if (own === undefined) throw new Error("no phone");
  expect((await own.registers()).status).toBe(200);
  const flooder = await place.phone({ user: "666" });
  for (let n = 0; n < 800; n += 1) flooder.sendsRegister({ headers: [["X-Flood", `${n}`]] });
  await flooder.sees("the end of its connection", () => flooder.wire?.isOpen === false);
  expect(place.status.drops["connection-too-busy"]).toBe(1);
  expect(place.status.bans).toEqual([]);
  expect((await own.registers()).status).toBe(200);
});

test("datagrams forged with an office's address do not use up what its phones may send", async () => {
  const { place, pbx } = await placeWithPbx(UDP);
  const usual = pbx.automatic;
  pbx.automatic = (received) => {
    if (!received.message.text.includes("To-Be-Refused")) return usual(received);
    pbx.answers(received, 401, { headers: [["WWW-Authenticate", 'Digest nonce="n"']] });
    return true;
  };
  const own = await place.phone({ transport: "udp" });
  expect((await own.registers()).status).toBe(200);
  // Other ports of the same address.
  for (let port = 0; port < 4; port += 1) {
    const forged = await place.phone({
      transport: "udp",
      user: "666",
      address: `192.168.9.${port}`,
    });
    for (let n = 0; n < 450; n += 1) forged.sendsRegister({ headers: [["To-Be-Refused", `${n}`]] });
  }
  await place.network.settle();
  expect(place.status.drops["requests-per-address"]).toBeGreaterThan(0);
  expect((await own.registers()).status).toBe(200);
});

test("what the instance grants counts towards no rate", async () => {
  const { place } = await placeWithPbx();
  const phone = await place.phone();
  for (let n = 0; n < 700; n += 1) expect((await phone.registers()).status).toBe(200);
  expect(place.status.drops["requests-per-flow"]).toBeUndefined();
  expect(place.status.drops["requests-per-address"]).toBeUndefined();
}, 60_000);

test("handshakes of one address are refused before they cost anything, others' are not", async () => {
  const { place } = await placeWithPbx();
  const outcomes: boolean[] = [];
  for (let n = 0; n < 1010; n += 1) {
    const connecting = place.phone();
    outcomes.push(
      await connecting.then(
        () => true,
        () => false,
      ),
    );
  }
  expect(outcomes.filter((one) => one)).toHaveLength(1000);
  expect(place.status.drops["handshakes-per-address"]).toBe(10);
  const nat = new Nat({ name: "other", publicAddress: "198.51.100.44" });
  expect((await (await place.phone({ nat })).registers()).status).toBe(200);
  await place.network.elapse(1000);
  expect((await (await place.phone()).registers()).status).toBe(200);
}, 60_000);

test("scanners hear nothing from their first request on, and are banned where they have a connection", async () => {
  for (const agent of ["friendly-scanner", "sipcli/v1.8", "pplsip", "VaxSIPUserAgent/3.1"]) {
    const udp = await placeWithPbx(UDP);
    const scanner = await udp.place.phone({ transport: "udp" });
    for (let n = 0; n < 20; n += 1) scanner.sendsRegister({ headers: [["User-Agent", agent]] });
    await scanner.receivesNothingMore();
    expect(udp.pbx.registers).toEqual([]);
    expect(udp.place.status.drops["scanner"]).toBe(20);
    expect(udp.place.status.bans).toEqual([]);
    expect(udp.place.status.sip.transactions).toBeLessThanOrEqual(1); // the health check
  }
  const { place } = await placeWithPbx();
  const scanner = await place.phone();
  for (let n = 0; n < 10; n += 1) scanner.sendsRegister({ headers: [["User-Agent", "sundayddr"]] });
  await scanner.sees("the end of its connection", () => scanner.wire?.isOpen === false);
  expect(scanner.inbox).toEqual([]);
  expect(place.status.bans).toMatchObject([{ address: HOME_PUBLIC, reason: "scanner" }]);
  const nat = new Nat({ name: "other", publicAddress: "198.51.100.44" });
  const phone = await place.phone({ nat });
  const agent = ["User-Agent", "snomD785/10.1.169"] as const;
  expect((await phone.registers({ headers: [agent] })).status).toBe(200);
});

/** What went to the home address, in bytes, by time. */
const answersTo = (place: Place): readonly { bytes: number; atMs: number }[] =>
  place.network.sent
    .filter(({ from, to }) => from.address === OUTSIDE && to.address === HOME_PUBLIC)
    .map(({ bytes, atMs }) => ({ bytes: bytes.length, atMs }));

test("a source that may be forged gets our answers once a second, hardly larger than the request", async () => {
  const place = await Place.open(UDP);
  const forged = await place.phone({ transport: "udp" });
  for (let n = 0; n < 100; n += 1) {
    forged.sendsRegister(); // nobody answers inside: 503 of our own
    forged.requests("INVITE", {
      uri: "sip:mobydick.example.com",
      from: "<sip:1@x>;tag=a",
      to: "<sip:1@x>",
      callId: `forged-${n}`,
      cseq: 1,
    });
    await place.network.elapse(100);
  }
  const answers = answersTo(place);
  expect(answers.length).toBeLessThanOrEqual(11);
  const largest = Math.max(
    ...place.network.sent
      .filter(({ to }) => to.address === OUTSIDE)
      .map(({ bytes }) => bytes.length),
  );
  for (const { bytes } of answers) expect(bytes).toBeLessThanOrEqual(largest + 64);
});

test("an instance's answers to a source that may be forged: five a second, at most twice the bytes, none repeated", async () => {
  const { place, pbx } = await placeWithPbx(UDP);
  let padding = "";
  pbx.automatic = (received) => {
    if (received.message.status > 0) return false;
    const value = `Digest realm="a", nonce="${pbx.newId()}"`;
    const headers = [
      ["WWW-Authenticate", value],
      ["X-Padding", padding],
    ] as const;
    pbx.answers(received, received.message.method === "OPTIONS" ? 200 : 401, { headers });
    return true;
  };
  const forged = await place.phone({ transport: "udp" });
  for (let n = 0; n < 100; n += 1) {
    forged.sendsRegister();
    await place.network.elapse(100);
  }
  const seconds = 10;
  expect(answersTo(place).length).toBeLessThanOrEqual(20 + 5 * seconds);
  expect(answersTo(place).length).toBeGreaterThan(5 * seconds);
  const before = answersTo(place).length;
  await place.network.elapse(10_000);
  padding = "x".repeat(800);
  forged.sendsRegister();
  await place.network.elapse(40_000);
  expect(answersTo(place)).toHaveLength(before);
  expect(place.status.drops["unproven-source"]).toBeGreaterThan(0);
});

test("one user holds so many calls and no more, his colleague has his own", async () => {
  const { place, pbx } = await placeWithPbx({ proxy: { limits: { userCalls: 4 } } });
  const thief = await place.phone();
  const colleague = await place.phone({ user: "101", address: "192.168.1.11" });
  await thief.registers();
  await colleague.registers();
  for (let n = 0; n < 4; n += 1) {
    thief.sendsInvite("600", "");
    pbx.replies(await pbx.receivesOn("INVITE"), 200, `pbx${n}`);
    await thief.isAnswered();
    await pbx.receives("ACK");
  }
  thief.sendsInvite("600", "");
  expect((await thief.receives("503 INVITE")).header("Retry-After")).toBe("10");
  expect(place.status.drops["user-calls"]).toBe(1);
  colleague.sendsInvite("600", "");
  await pbx.receives("INVITE");
});

test("a source whose calls nobody answers cannot take all ports", async () => {
  const limits = { ringingPerAddress: 6, userCalls: 1000 };
  const { place, pbx } = await placeWithPbx({ proxy: { limits } });
  const stranger = await place.phone({ user: "1" });
  for (let n = 0; n < 20; n += 1) {
    stranger.sendsInvite("600", "");
    await place.network.settle();
  }
  expect(place.status.sip.dialogs).toBe(6);
  expect(place.status.drops["ringing-per-address"]).toBe(14);
  const nat = new Nat({ name: "other", publicAddress: "198.51.100.44" });
  const other = await place.phone({ user: "2", nat });
  pbx.inbox.length = 0;
  other.sendsInvite("600", "");
  await pbx.receives("INVITE");
});

test("strangers' calls leave the instance's phones their part of the new calls", async () => {
  const limits = { instanceCallsPerSecond: 8, burst: 1 };
  const { place, pbx } = await placeWithPbx({ proxy: { limits } });
  const phone = await place.phone();
  await phone.registers();
  const stranger = await place.phone({
    user: "1",
    nat: new Nat({ name: "other", publicAddress: "198.51.100.44" }),
  });
  for (let n = 0; n < 5; n += 1) {
    stranger.sendsInvite("600", "");
    await place.network.settle();
  }
  expect(place.status.drops["instance-call-rate"]).toBe(3);
  pbx.inbox.length = 0;
  phone.sendsInvite("600", "");
  await pbx.receives("INVITE");
});

test("a dead instance fills its own share of requests and slows no other", async () => {
  const { place } = await placeWithPbx({
    proxy: { limits: { instanceRequests: 16, transactions: 200 } },
    instances: [{ name: "dead", address: "10.0.9.9" }],
  });
  const victims: Phone[] = [];
  for (let n = 0; n < 60; n += 1) {
    const phone = await place.phone({
      user: `${n}`,
      domain: "dead",
      address: `192.168.3.${n + 1}`,
    });
    phone.sendsRegister();
    victims.push(phone);
  }
  await place.network.settle();
  expect(place.status.instances["dead"]?.requests).toBe(16);
  expect(place.status.drops["instance-requests"]).toBe(44);
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(200);
  await place.network.elapse(40_000);
  expect(place.status.instances["dead"]?.requests).toBe(0);
});

test("one call forks to so many phones, and a liar's many answers are kept to the same number", async () => {
  const { place, pbx } = await placeWithPbx({ proxy: { limits: { forks: 3 } } });
  const phones = await phonesOf(place, 5);
  for (const phone of phones) await phone.registers();
  for (const phone of phones) {
    const ids = { callId: "one-call", callerTag: "one-tag" };
    pbx.sendsInvite(phone.options.user, "", ids);
    await place.network.settle();
  }
  expect(place.status.drops["forks-too-many"]).toBe(2);
  expect(place.status.sip.dialogs).toBe(3);
  const [first] = phones;
  const invite = await first?.receivesOn("INVITE");
  if (first === undefined || invite === undefined) throw new Error("not called");
  for (let n = 0; n < 9; n += 1) first.replies(invite, 200, `liar${n}`);
  await place.network.settle();
  expect(place.status.sip.dialogs).toBe(5);
});

test("registrations of one address have a bound, those that are there stay", async () => {
  const { place } = await placeWithPbx({ proxy: { limits: { registrationsPerAddress: 3 } } });
  const phones = await phonesOf(place, 4);
  const answers: number[] = [];
  for (const phone of phones) answers.push((await phone.registers()).status);
  expect(answers).toEqual([200, 200, 200, 503]);
  expect((await phones[0]?.registers())?.status).toBe(200);
  expect(place.status.drops["registrations-per-address"]).toBe(1);
});

test("a limit that is hit minute after minute is a warning, and none once it is over", async () => {
  const { place } = await placeWithPbx({ proxy: { limits: { registrationsPerAddress: 1 } } });
  const [first, second] = await phonesOf(place, 2);
  await first?.registers();
  const warned = (): boolean =>
    place.status.warnings.some(({ text }) => text.startsWith("registrations-per-address"));
  for (let minute = 0; minute < 3; minute += 1) {
    expect(warned()).toBe(false);
    expect((await second?.registers())?.status).toBe(503);
    await place.network.elapse(60_000);
  }
  expect(warned()).toBe(true);
  await place.network.elapse(60_000);
  expect(warned()).toBe(false);
});
