import { expect, test } from "bun:test";
import { simulated } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { readSdp } from "../peers/sdp-text.ts";
import { uriOf } from "../peers/sip-text.ts";
import { INSIDE, OUTSIDE, Place, sliceOf } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls } from "./talk.ts";

const PUBLIC = "192.0.2.80";
const NAT = { proxy: { publicAddress: PUBLIC } } as const;

test("behind 1:1 NAT phones outside are given the public address in SDP and Record-Route", async () => {
  const { answer, invite } = await phoneCalls(await makeEnds(NAT));
  expect(readSdp(answer.body).address).toBe(PUBLIC);
  const towardsPhone = answer.values("Record-Route").find((one) => one.includes("transport=tls"));
  expect(towardsPhone).toContain(`@${PUBLIC}:5061`);
  expect(readSdp(invite.message.body).address).toBe(INSIDE);
});

test("a call to a phone outside offers the public address", async () => {
  const { place, phone, pbx, far } = await makeEnds(NAT);
  pbx.sendsInvite("100", far.sdp());
  const { message } = await phone.receivesOn("INVITE");
  expect(readSdp(message.body).address).toBe(PUBLIC);
  expect(message.header("Via")).toContain(`${PUBLIC}:5061`);
  expect(place.status.media.sessions).toBe(1);
});

const CONFIG = { sha256: "1".repeat(64), loadedAt: "2026-01-01T00:00:00Z", error: null };
const MOVED = "192.0.2.81";

test("the public address changes in the middle of a call: Via, Contact and SDP have the new one at once", async () => {
  const talk = await phoneCalls(await makeEnds(NAT));
  const { place, phone, pbx, near, far } = talk;
  expect(talk.phoneSide.target).toContain(`@${PUBLIC}:5061`);
  await place.proxy.reload(sliceOf({ proxy: { publicAddress: MOVED } }), CONFIG);
  pbx.inDialog(talk.pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`]],
    body: far.sdp({ version: 2 }),
  });
  const again = await phone.receivesOn("INVITE");
  expect(again.message.header("Via")).toContain(`${MOVED}:5061`);
  expect(uriOf(again.message.header("Contact"))).toContain(`@${MOVED}:5061`);
  expect(readSdp(again.message.body).address).toBe(MOVED);
  phone.replies(again, 200, "phone", near.sdp({ version: 2 }));
  await pbx.isAnswered();
  // The call's own route still has the old address, which is ours by its token.
  phone.inDialog(talk.phoneSide, "BYE");
  expect((await pbx.receives("BYE")).uri).toBe(pbx.contact);
});

test("a Route that names the public or the bind address, in any spelling, is taken off silently", async () => {
  const { phone, pbx, near } = await makeEnds({
    proxy: { publicAddress: PUBLIC, publicAddress6: "2001:db8::80" },
  });
  const hosts = [
    PUBLIC,
    OUTSIDE,
    `${PUBLIC}:5060`,
    "[2001:DB8:0::80]:5061",
    "MobyDick.example.com.",
  ];
  for (const host of hosts) {
    const route = [["Route", `<sip:${host};lr>`]] as const;
    const sent = phone.sendsInvite("600", near.sdp(), { headers: route });
    const invite = await pbx.receivesOn("INVITE");
    expect(invite.message.has("Route")).toBe(false);
    pbx.answers(invite, 486);
    phone.acknowledges(sent, await phone.receives("486 INVITE"));
  }
});

test("phones in local networks are given the bind address", async () => {
  const options = { proxy: { publicAddress: PUBLIC, localNetworks: ["172.16.0.0/12"] } };
  const place = await Place.open(options);
  const pbx = await place.pbx();
  const phone = await place.phone({ address: "172.16.5.5", nat: null });
  await phone.registers();
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  const talk = await phoneCalls({ place, phone, pbx, near, far });
  expect(readSdp(talk.answer.body).address).toBe(OUTSIDE);
  await expectAudio(talk);
});

test("a phone with an IPv6 address calls an instance with an IPv4 one", async () => {
  const place = await Place.open({
    proxy: { bindAddress: "2001:db8::5", fqdn: "2001:db8::5" },
  });
  const outside = simulated(place.network, { addresses: ["2001:db8::10"] });
  const pbx = await place.pbx();
  const phone = new Phone(outside, {
    user: "100",
    domain: "mycompany",
    address: "2001:db8::10",
    transport: "tls",
    proxy: { address: "2001:db8::5", port: 5061 },
  });
  await phone.connects();
  expect((await phone.registers()).status).toBe(200);
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  const talk = await pbxCalls({ place, phone, pbx, near, far });
  expect(talk.invite.message.body).toContain("c=IN IP6 2001:db8::5");
  expect(talk.answer.body).toContain(`c=IN IP4 ${INSIDE}`);
  await expectAudio(talk);
});
