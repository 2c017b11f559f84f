/**
 * An instance with several targets (RFC 3263): SRV, A and AAAA say which, a request goes on to the next one
 * when one fails, a dialog stays where it is.
 */
import { expect, test } from "bun:test";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { calledDialog } from "../peers/user-agent.ts";
import { type Document, PBX, Place } from "./place.ts";
import { SimulatedNetwork } from "./simulated-network.ts";
import { expectAudio, phoneCalls, phoneHangsUp } from "./talk.ts";

const SECOND = "10.0.3.151";
const THIRD = "10.0.3.152";

const srv = (host: string, priority: number, weight = 0, port = 5060) => {
  return { host, port, priority, weight };
};

/** "pbx.example": first 10.0.3.150, then 10.0.3.151. */
function twoHosts(): SimulatedNetwork {
  const network = new SimulatedNetwork();
  network.names.set("one.example", [PBX]);
  network.names.set("two.example", [SECOND]);
  network.services.set("_sip._udp.pbx.example", [srv("two.example", 20), srv("one.example", 10)]);
  return network;
}

function open(network: SimulatedNetwork, sip: Document = {}, limits: Document = {}) {
  const instance = { address: "pbx.example", sip: { healthCheck: false, ...sip } };
  return Place.open({ instance, proxy: { limits } }, network);
}

const targetsOf = (place: Place) => place.status.instances["mycompany"]?.targets ?? [];
const registersAt = (...all: TelephoneSystem[]) => all.map(({ registers }) => registers.length);

test("SRV names hosts, ports, priorities and weights; the first priority has all requests", async () => {
  const network = twoHosts();
  network.services.set("_sip._udp.pbx.example", [
    srv("two.example", 20, 5, 5070),
    srv("one.example", 10),
  ]);
  const place = await open(network);
  expect(targetsOf(place)).toMatchObject([
    { at: `${PBX}:5060`, priority: 10, weight: 0, reachable: null },
    { at: `${SECOND}:5070`, priority: 20, weight: 5, reachable: null },
  ]);
  const first = await place.pbx();
  const second = await place.pbx({ address: SECOND, port: 5070 });
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(200);
  expect((await phone.registers()).status).toBe(200);
  expect(registersAt(first, second)).toEqual([2, 0]);
});

test("a name with a port is asked for addresses only", async () => {
  const network = twoHosts();
  network.names.set("pbx.example", [THIRD]);
  const place = await open(network, { port: 5080 });
  expect(targetsOf(place).map(({ at }) => at)).toEqual([`${THIRD}:5080`]);
});

test("who is silent is given up after nextTargetTimeout, and passed over from then on", async () => {
  const place = await open(twoHosts());
  const second = await place.pbx({ address: SECOND });
  const phone = await place.phone();
  phone.sendsRegister();
  await place.network.elapse(3900);
  await phone.receivesNothingMore();
  await place.network.elapse(200);
  expect((await phone.receives("200 REGISTER")).status).toBe(200);
  expect(targetsOf(place)).toMatchObject([
    { at: `${PBX}:5060`, reachable: false, reason: "no answer" },
    { at: `${SECOND}:5060`, reachable: true, restsUntil: null },
  ]);
  expect(targetsOf(place)[0]?.restsUntil).not.toBeNull();
  // The next one does not wait.
  expect((await phone.registers()).status).toBe(200);
  expect(registersAt(second)).toEqual([2]);
  expect(place.status.drops["next-target"]).toBe(1);
  await place.expectNothingLeft();
});

test("nothing is sent again to who was given up, and an answer that comes late ends nothing", async () => {
  const place = await open(twoHosts());
  const first = await place.pbx();
  first.automatic = () => false;
  await place.pbx({ address: SECOND });
  const phone = await place.phone();
  phone.sendsRegister();
  const late = await first.receivesOn("REGISTER");
  await place.network.elapse(4100);
  await phone.receives("200 REGISTER");
  const sentBefore = place.network.sent.filter(({ to }) => to.address === PBX).length;
  await place.network.elapse(5000);
  expect(place.network.sent.filter(({ to }) => to.address === PBX).length).toBe(sentBefore);
  first.answers(late, 403);
  await phone.receivesNothingMore();
});

test("an INVITE goes on to the next target and its call stays there", async () => {
  const place = await open(twoHosts());
  const second = await place.pbx({ address: SECOND });
  const phone = await place.phone();
  phone.sendsRegister();
  await place.network.elapse(4100);
  await phone.receives("200 REGISTER");
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(second);
  await place.network.elapse(31_000); // the first one has rested
  phone.sendsInvite("600", near.sdp());
  await place.network.elapse(4100);
  const invite = await second.receivesOn("INVITE");
  far.uses(invite.message.body);
  second.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  await second.receives("ACK");
  await expectAudio({ near, far });
  // The first is back and would be first again: the BYE does not go there.
  const first = await place.pbx();
  await place.network.elapse(31_000);
  phone.inDialog(dialog, "BYE");
  await second.isHungUpOn();
  await phone.receives("200 BYE");
  await first.receivesNothingMore();
  await place.expectNothingLeft();
});

test("an INVITE that was given up is cancelled where it arrived after all", async () => {
  const place = await open(twoHosts());
  const first = await place.pbx();
  const second = await place.pbx({ address: SECOND });
  const phone = await place.phone();
  await phone.registers();
  const near = await place.phoneMedia(phone);
  phone.sendsInvite("600", near.sdp());
  const late = await first.receivesOn("INVITE");
  await place.network.elapse(4100);
  const invite = await second.receivesOn("INVITE");
  first.replies(late, 180, "slow");
  const cancel = await first.receivesOn("CANCEL");
  first.answers(cancel, 200);
  first.replies(late, 487, "slow");
  await first.receives("ACK");
  second.replies(invite, 486, "pbx");
  await phone.receives("486 INVITE");
});

test("503 goes on to the next target, and its Retry-After is respected", async () => {
  const place = await open(twoHosts());
  const first = await place.pbx();
  const second = await place.pbx({ address: SECOND });
  first.automatic = (received) => {
    first.answers(received, 503, { headers: [["Retry-After", "120 (maintenance)"]] });
    return true;
  };
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(200);
  expect(targetsOf(place)[0]).toMatchObject({ at: `${PBX}:5060`, reachable: true });
  expect(registersAt(second)).toEqual([1]);
  first.registersPhones();
  await place.network.elapse(119_000);
  await phone.registers();
  expect(registersAt(first, second)).toEqual([0, 2]);
  await place.network.elapse(2000);
  await phone.registers();
  expect(registersAt(first, second)).toEqual([1, 2]);
});

test("when all say 503 the phone hears 503, with the Retry-After of the last", async () => {
  const place = await open(twoHosts());
  for (const address of [PBX, SECOND]) {
    const pbx = await place.pbx({ address });
    pbx.automatic = (received) => {
      pbx.answers(received, 503, { headers: [["Retry-After", address === PBX ? "5" : "7"]] });
      return true;
    };
  }
  const phone = await place.phone();
  const refused = await phone.registers();
  expect([refused.status, refused.header("Retry-After")]).toEqual([503, "7"]);
});

test("other refusals are the phone's to hear: 422 and 486 go to no other target", async () => {
  const place = await open(twoHosts());
  const first = await place.pbx();
  const second = await place.pbx({ address: SECOND });
  const phone = await place.phone();
  await phone.registers();
  const near = await place.phoneMedia(phone);
  const sent = phone.sendsInvite("600", near.sdp());
  first.replies(await first.receivesOn("INVITE"), 422, "pbx");
  phone.acknowledges(sent, await phone.receives("422 INVITE"));
  await second.receivesNothingMore();
});

for (const transport of ["tcp", "tls"] as const) {
  test(`a ${transport} target that refuses or breaks connections costs no waiting`, async () => {
    const network = twoHosts();
    const service = transport === "tcp" ? "_sip._tcp" : "_sips._tcp";
    network.services.set(`${service}.pbx.example`, [
      srv("one.example", 10),
      srv("two.example", 20),
    ]);
    const place = await open(network, { transport, verifyTls: false });
    const identity = { certificatePem: "", keyPem: "" };
    const more = { transport, ...(transport === "tls" ? { identity } : {}) };
    const second = await place.pbx({ address: SECOND, ...more });
    const phone = await place.phone();
    expect((await phone.registers()).status).toBe(200);
    expect(targetsOf(place)[0]?.reason).toContain("ECONNREFUSED");
    const first = await place.pbx(more);
    first.automatic = () => false;
    await network.elapse(31_000);
    phone.sendsRegister();
    await first.receives("REGISTER");
    network.streams.break(({ remote, local }) => [remote.address, local.address].includes(PBX));
    expect((await phone.receives("200 REGISTER")).status).toBe(200);
    expect(registersAt(second)).toEqual([2]);
  });
}

test("weights share the phones out, and a request with credentials goes to who asked for them", async () => {
  const network = twoHosts();
  network.services.set("_sip._udp.pbx.example", [
    srv("one.example", 10, 50),
    srv("two.example", 10, 50),
  ]);
  const place = await open(network);
  const both = [await place.pbx(), await place.pbx({ address: SECOND })];
  for (let phone = 0; phone < 30; phone++) {
    const one = await place.phone({ address: `192.168.1.${100 + phone}`, user: `${100 + phone}` });
    await one.registers();
    await one.registers();
  }
  const calls = both.map(
    ({ registers }) => new Set(registers.map((register) => register.header("Call-ID"))),
  );
  expect(calls[0]!.size).toBeGreaterThan(5);
  expect(calls[1]!.size).toBeGreaterThan(5);
  expect([...calls[0]!].filter((id) => calls[1]!.has(id))).toEqual([]);
});

test("every target may speak and send media, others may not", async () => {
  const place = await open(twoHosts());
  const first = await place.pbx();
  const second = await place.pbx({ address: SECOND });
  const stranger = await place.pbx({ address: THIRD });
  const phone = await place.phone();
  await phone.registers();
  second.registrations.set("100", first.registrationOf("100"));
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(first);
  second.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  near.uses(invite.message.body);
  phone.replies(invite, 200, "phone", near.sdp());
  const { answer } = await second.isAnswered();
  far.uses(answer.body);
  await phone.receives("ACK");
  await expectAudio({ near, far });
  phone.inDialog(calledDialog(invite.message, "phone"), "BYE");
  await second.isHungUpOn();
  stranger.registrations.set("100", first.registrationOf("100"));
  stranger.sendsInvite("100", "");
  await place.network.settle();
  expect(place.status.drops["inside-stranger"]).toBe(1);
});

test("DNS is asked again by its time to live: a new target is used, an old one ends its calls", async () => {
  const network = twoHosts();
  network.ttlSeconds = 10;
  const place = await open(network);
  const first = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  const near = await place.phoneMedia(phone);
  const talk = await phoneCalls({
    place,
    phone,
    pbx: first,
    near,
    far: await place.pbxMedia(first),
  });
  network.services.set("_sip._udp.pbx.example", [srv("two.example", 20)]);
  await network.elapse(16_000);
  expect(targetsOf(place).map(({ at }) => at)).toEqual([`${SECOND}:5060`]);
  const second = await place.pbx({ address: SECOND });
  await phone.registers();
  expect(registersAt(first, second)).toEqual([1, 1]);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("a DNS that fails costs nothing that was known, and is told", async () => {
  const network = twoHosts();
  const place = await open(network);
  const first = await place.pbx();
  network.services.set("_sip._udp.pbx.example", "fails");
  network.names.set("pbx.example", [THIRD]);
  await network.elapse(70_000);
  const { dns, targets, reachable } = place.status.instances["mycompany"]!;
  expect(dns).toContain("no answer from DNS");
  expect([targets.length, reachable]).toEqual([2, null]);
  const phone = await place.phone();
  expect((await phone.registers()).status).toBe(200);
  expect(registersAt(first)).toEqual([1]);
  expect(place.log.filter(({ event }) => event === "instance-not-resolved").length).toBe(1);
  network.services.set("_sip._udp.pbx.example", [srv("two.example", 20)]);
  await network.elapse(6000);
  expect(place.status.instances["mycompany"]).toMatchObject({ dns: null });
  expect(targetsOf(place).map(({ at }) => at)).toEqual([`${SECOND}:5060`]);
});

test("a name that nobody knows is 503 at once, until DNS knows it", async () => {
  const network = new SimulatedNetwork();
  const place = await open(network);
  const phone = await place.phone();
  const refused = await phone.registers();
  expect([refused.status, refused.header("Retry-After")]).toEqual([503, "10"]);
  expect(place.status.instances["mycompany"]).toMatchObject({
    reachable: false,
    reason: "not resolved",
  });
  network.names.set("pbx.example", [PBX]);
  await network.elapse(5100);
  await place.pbx();
  expect((await phone.registers()).status).toBe(200);
});

test("a connection that nobody takes is 503 with Retry-After after connectTimeout", async () => {
  const place = await Place.open({ instance: { sip: { transport: "tcp" } } });
  const phone = await place.phone();
  place.network.streams.swallows(PBX);
  phone.sendsRegister();
  await place.network.elapse(3900);
  await phone.receivesNothingMore();
  await place.network.elapse(200);
  const refused = await phone.receives("503 REGISTER");
  expect(refused.header("Retry-After")).toBe("10");
  expect(place.status.instances["mycompany"]?.reason).toContain("no connection within 4000 ms");
});

test("a subscription stays with the target that took it, over the instance's hidden Contact", async () => {
  const place = await open(twoHosts());
  const second = await place.pbx({ address: SECOND });
  const phone = await place.phone();
  phone.sendsRegister();
  await place.network.elapse(4100);
  await phone.receives("200 REGISTER");
  const subscribe = (
    to: string,
    uri: string,
    cseq: number,
    routes: readonly string[] = [],
  ): void => {
    const from = "<sip:100@mycompany>;tag=watch";
    const headers = [
      ...routes.map((route) => ["Route", route] as const),
      ["Contact", `<${phone.contact}>`],
      ["Event", "dialog"],
    ] as const;
    phone.requests("SUBSCRIBE", { uri, from, to, callId: "watch", cseq, headers });
  };
  subscribe("<sip:600@mycompany>", "sip:600@mycompany", 1);
  const first = await second.receivesOn("SUBSCRIBE");
  second.answers(first, 200, { tag: "lamp", headers: [["Contact", `<${second.contact}>`]] });
  const taken = await phone.receives("200 SUBSCRIBE");
  await place.pbx();
  await place.network.elapse(60_000);
  const remote = /<([^>]+)>/.exec(taken.header("Contact"))?.[1] ?? "";
  expect(remote).not.toContain(SECOND);
  subscribe(taken.header("To"), remote, 2, taken.values("Record-Route").toReversed());
  const refresh = await second.receivesOn("SUBSCRIBE");
  expect(refresh.message.uri).toBe(second.contact);
});

test("a call from the second target goes back there, whatever its Contact says", async () => {
  const place = await open(twoHosts());
  const first = await place.pbx();
  const second = await place.pbx({ address: SECOND });
  second.contact = "sip:cluster.example";
  const phone = await place.phone();
  await phone.registers();
  second.registrations.set("100", first.registrationOf("100"));
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(second);
  second.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  phone.replies(invite, 200, "phone", near.sdp());
  await second.isAnswered();
  await phone.receives("ACK");
  phone.inDialog(calledDialog(invite.message, "phone"), "BYE");
  await second.isHungUpOn();
  await phone.receives("200 BYE");
  await first.receivesNothingMore();
});

test("phones do not learn the hosts that SRV names", async () => {
  const place = await open(twoHosts());
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  const near = await place.phoneMedia(phone);
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  const text = `399 one.example "two.example and ${SECOND} are busy"`;
  pbx.answers(invite, 486, { tag: "pbx", headers: [["Warning", text]] });
  const refused = await phone.receives("486 INVITE");
  expect(refused.header("Warning")).not.toMatch(/one\.example|two\.example|10\.0\.3\./);
});
