/** Tables that are full refuse what is one too many, count it, and keep what they hold. */
import { expect, test } from "bun:test";
import { Place } from "./place.ts";

const OUTSIDE_6 = "2001:db8::5";

async function placeWith(limits: object) {
  const place = await Place.open({ proxy: { limits } });
  return { place, pbx: await place.pbx() };
}

for (const limit of ["connections", "connectionsPerAddress"]) {
  test(`one connection more than ${limit} is closed, the others stay`, async () => {
    const { place } = await placeWith({ [limit]: 2 });
    const phones = [
      await place.phone({ user: "100", address: "192.168.1.10" }),
      await place.phone({ user: "101", address: "192.168.1.11" }),
    ];
    await place.phone({ user: "102", address: "192.168.1.12" });
    await place.network.settle();
    expect(place.status.sip.connections).toBe(2);
    expect(place.status.drops["connections-full"]).toBe(1);
    for (const phone of phones) expect((await phone.registers()).status).toBe(200);
  });
}

test("an IPv6 network of one customer counts as one address, whichever of its addresses it shows", async () => {
  const place = await Place.open({
    proxy: { bindAddress: OUTSIDE_6, limits: { connectionsPerAddress: 2 } },
  });
  const proxy = { address: OUTSIDE_6, port: 5061 };
  for (const host of ["9::1", "9::2", "9::3", "9::4", "a::1"]) {
    await place.phone({ user: host, nat: null, address: `2001:db8:${host}`, proxy });
  }
  await place.network.settle();
  expect(place.status.sip.connections).toBe(3);
  expect(place.status.drops["connections-full"]).toBe(2);
});

for (const [limit, reason] of [
  ["instanceCalls", "instance-calls"],
  ["dialogs", "dialogs-full"],
] as const) {
  test(`one call more than ${limit} is 503, and there is room again when one ends`, async () => {
    const { place, pbx } = await placeWith({ [limit]: 1 });
    const phone = await place.phone();
    await phone.registers();
    const sent = phone.sendsInvite("600", "");
    const invite = await pbx.receivesOn("INVITE");
    phone.sendsInvite("601", "");
    expect((await phone.receives("503 INVITE")).has("Retry-After")).toBe(true);
    expect(place.status.drops[reason]).toBe(1);
    pbx.replies(invite, 486, "pbx");
    phone.acknowledges(sent, await phone.receives("486 INVITE"));
    await pbx.receives("ACK");
    phone.sendsInvite("602", "");
    await pbx.receives("INVITE");
  });
}

test("a REGISTER of too many contacts is refused and goes nowhere", async () => {
  const { place, pbx } = await placeWith({ contacts: 1 });
  const phone = await place.phone();
  phone.sendsRegister({ headers: [["Contact", "<sip:100@192.168.1.10:5099>"]] });
  await phone.receives("403 REGISTER");
  expect(place.status.drops["contacts-too-many"]).toBe(1);
  await pbx.receivesNothingMore();
});

test("a registration more than bindings is counted, those that are remembered are called", async () => {
  const { place, pbx } = await placeWith({ bindings: 1 });
  const first = await place.phone({ user: "100" });
  const second = await place.phone({ user: "101", address: "192.168.1.11" });
  await first.registers();
  await second.registers();
  expect(place.status.drops["bindings-full"]).toBe(1);
  pbx.sendsInvite("100", "");
  await first.receives("INVITE");
});
