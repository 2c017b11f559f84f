import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { HOME_PUBLIC, OUTSIDE, Place } from "./place.ts";
import { Nat } from "./simulated-nat.ts";

const UDP = { proxy: { voipSip: "udp" } } as const;

test("a phone behind NAT registers over UDP and is answered where it came from", async () => {
  const place = await Place.open(UDP);
  const pbx = await place.pbx();
  const phone = await place.phone({ transport: "udp" });
  const answer = await phone.registers();
  expect(answer.status).toBe(200);
  expect(answer.header("Via")).toMatch(new RegExp(`;received=${HOME_PUBLIC}`));
  expect(answer.header("Via")).toMatch(/;rport=\d+/);
  expect(place.status.sip.flows).toBe(1);
  const media = await place.pbxMedia(pbx);
  pbx.sendsInvite("100", media.sdp());
  const { message } = await phone.receivesOn("INVITE");
  expect(message.header("Via")).toContain(`SIP/2.0/UDP ${OUTSIDE}:5060;`);
  expect(message.uri).toBe(phone.contact);
});

test("SIP over TLS is closed where the proxy speaks UDP, and the other way round", async () => {
  const place = await Place.open(UDP);
  await expect(place.phone({ transport: "tls" })).rejects.toThrow("ECONNREFUSED");
  const other = await Place.open();
  const phone = await other.phone({ transport: "udp" });
  phone.sendsRegister();
  await phone.receivesNothingMore();
  expect(other.network.undelivered).toBe(1);
});

test("voipSip off opens nothing towards phones", async () => {
  const place = await Place.open({ proxy: { voipSip: "off" } });
  expect(place.status.listening).toEqual({ sipInside: place.status.listening.sipInside });
  await expect(place.phone({ transport: "tls" })).rejects.toThrow("ECONNREFUSED");
});

test("two phones with the same private address behind two routers stay apart", async () => {
  const place = await Place.open(UDP);
  const pbx = await place.pbx();
  const other = new Nat({ name: "other home", publicAddress: "198.51.100.77" });
  const alice = await place.phone({ transport: "udp", port: 5060 });
  const bob = await place.phone({ transport: "udp", port: 5060, user: "101", nat: other });
  await alice.registers();
  await bob.registers();
  const media = await place.pbxMedia(pbx);
  pbx.sendsInvite("101", media.sdp());
  await bob.receives("INVITE");
  await alice.receivesNothingMore();
});

test("two phones behind one router are told apart by their ports", async () => {
  const place = await Place.open(UDP);
  const pbx = await place.pbx();
  const alice = await place.phone({ transport: "udp", address: "192.168.1.10" });
  const bob = await place.phone({ transport: "udp", address: "192.168.1.11", user: "101" });
  await alice.registers();
  await bob.registers();
  expect(place.status.sip.flows).toBe(2);
  const media = await place.pbxMedia(pbx);
  pbx.sendsInvite("100", media.sdp());
  await alice.receives("INVITE");
  await bob.receivesNothingMore();
});

test("the Path of a UDP phone works after a restart of the proxy", async () => {
  const before = await Place.open(UDP);
  const pbx = await before.pbx();
  const phone = await before.phone({ transport: "udp" });
  await phone.registers();
  before.proxy.close();
  const { network, state } = before;
  const after = await Place.open({ ...UDP, state }, network);
  expect(after.status.sip.flows).toBe(1);
  const media = await after.pbxMedia(pbx);
  pbx.sendsInvite("100", media.sdp());
  const { message } = await phone.receivesOn("INVITE");
  expect(uriOf(message.header("To"))).toBe("sip:100@mycompany");
});
