/** How an instance wants to find phones again is learnt, shown for each, and learnt anew when it was wrong. */
import { expect, test } from "bun:test";
import { routeUri } from "../../src/proxy/routes.ts";
import { FlowTokens, instanceTag } from "../../src/sip/flow-token.ts";
import { uriOf } from "../peers/sip-text.ts";
import { INSIDE, Place, sliceOf } from "./place.ts";

const OTHER = "10.0.4.150";
const CONFIG = { sha256: "1".repeat(64), loadedAt: "2026-01-01T00:00:00Z", error: null };
const OUR_CONTACT = new RegExp(`^sip:[A-Za-z0-9_-]+@${INSIDE}:15060`);

const contactsOf = (message: { values(name: string): string[] } | undefined): string[] =>
  message?.values("Contact") ?? [];

test("a Contact mode that was learnt too early is put to the test again, and our old contact goes", async () => {
  const place = await Place.open({ proxy: { limits: { pathRetry: 60 } } });
  const early = { path: "refused" as "refused" | "echoed" };
  const pbx = await place.pbx();
  const register = pbx.automatic;
  pbx.automatic = (received) => {
    Object.assign(pbx.options, early);
    return register(received);
  };
  const phone = await place.phone();
  await phone.registers();
  expect(place.status.instances["mycompany"]?.routing).toBe("contact");
  early.path = "echoed";
  await phone.registers();
  expect(place.status.instances["mycompany"]?.routing).toBe("contact");
  await place.network.elapse(61_000);
  await phone.registers();
  const { routing, routingReason } = place.status.instances["mycompany"]!;
  expect([routing, routingReason]).toEqual(["path", "the instance echoes it"]);
  const [now, gone, ...more] = contactsOf(pbx.registers.at(-1));
  expect(uriOf(now!)).toStartWith("sip:100@192.168.1.10:");
  expect(uriOf(gone!)).toMatch(OUR_CONTACT);
  expect(gone).toEndWith(">;expires=0");
  expect(more).toEqual([]);
  await phone.registers();
  expect(contactsOf(pbx.registers.at(-1)).length).toBe(1);
});

test("put to the test in vain: one REGISTER more, and the phone stays registered", async () => {
  const place = await Place.open({ proxy: { limits: { pathRetry: 60 } } });
  const pbx = await place.pbx({ path: "refused" });
  const phone = await place.phone();
  await phone.registers();
  await place.network.elapse(61_000);
  const other = await place.phone({ user: "101", address: "192.168.1.11" });
  const before = pbx.registers.length;
  expect((await phone.registers()).status).toBe(200);
  expect((await other.registers()).status).toBe(200);
  expect(pbx.registers.length - before).toBe(3);
});

test("a Path mode that stops working is left with the next REGISTER", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  expect(place.status.instances["mycompany"]?.routing).toBe("path");
  Object.assign(pbx.options, { path: "ignored" });
  await phone.registers();
  expect(place.status.instances["mycompany"]?.routing).toBe("contact");
});

test("the contact of an instance that ignored Path is taken back in the same moment", async () => {
  const place = await Place.open();
  const pbx = await place.pbx({ path: "ignored" });
  const phone = await place.phone();
  await phone.registers();
  const [first, second] = pbx.registers;
  const stranded = uriOf(contactsOf(first)[0]!);
  expect(contactsOf(second)[1]).toBe(`<${stranded}>;expires=0`);
});

test("each instance has its own, and one of them may be fixed", async () => {
  const place = await Place.open({
    instances: [{ name: "other", address: OTHER, sip: { routing: "contact" } }],
  });
  await place.pbx();
  const theirs = await place.pbx({ name: "other", address: OTHER });
  await (await place.phone()).registers();
  await (await place.phone({ domain: "other", address: "192.168.1.11" })).registers();
  const { mycompany, other } = place.status.instances;
  expect([mycompany?.routing, mycompany?.routingReason]).toEqual([
    "path",
    "the instance echoes it",
  ]);
  expect([other?.routing, other?.routingReason]).toEqual(["contact", "configured"]);
  await place.network.elapse(7200_000);
  await (await place.phone({ domain: "other", user: "101", address: "192.168.1.12" })).registers();
  expect(theirs.registers.every((one) => !one.has("Path"))).toBe(true);
});

test("an instance that moved to another address is learnt anew", async () => {
  const place = await Place.open();
  await place.pbx({ path: "refused" });
  const phone = await place.phone();
  await phone.registers();
  expect(place.status.instances["mycompany"]?.routing).toBe("contact");
  await place.pbx({ address: "10.0.3.151" });
  await place.proxy.reload(sliceOf({ instance: { address: "10.0.3.151" } }), CONFIG);
  await phone.registers();
  expect(place.status.instances["mycompany"]?.routing).toBe("path");
});

test("a Path entry has less than 200 bytes, whatever the addresses", () => {
  const long = "2001:db8:1111:2222:3333:4444:5555:6666";
  const tokens = new FlowTokens([{ number: 15, secret: Buffer.alloc(32, 1) }]);
  const udp = { address: long, port: 65535 };
  const tag = instanceTag("x".repeat(63));
  const token = tokens.make({ instanceTag: tag, kind: "binding", id: "f".repeat(16), udp });
  const place = { address: long, port: 65535, transport: "tls" as const };
  expect(`Path: <${routeUri(place, token)};ob>`.length).toBeLessThan(200);
});
