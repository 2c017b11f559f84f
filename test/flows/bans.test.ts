/**
 * Guessing passwords and names: who guesses is banned, by address or, behind an office's NAT, by user; who
 * cannot be told from a forged address is not; phones that work go on working.
 */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { formatLine } from "../../src/io/log.ts";
import type { Phone } from "../peers/phone.ts";
import type { Received } from "../peers/sip-peer.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { digestAnswer, type ExtraHeaders } from "../peers/user-agent.ts";
import { HOME_PUBLIC, memoryState, Place, type PlaceOptions, sliceOf } from "./place.ts";
import { Nat } from "./simulated-nat.ts";

const PASSWORD = "right";
const MINUTE_MS = 60_000;

/** Wants a digest for each REGISTER, under a nonce of its own for each challenge. */
function wantsPasswords(pbx: TelephoneSystem, more: ExtraHeaders = []): void {
  let nonces = 0;
  const challenge = (received: Received, headers: ExtraHeaders = []): void => {
    nonces += 1;
    const value = `Digest realm="mycompany", nonce="n${nonces}-${received.message.header("Call-ID").length}"`;
    const stale = headers.some(([name]) => name === "stale") ? ", stale=true" : "";
    pbx.answers(received, 401, { headers: [["WWW-Authenticate", `${value}${stale}`]] });
  };
  pbx.automatic = (received) => {
    const { message } = received;
    if (message.method === "OPTIONS" && message.status === 0) {
      pbx.answers(received, 200);
      return true;
    }
    if (message.status > 0 || message.method !== "REGISTER") return false;
    const given = message.has("Authorization") ? message.header("Authorization") : "";
    const user = /username="([^"]+)"/.exec(given)?.[1] ?? "";
    if (given !== "" && isRight(given, user)) pbx.register(received);
    else challenge(received, given === "" ? [] : more);
    return true;
  };
}

function isRight(given: string, user: string): boolean {
  const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
  const nonce = /nonce="([^"]+)"/.exec(given)?.[1] ?? "";
  const ha2 = md5("REGISTER:sip:mycompany");
  return given.includes(md5(`${md5(`${user}:mycompany:${PASSWORD}`)}:${nonce}:${ha2}`));
}

async function office(options: PlaceOptions = {}): Promise<{ place: Place; pbx: TelephoneSystem }> {
  const place = await Place.open(options);
  const pbx = await place.pbx();
  wantsPasswords(pbx);
  return { place, pbx };
}

/** One guess: the challenge, then a wrong answer. */
async function guesses(
  phone: Phone,
  password: string,
  username = phone.options.user,
): Promise<void> {
  phone.sendsRegister();
  const challenge = await phone.receives("401 REGISTER");
  const who = { username, password };
  const asked = { method: "REGISTER", uri: "sip:mycompany" };
  const answer = digestAnswer(challenge.header("WWW-Authenticate"), asked, who);
  phone.sendsRegister({ headers: [["Authorization", answer]] });
}

async function guessesTimes(phone: Phone, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    await guesses(phone, `wrong${n}`);
    await phone.receives("401 REGISTER");
  }
}

test("ten wrong passwords ban a stranger's address, twice as long each time, and the ban ends", async () => {
  const { place } = await office();
  const connects = (): Promise<Phone> => place.phone({ password: PASSWORD });
  for (const seconds of [900, 1800, 3600]) {
    const guesser = await connects();
    await guessesTimes(guesser, 9);
    expect(place.status.bans).toEqual([]);
    const from = place.network.clock.now();
    await guesses(guesser, "wrong");
    await guesser.sees("the end of its connection", () => guesser.wire?.isOpen === false);
    const until = new Date(from + seconds * 1000).toISOString();
    expect(place.status.bans).toMatchObject([
      { address: HOME_PUBLIC, user: null, reason: "wrong-password", until },
    ]);
    await expect(connects()).rejects.toThrow("closed by the peer");
    await place.network.elapse(seconds * 1000 - 1);
    await expect(connects()).rejects.toThrow("closed by the peer");
    await place.network.elapse(2);
    expect(place.status.bans).toEqual([]);
  }
  expect((await (await connects()).registers()).status).toBe(200);
});

test("a failure is one line of the log, in characters that no peer can break out of", async () => {
  const { place } = await office();
  await guesses(await place.phone(), "wrong", "100 instance=x");
  await place.network.settle();
  const lines = place.log.filter(({ event }) => event === "auth_failure");
  expect(lines.map(({ fields }) => fields)).toEqual([
    {
      proxy: "dmz",
      ip: HOME_PUBLIC,
      user: "100_instance_x",
      instance: "mycompany",
      method: "REGISTER",
    },
  ]);
  const [line] = lines.map(({ fields }) => formatLine("info", "auth_failure", fields));
  expect(line).toBe(
    `info auth_failure proxy=dmz ip=${HOME_PUBLIC} user=100_instance_x instance=mycompany method=REGISTER`,
  );
});

test("a user that exists and one that does not are told apart by nothing of ours", async () => {
  const { place, pbx } = await office();
  const shapes: string[] = [];
  for (const user of ["100", "999"]) {
    const phone = await place.phone({ user, password: PASSWORD });
    const from = place.network.clock.now();
    phone.sendsRegister();
    const { text } = await phone.receives("401 REGISTER");
    shapes.push(text.replace(/\d+/g, "#"));
    expect(place.network.clock.now()).toBe(from);
  }
  expect(shapes[0]).toBe(shapes[1] ?? "");
  expect(pbx.registers).toEqual([]);
});

test("bare challenges and stale nonces are no failures", async () => {
  const { place, pbx } = await office();
  const phone = await place.phone();
  for (let n = 0; n < 50; n += 1) {
    phone.sendsRegister();
    await phone.receives("401 REGISTER");
  }
  wantsPasswords(pbx, [["stale", "true"]]);
  await guessesTimes(phone, 30);
  const old = digestAnswer(
    'Digest realm="mycompany", nonce="of-last-week"',
    {
      method: "REGISTER",
      uri: "sip:mycompany",
    },
    { username: "100", password: "wrong" },
  );
  for (let n = 0; n < 30; n += 1) {
    phone.sendsRegister({ headers: [["Authorization", old]] });
    await phone.receives("401 REGISTER");
  }
  expect(place.status.drops["auth-failure"]).toBeUndefined();
  expect(place.status.bans).toEqual([]);
});

test("a nonce that another connection was given is no hiding place", async () => {
  const { place } = await office();
  const collector = await place.phone();
  const guesser = await place.phone({ address: "192.168.1.11" });
  for (let n = 0; n < 10; n += 1) {
    collector.sendsRegister();
    const challenge = (await collector.receives("401 REGISTER")).header("WWW-Authenticate");
    const asked = { method: "REGISTER", uri: "sip:mycompany" };
    const answer = digestAnswer(challenge, asked, { username: "100", password: `wrong${n}` });
    const decoy = 'Digest username="x", nonce="decoy"';
    guesser.sendsRegister({
      headers: [
        ["Authorization", decoy],
        ["Authorization", answer],
      ],
    });
    await place.network.settle();
  }
  expect(place.status.bans.map(({ address }) => address)).toContain(HOME_PUBLIC);
});

test("behind an office's NAT the guesser is stopped by user, his colleagues and the user's phone go on", async () => {
  const { place } = await office();
  const own = await place.phone({ user: "100", password: PASSWORD });
  const colleague = await place.phone({ user: "101", password: PASSWORD, address: "192.168.1.11" });
  expect((await own.registers()).status).toBe(200);
  expect((await colleague.registers()).status).toBe(200);
  const guesser = await place.phone({ user: "100", address: "192.168.1.66" });
  await guessesTimes(guesser, 10);
  expect(place.status.bans).toMatchObject([
    { address: HOME_PUBLIC, user: "100@mycompany", reason: "wrong-password" },
  ]);
  expect(place.status.instances["mycompany"]).toMatchObject({ flows: 2, bans: 1 });
  for (let n = 0; n < 60; n += 1) {
    await guesses(guesser, "wrong", `somebody${n}`);
    await guesser.receives("401 REGISTER");
  }
  expect(place.status.bans).toHaveLength(1);
  await guesses(guesser, PASSWORD);
  const refusal = await guesser.receives("503 REGISTER");
  expect(refusal.header("Retry-After")).toBe("900");
  expect((await own.registers()).status).toBe(200);
  expect((await colleague.registers()).status).toBe(200);
  const late = await place.phone({ user: "102", password: PASSWORD, address: "192.168.1.12" });
  expect((await late.registers()).status).toBe(200);
});

test("one user guessed from many addresses is kept out from everywhere but where he is known", async () => {
  const { place } = await office();
  const own = await place.phone({ user: "100", password: PASSWORD });
  expect((await own.registers()).status).toBe(200);
  for (let n = 0; n < 10; n += 1) {
    const nat = new Nat({ name: `bot${n}`, publicAddress: `198.51.100.${100 + n}` });
    await guessesTimes(await place.phone({ user: "100", nat }), 5);
  }
  expect(place.status.bans).toMatchObject([{ address: "*", user: "100@mycompany" }]);
  const stranger = await place.phone({
    user: "100",
    password: PASSWORD,
    nat: new Nat({ name: "new", publicAddress: "198.51.100.77" }),
  });
  expect((await stranger.registers()).status).toBe(503);
  expect((await own.registers()).status).toBe(200);
  const again = await place.phone({ user: "100", password: PASSWORD });
  expect((await again.registers()).status).toBe(200);
});

test("forged datagrams ban nobody", async () => {
  const { place } = await office({ proxy: { voipSip: "udp" } });
  const victim = await place.phone({
    transport: "udp",
    nat: null,
    address: "198.51.100.20",
    port: 5060,
  });
  // The forger sees no answer: he has nonces of his own, and the victim's address as source.
  const forger = await place.phone({ transport: "udp", nat: null, address: "198.51.100.66" });
  const answer = async (): Promise<string> => {
    forger.sendsRegister();
    const challenge = (await forger.receives("401 REGISTER")).header("WWW-Authenticate");
    const asked = { method: "REGISTER", uri: "sip:mycompany" };
    return digestAnswer(challenge, asked, { username: "100", password: "wrong" });
  };
  for (let n = 0; n < 60; n += 1) {
    const headers: ExtraHeaders = [["Authorization", await answer()]];
    victim.sendsRegister({ headers });
    await place.network.elapse(1000);
    victim.inbox.length = 0;
  }
  expect(place.status.bans.filter(({ address }) => address === "198.51.100.20")).toEqual([]);
  expect(place.status.drops["failure-unproven"]).toBeGreaterThan(10);
  const lines = place.log.filter(({ event }) => event === "auth_failure");
  expect(lines.filter(({ fields }) => fields["ip"] === "198.51.100.20")).toEqual([]);
});

test("a guesser by UDP who answers his challenges is banned and hears nothing more", async () => {
  const { place } = await office({ proxy: { voipSip: "udp" } });
  const guesser = await place.phone({ transport: "udp" });
  await guessesTimes(guesser, 9);
  await guesses(guesser, "wrong");
  await place.network.settle();
  guesser.inbox.length = 0;
  guesser.sendsRegister();
  await guesser.receivesNothingMore();
  expect(place.status.bans).toMatchObject([{ address: HOME_PUBLIC, user: null }]);
});

test("names that nobody has count as the instance refuses them, numbers that a phone dials do not", async () => {
  const { place, pbx } = await office();
  const phone = await place.phone({ password: PASSWORD });
  await phone.registers();
  for (let n = 0; n < 20; n += 1) {
    const sent = phone.sendsInvite(`9${n}`, "");
    pbx.answers(await pbx.receivesOn("INVITE"), n % 2 === 0 ? 404 : 403, { tag: "pbx" });
    phone.acknowledges(sent, await phone.receives(/^SIP\/2\.0 40[34] /));
  }
  expect(place.status.bans).toEqual([]);
  const nat = new Nat({ name: "scan", publicAddress: "198.51.100.50" });
  const scanner = await place.phone({ user: "1", nat });
  for (let n = 0; n < 10; n += 1) {
    scanner.requests("SUBSCRIBE", {
      uri: `sip:${n}@mycompany`,
      from: `<sip:${n}@mycompany>;tag=a${n}`,
      to: `<sip:${n}@mycompany>`,
      callId: `scan-${n}`,
      cseq: 1,
    });
    pbx.answers(await pbx.receivesOn("SUBSCRIBE"), 404);
    await place.network.settle();
  }
  expect(place.status.bans).toMatchObject([{ address: "198.51.100.50", reason: "refused" }]);
});

test("networks of the allow list are never banned", async () => {
  const { place } = await office({ proxy: { neverBan: [`${HOME_PUBLIC}/32`] } });
  const guesser = await place.phone();
  await guessesTimes(guesser, 30);
  expect(place.status.bans).toEqual([]);
  expect(place.status.drops["auth-failure"]).toBe(30);
  const slice = sliceOf({ proxy: { neverBan: [] } });
  await place.proxy.reload(slice, { sha256: "1".repeat(64), loadedAt: "", error: null });
  await guessesTimes(guesser, 9);
  await guesses(guesser, "wrong");
  await place.network.settle();
  expect(place.status.bans).toHaveLength(1);
});

test("a ban outlives a restart, and the operator ends it", async () => {
  const state = memoryState();
  const { place } = await office({ state });
  const guesser = await place.phone();
  await guessesTimes(guesser, 9);
  await guesses(guesser, "wrong");
  // Power goes: only what was written within the second is there.
  await place.network.elapse(1000);
  const written = state.read("bans.json");
  const cut = {
    read: (name: string) => (name === "bans.json" ? written : state.read(name)),
    write() {},
    journal: state.journal,
  };
  place.proxy.close();
  const next = await Place.open({ state: cut }, place.network);
  expect(next.status.bans).toMatchObject([{ address: HOME_PUBLIC }]);
  await expect(next.phone()).rejects.toThrow("closed by the peer");
  expect(next.proxy.unban("198.51.100.1", null)).toBe(false);
  expect(next.proxy.unban(HOME_PUBLIC, null)).toBe(true);
  expect(next.status.bans).toEqual([]);
  const phone = await next.phone();
  expect(phone.wire?.isOpen).toBe(true);
});

test("an office whose phones come back after the power cut is no stranger: its failures weigh less", async () => {
  const state = memoryState();
  const { place } = await office({ state });
  for (let n = 0; n < 5; n += 1) {
    const phone = await place.phone({ user: `${100 + n}`, password: PASSWORD });
    expect((await phone.registers()).status).toBe(200);
  }
  place.proxy.close();
  await place.network.elapse(6 * 24 * 60 * MINUTE_MS);
  const next = await Place.open({ state }, place.network);
  const wrong = await next.phone({ user: "200" });
  await guessesTimes(wrong, 10);
  // The one phone with a wrong password waits, the address is not banned for it.
  expect(next.status.bans).toMatchObject([{ address: HOME_PUBLIC, user: "200@mycompany" }]);
  const right = await next.phone({ user: "101", password: PASSWORD });
  expect((await right.registers()).status).toBe(200);
});

test("whoever tries names of instances, connection after connection, is banned", async () => {
  const { place } = await office();
  let tried = 0;
  while (place.status.bans.length === 0 && tried < 500) {
    const scanner = await place.phone({ domain: `name${tried}` });
    while (scanner.wire?.isOpen === true) {
      scanner.sendsRegister();
      tried += 1;
      await place.network.settle();
    }
  }
  expect(tried).toBe(100);
  expect(place.status.bans).toMatchObject([{ address: HOME_PUBLIC, reason: "unknown-domains" }]);
});
