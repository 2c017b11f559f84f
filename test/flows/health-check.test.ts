/** OPTIONS to each target of an instance: who lives, since when, and why not. */
import { expect, test } from "bun:test";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { INSIDE, PBX, Place, sliceOf } from "./place.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

const SECOND = "10.0.3.151";
const CHECKED = { instance: { sip: { healthCheck: true } } };

const seen = (place: Place) => {
  const { reachable, reason } = place.status.instances["mycompany"]!;
  return { reachable, reason };
};

const told = (place: Place): string[] =>
  place.log.map(({ event }) => event).filter((event) => /^instance-(un)?reachable$/.test(event));

const asked = (place: Place, at = PBX): number =>
  place.network.sent.filter(
    ({ to, bytes }) => to.address === at && Buffer.from(bytes).toString().startsWith("OPTIONS "),
  ).length;

/** Answers every OPTIONS with this status. */
function answersWith(pbx: TelephoneSystem, status: number): void {
  pbx.automatic = (received) => {
    if (received.message.method !== "OPTIONS") return false;
    pbx.answers(received, status);
    return true;
  };
}

for (const status of [200, 401, 404, 405, 503]) {
  test(`an instance that answers OPTIONS with ${status} is there`, async () => {
    const network = new SimulatedNetwork();
    const place = await Place.open(CHECKED, network);
    expect(seen(place)).toEqual({ reachable: null, reason: null });
    answersWith(await place.pbx(), status);
    await network.elapse(1500);
    expect(seen(place)).toEqual({ reachable: true, reason: null });
    expect(told(place)).toEqual(["instance-reachable"]);
  });
}

test("the question is harmless: to the instance's own address, from a user that nobody has", async () => {
  const place = await Place.open(CHECKED);
  const pbx = await place.pbx();
  pbx.automatic = () => false;
  await place.network.elapse(1100);
  const { message } = await pbx.receivesOn("OPTIONS");
  expect(message.uri).toBe(`sip:${PBX}:5060`);
  expect(message.header("From")).toStartWith(`<sip:pequod@${INSIDE}>;tag=`);
  expect(message.header("To")).toBe(`<sip:${PBX}:5060>`);
  expect(message.header("Via")).toContain(`SIP/2.0/UDP ${INSIDE}:15060;`);
  expect(message.header("Max-Forwards")).toBe("70");
});

test("an instance that falls silent is unreachable with a reason, and is noticed when it is back", async () => {
  const place = await Place.open(CHECKED);
  const pbx = await place.pbx();
  await place.network.elapse(2000);
  pbx.automatic = () => true; // hears and says nothing
  await place.network.elapse(40_000);
  expect(seen(place)).toEqual({ reachable: false, reason: "no answer to OPTIONS" });
  const [warning] = place.status.warnings;
  expect(warning?.text).toBe("mycompany: no answer to OPTIONS");
  // Since it fell silent, which was seconds after the start.
  expect(Date.parse(warning?.since ?? "")).toBeGreaterThan(Date.parse(place.status.since) + 3000);
  await place.network.elapse(60_000);
  pbx.registersPhones();
  await place.network.elapse(34_000);
  expect(seen(place)).toEqual({ reachable: true, reason: null });
  await place.network.elapse(60_000);
  expect(told(place)).toEqual(["instance-reachable", "instance-unreachable", "instance-reachable"]);
});

test("it is asked every healthInterval, a little sooner or later, and not twice at the same gap", async () => {
  const proxy = { limits: { healthInterval: 20 } };
  const place = await Place.open({ ...CHECKED, proxy });
  await place.pbx();
  await place.network.elapse(202_000);
  expect(asked(place)).toBeGreaterThanOrEqual(9);
  expect(asked(place)).toBeLessThanOrEqual(12);
  const times = place.network.sent
    .filter(({ to, bytes }) => to.address === PBX && bytes[0] === "O".charCodeAt(0))
    .map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((at, n) => at - times[n]!);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(18_000);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(23_000);
  expect(new Set(gaps).size).toBeGreaterThan(1);
});

test("one that comes and goes fills no log", async () => {
  const proxy = { limits: { healthInterval: 5, healthTimeout: 1 } };
  const place = await Place.open({ ...CHECKED, proxy });
  const pbx = await place.pbx();
  let count = 0;
  pbx.automatic = (received) => {
    if (received.message.method !== "OPTIONS") return false;
    if (Math.floor(place.network.clock.now() / 7000) % 2 === 0) pbx.answers(received, 200);
    count += 1;
    return true;
  };
  await place.network.elapse(300_000);
  expect(count).toBeGreaterThan(40);
  expect(told(place).length).toBeLessThanOrEqual(7);
});

test("the instance's own OPTIONS to us is no sign of life", async () => {
  const place = await Place.open({ instance: { sip: { healthCheck: true } } });
  const pbx = await place.pbx();
  pbx.automatic = ({ message }) => message.method === "OPTIONS" && message.status === 0;
  await place.network.elapse(8000);
  expect(seen(place).reachable).toBe(false);
  pbx.requests("OPTIONS", {
    uri: `sip:${INSIDE}:15060`,
    from: "<sip:pbx@mycompany>;tag=q",
    to: `<sip:${INSIDE}>`,
    callId: "qualify",
    cseq: 1,
  });
  await pbx.receives("200 OPTIONS");
  expect(seen(place).reachable).toBe(false);
});

test("healthCheck off asks nobody; what phones do there tells", async () => {
  const place = await Place.open({ instance: { sip: { healthCheck: false } } });
  await place.pbx();
  await place.network.elapse(70_000);
  expect(asked(place)).toBe(0);
  expect(seen(place).reachable).toBeNull();
  const phone = await place.phone();
  await phone.registers();
  expect(seen(place).reachable).toBe(true);
});

test("what the checks know costs the phone no waiting: the dead target is last", async () => {
  const network = new SimulatedNetwork();
  network.names.set("one.example", [PBX]);
  network.names.set("two.example", [SECOND]);
  network.services.set("_sip._udp.pbx.example", [
    { host: "one.example", port: 5060, priority: 1, weight: 0 },
    { host: "two.example", port: 5060, priority: 2, weight: 0 },
  ]);
  const instance = { address: "pbx.example", sip: { healthCheck: true } };
  const place = await Place.open({ instance, proxy: { limits: { targetRest: 3 } } }, network);
  const second = await place.pbx({ address: SECOND });
  await network.elapse(6000);
  expect(place.status.instances["mycompany"]).toMatchObject({
    reachable: true,
    targets: [
      { at: `${PBX}:5060`, reachable: false, reason: "no answer to OPTIONS" },
      { at: `${SECOND}:5060`, reachable: true, reason: null },
    ],
  });
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(200);
  expect(second.registers.length).toBe(1);
  // Long after its rest it is still last, until it answers.
  await network.elapse(120_000);
  expect((await phone.registers()).status).toBe(200);
  expect(second.registers.length).toBe(2);
  const first = await place.pbx();
  await network.elapse(65_000);
  expect((await phone.registers()).status).toBe(200);
  expect(first.registers.length).toBe(1);
});

test("the only target, known to be dead, is tried all the same but not for 32 seconds", async () => {
  const place = await Place.open(CHECKED);
  await place.network.elapse(6000);
  expect(seen(place).reachable).toBe(false);
  const phone = await place.phone();
  phone.sendsRegister();
  await place.network.elapse(4100);
  expect((await phone.receives("503 REGISTER")).header("Retry-After")).toBe("10");
  const deaf = await place.pbx();
  deaf.automatic = (received) => {
    if (received.message.method === "OPTIONS") return true;
    deaf.register(received);
    return true;
  };
  await place.network.elapse(31_000);
  expect(seen(place).reachable).toBe(false);
  expect((await phone.registers()).status).toBe(200);
  expect(seen(place).reachable).toBe(true);
});

for (const transport of ["tcp", "tls"] as const) {
  test(`a ${transport} instance that is down is noticed, and its connection opened again`, async () => {
    const sip = { transport, verifyTls: false, healthCheck: true };
    const place = await Place.open({ instance: { sip } });
    await place.network.elapse(2000);
    expect(seen(place).reachable).toBe(false);
    expect(seen(place).reason).toContain("ECONNREFUSED");
    const identity = { certificatePem: "", keyPem: "" };
    const pbx = await place.pbx({ transport, ...(transport === "tls" ? { identity } : {}) });
    await place.network.elapse(34_000);
    expect(seen(place).reachable).toBe(true);
    place.network.streams.break(({ remote, local }) =>
      [remote.address, local.address].includes(PBX),
    );
    await place.network.elapse(34_000);
    expect(seen(place).reachable).toBe(true);
    expect(pbx.wires.filter(({ isOpen }) => isOpen).length).toBe(1);
  });
}

test("a reload switches the checks on and off, and close() leaves no timer", async () => {
  const place = await Place.open({ instance: { sip: { healthCheck: false } } });
  const pbx = await place.pbx();
  const config = { sha256: "1".repeat(64), loadedAt: "2026-01-01T00:00:00Z", error: null };
  await place.proxy.reload(sliceOf(CHECKED), config);
  await place.network.elapse(1500);
  expect(asked(place)).toBe(1);
  await place.proxy.reload(sliceOf({ instance: { sip: { healthCheck: false } } }), config);
  await place.network.elapse(70_000);
  expect(asked(place)).toBe(1);
  pbx.automatic = () => true;
  await place.proxy.reload(sliceOf(CHECKED), config);
  await place.network.elapse(100);
  expect(asked(place)).toBe(2);
  place.proxy.close();
  expect(place.network.clock.pending).toBe(0);
  await place.network.elapse(40_000);
  expect(asked(place)).toBe(2);
});

test("a request that came to nothing has its target asked for life at once", async () => {
  const place = await Place.open({ ...CHECKED, proxy: { limits: { healthInterval: 3600 } } });
  const pbx = await place.pbx();
  await place.network.elapse(2000);
  expect([seen(place).reachable, asked(place)]).toEqual([true, 1]);
  pbx.automatic = (received) => {
    if (received.message.method === "OPTIONS" && received.message.status === 0) {
      pbx.answers(received, 200);
    }
    return true;
  };
  const phone = await place.phone();
  phone.sendsRegister();
  await place.network.elapse(32_100);
  expect(seen(place)).toEqual({ reachable: false, reason: "no answer" });
  await place.network.elapse(1100);
  expect([seen(place).reachable, asked(place)]).toEqual([true, 2]);
});
