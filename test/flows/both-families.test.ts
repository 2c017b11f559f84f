/** IPv4 and IPv6 on either side, and from one to the other: neither end ever sees the other family. */
import { expect, test } from "bun:test";
import { HOME, INSIDE, INSIDE_6, PBX, Place, type PlaceOptions } from "./place.ts";
import { SimulatedNetwork } from "./simulated-network.ts";
import { expectAudio, pbxCalls, pbxHangsUp, phoneCalls, phoneHangsUp } from "./talk.ts";

const OUTSIDE_4 = "203.0.113.5";
const OUTSIDE_6 = "2001:db8::5";
const HOME_6 = "2001:db8:9::10";
const PBX_6 = "fd00:1::150";

/** A zone with an address of each family. */
const DUAL_STACK = {
  bindAddress: null,
  network: {
    mode: "manual",
    interface: "eth1",
    address: OUTSIDE_4,
    netmask: "255.255.255.0",
    address6: OUTSIDE_6,
  },
};

type Family = 4 | 6;

function placeOptions(inside: Family, transport: "tls" | "udp"): PlaceOptions {
  return {
    instance: { address: inside === 4 ? PBX : PBX_6 },
    proxy: {
      ...DUAL_STACK,
      voipSip: transport,
      inside: { address: inside === 4 ? INSIDE : INSIDE_6 },
    },
  };
}

async function ends(outside: Family, inside: Family, transport: "tls" | "udp") {
  const place = await Place.open(placeOptions(inside, transport));
  const nextHop = { address: inside === 4 ? INSIDE : INSIDE_6, port: 15_060 };
  const pbx = await place.pbx({ address: inside === 4 ? PBX : PBX_6 });
  pbx.nextHop = nextHop;
  const port = transport === "udp" ? 5060 : 5061;
  const phone = await place.phone({
    transport,
    address: outside === 4 ? HOME : HOME_6,
    proxy: { address: outside === 4 ? OUTSIDE_4 : OUTSIDE_6, port },
    ...(outside === 4 ? {} : { nat: null }),
  });
  expect((await phone.registers()).status).toBe(200);
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  return { place, phone, pbx, near, far };
}

const other = (family: Family): RegExp =>
  family === 4 ? /IP6|2001:db8|fd00:1/ : /IP4|203\.0\.113|192\.168\.1|10\.0\.3|198\.51\.100/;

for (const outside of [4, 6] as const) {
  for (const inside of [4, 6] as const) {
    for (const transport of ["tls", "udp"] as const) {
      test(`phone by IPv${outside} over ${transport}, instance by IPv${inside}: calls both ways`, async () => {
        const all = await ends(outside, inside, transport);
        const talk = await phoneCalls(all);
        await expectAudio(talk);
        const { message } = talk.invite;
        const toInstance = [message.header("Via"), message.header("Record-Route"), message.body];
        expect(toInstance[0]).toContain(inside === 4 ? `${INSIDE}:` : `[${INSIDE_6}]:`);
        expect(toInstance[1]).toContain(inside === 4 ? `@${INSIDE}:` : `@[${INSIDE_6}]:`);
        expect(message.body).not.toMatch(other(inside));
        expect(message.body).toContain(`c=IN IP${inside} ${inside === 4 ? INSIDE : INSIDE_6}`);
        expect(talk.answer.body).not.toMatch(other(outside));
        expect(talk.answer.body).toContain(
          `c=IN IP${outside} ${outside === 4 ? OUTSIDE_4 : OUTSIDE_6}`,
        );
        expect(all.pbx.registrationOf("100").path[0]).toContain(
          inside === 4 ? `@${INSIDE}:15060` : `@[${INSIDE_6}]:15060`,
        );
        await phoneHangsUp(talk);
        const near = await all.place.phoneMedia(all.phone);
        const far = await all.place.pbxMedia(all.pbx);
        const called = await pbxCalls({ ...all, near, far });
        await expectAudio(called);
        const outer = called.invite.message;
        const ours = outside === 4 ? `${OUTSIDE_4}:` : `[${OUTSIDE_6}]:`;
        expect(outer.values("Via")[0]).toContain(ours);
        expect(outer.values("Record-Route")[0]).toContain(`@${ours}`);
        expect(outer.body).not.toMatch(other(outside));
        await pbxHangsUp(called);
        const isSix = ({ address }: { readonly address: string }): boolean => address.includes(":");
        const mixed = all.place.network.sent.filter(({ from, to }) => isSix(from) !== isSix(to));
        expect(mixed).toEqual([]);
      });
    }
  }
}

test("a zone with both families listens on both, and says so", async () => {
  const place = await Place.open(placeOptions(4, "tls"));
  const { sipTls, sipTls6 } = place.status.listening;
  expect([sipTls, sipTls6]).toEqual([`${OUTSIDE_4}:5061`, `[${OUTSIDE_6}]:5061`]);
  const udp = await Place.open(placeOptions(6, "udp"));
  const { sipUdp, sipUdp6, sipInside } = udp.status.listening;
  expect([sipUdp, sipUdp6]).toEqual([`${OUTSIDE_4}:5060`, `[${OUTSIDE_6}]:5060`]);
  expect(sipInside).toEqual([`[${INSIDE_6}]:15060`]);
});

test("an instance with an address of each family: when one is down the other has calls, in its own words", async () => {
  const network = new SimulatedNetwork();
  network.names.set("pbx.example", [PBX, PBX_6]);
  const instance = { address: "pbx.example", sip: { healthCheck: true } };
  const place = await Place.open({ instance, proxy: { inside: {} } }, network);
  expect(place.status.listening.sipInside).toEqual([`${INSIDE}:15060`, `[${INSIDE_6}]:15060`]);
  const pbx = await place.pbx({ address: PBX_6 });
  const phone = await place.phone();
  phone.sendsRegister();
  await network.elapse(5000);
  await phone.receives("200 REGISTER");
  expect(pbx.registrationOf("100").path[0]).toContain(`@[${INSIDE_6}]:15060;transport=udp`);
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  const talk = await phoneCalls({ place, phone, pbx, near, far });
  expect(talk.invite.message.body).not.toMatch(other(6));
  expect(talk.invite.message.header("Record-Route")).toContain(`@[${INSIDE_6}]:`);
  await expectAudio(talk);
});
