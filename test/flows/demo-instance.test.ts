/** The demonstration instance by itself, with scripted phones that speak UDP and RTP to it. */
import { expect, test } from "bun:test";
import { DemoInstance } from "../../src/demo/instance.ts";
import { measureTone } from "../../src/demo/tone.ts";
import type { Log } from "../../src/io/types.ts";
import { MediaPort } from "../peers/media-port.ts";
import { simulated } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { readSdp } from "../peers/sdp-text.ts";
import { calledDialog, callerDialog, digestAnswer } from "../peers/user-agent.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };

async function place(options: { maxCalls?: number } = {}) {
  const network = new SimulatedNetwork();
  const instance = await DemoInstance.open({
    world: network.world({ addresses: ["127.0.0.2"] }),
    log: quiet,
    local: { address: "127.0.0.2", port: 0 },
    domain: "demo",
    users: ["100", "101", "102"],
    password: "secret",
    product: "Test",
    ...options,
  });
  const phoneOf = async (user: string, password = "secret") => {
    const address = `192.0.2.${user}`;
    const outside = simulated(network, { addresses: [address] });
    const proxy = instance.local;
    const phone = new Phone(outside, {
      user,
      domain: "demo",
      password,
      address,
      transport: "udp",
      proxy,
    });
    await phone.connects();
    const media = await MediaPort.open(outside, { address });
    return { phone, media };
  };
  return { network, instance, phoneOf };
}

/** INVITE, the challenge, the INVITE with credentials; the 100 and what follows are for the script. */
async function calls(phone: Phone, to: string, body: string, callId: string): Promise<string> {
  const invite = phone.sendsInvite(to, body, { callId });
  const challenge = await phone.receives("401 INVITE");
  phone.acknowledges(invite, challenge);
  const authorization = digestAnswer(
    challenge.header("WWW-Authenticate"),
    { method: "INVITE", uri: `sip:${to}@demo` },
    { username: phone.options.user, password: "secret" },
  );
  return phone.sendsInvite(to, body, {
    callId,
    cseq: 2,
    headers: [["Authorization", authorization]],
  });
}

test("a phone registers with its password and not with another one", async () => {
  const { instance, phoneOf } = await place();
  const { phone } = await phoneOf("100");
  const answer = await phone.registers({
    headers: [
      ["Path", "<sip:token@203.0.113.5;lr>"],
      ["Supported", "path"],
    ],
  });
  expect(answer.summary).toBe("200 REGISTER");
  expect(answer.header("Path")).toBe("<sip:token@203.0.113.5;lr>");
  expect(answer.header("Contact")).toBe(`<${phone.contact}>;expires=600`);
  expect(instance.registered).toEqual(["100"]);
  const { phone: thief } = await phoneOf("101", "guess");
  expect((await thief.registers()).status).toBe(403);
  expect(instance.registered).toEqual(["100"]);
});

test("a Path from a proxy without Supported: path is refused as Asterisk refuses it", async () => {
  const { phoneOf } = await place();
  const { phone } = await phoneOf("100");
  const answer = await phone.registers({ headers: [["Path", "<sip:token@203.0.113.5;lr>"]] });
  expect([answer.status, answer.header("Unsupported")]).toEqual([420, "path"]);
});

test("a registration ends by itself and by Expires: 0", async () => {
  const { network, instance, phoneOf } = await place();
  const { phone } = await phoneOf("100");
  await phone.registers({ expires: 60 });
  await network.elapse(60_000);
  expect(instance.registered).toEqual([]);
  await phone.registers();
  expect(instance.registered).toEqual(["100"]);
  expect((await phone.registers({ expires: 0 })).has("Contact")).toBe(false);
  expect(instance.registered).toEqual([]);
  expect((await phone.registers({ expires: 5 })).header("Min-Expires")).toBe("60");
});

test("600 rings, answers and gives back what it hears", async () => {
  const { network, instance, phoneOf } = await place();
  const { phone, media } = await phoneOf("100");
  await calls(phone, "600", media.sdp(), "echo");
  expect((await phone.receives("180 INVITE")).has("Contact")).toBe(true);
  await network.elapse(300);
  const { answer, dialog } = await phone.isAnswered();
  media.uses(answer.body);
  media.says("one", "two");
  expect(await media.hasHeard()).toEqual(["one", "two"]);
  expect(instance.callCount).toBe(1);
  await phone.hangsUp(dialog);
  expect(instance.callCount).toBe(0);
  media.says("three");
  expect(await media.hasHeard()).toEqual([]);
});

test("601 plays a tone of 440 Hz, in time and not while the phone holds", async () => {
  const { network, phoneOf } = await place();
  const { phone, media } = await phoneOf("100");
  await calls(phone, "601", media.sdp(), "tone");
  await network.elapse(300);
  const { answer, dialog } = await phone.isAnswered();
  media.uses(answer.body);
  await network.elapse(2000);
  const audio = await media.hearsAtLeast(100);
  expect(audio.length).toBe(101);
  const tone = measureTone("PCMA", new Uint8Array(Buffer.from(audio.join(""), "latin1")));
  expect(tone?.frequencyHz).toBe(440);
  phone.inDialog(dialog, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: media.sdp({ direction: "sendonly" }),
  });
  const held = await phone.receives("200 INVITE");
  phone.inDialog(dialog, "ACK");
  expect(readSdp(held.body).direction).toBe("recvonly");
  await media.hasHeard();
  await network.elapse(1000);
  expect(await media.hasHeard()).toEqual([]);
  await phone.hangsUp(dialog);
  expect(network.clock.pending).toBeLessThan(10); // transactions only; no tone goes on
});

test("a 2xx is repeated until the ACK, and the call ends when none comes", async () => {
  const { network, instance, phoneOf } = await place();
  const { phone, media } = await phoneOf("100");
  await calls(phone, "600", media.sdp(), "no-ack");
  await network.elapse(300);
  await network.elapse(3600);
  const answers = phone.inbox.filter(({ message }) => message.summary === "200 INVITE");
  expect(answers.length).toBe(4); // at 0, 0.5, 1.5 and 3.5 s
  await network.elapse(32_000);
  await phone.receives("BYE");
  expect(instance.callCount).toBe(0);
});

test("CANCEL while it rings ends the call", async () => {
  const { instance, phoneOf } = await place();
  const { phone, media } = await phoneOf("100");
  const invite = await calls(phone, "600", media.sdp(), "cancel");
  await phone.receives("180 INVITE");
  phone.cancels(invite);
  await phone.receives("200 CANCEL");
  phone.acknowledges(invite, await phone.receives("487 INVITE"));
  expect(instance.callCount).toBe(0);
});

test("an INVITE without SDP gets an offer and the answer in the ACK counts", async () => {
  const { network, phoneOf } = await place();
  const { phone, media } = await phoneOf("100");
  await calls(phone, "600", "", "offerless");
  await network.elapse(300);
  const answer = await phone.receives("200 INVITE");
  phone.inDialog(callerDialog(answer), "ACK", { body: media.sdp() });
  media.uses(answer.body);
  media.says("hello");
  expect(await media.hasHeard()).toEqual(["hello"]);
});

test("two registered phones talk to each other, hold, resume and hang up", async () => {
  const { instance, phoneOf } = await place();
  const { phone: alice, media: near } = await phoneOf("100");
  const { phone: bob, media: far } = await phoneOf("101");
  await bob.registers();
  await calls(alice, "101", near.sdp(), "bridge");
  const invite = await bob.receivesOn("INVITE");
  expect(invite.message.header("Call-ID")).not.toBe("bridge");
  bob.replies(invite, 180, "bob");
  await alice.receives("180 INVITE");
  far.uses(invite.message.body);
  bob.replies(invite, 200, "bob", far.sdp());
  const { answer, dialog } = await alice.isAnswered();
  near.uses(answer.body);
  await bob.receives("ACK");
  near.says("hello bob");
  far.says("hello alice");
  expect(await far.hasHeard()).toEqual(["hello bob"]);
  expect(await near.hasHeard()).toEqual(["hello alice"]);

  alice.inDialog(dialog, "INVITE", {
    headers: [["Contact", `<${alice.contact}>`]],
    body: near.sdp({ direction: "sendonly" }),
  });
  const hold = await bob.receivesOn("INVITE");
  expect(readSdp(hold.message.body).direction).toBe("sendonly");
  bob.replies(hold, 200, "bob", far.sdp({ direction: "recvonly" }));
  expect(readSdp((await alice.receives("200 INVITE")).body).direction).toBe("recvonly");
  alice.inDialog(dialog, "ACK");
  await bob.receives("ACK");
  far.says("not to be heard");
  expect(await near.hasHeard()).toEqual([]);

  bob.inDialog(calledDialog(invite.message, "bob"), "BYE");
  await bob.receives("200 BYE");
  await alice.isHungUpOn();
  expect(instance.callCount).toBe(0);
});

test("all phones of a user ring, the first to answer has the call, the others are cancelled", async () => {
  const { phoneOf } = await place();
  const { phone: alice, media: near } = await phoneOf("100");
  const { phone: desk, media: far } = await phoneOf("101");
  const { phone: mobile } = await phoneOf("101");
  await desk.registers();
  await mobile.registers();
  await calls(alice, "101", near.sdp(), "fork");
  const atDesk = await desk.receivesOn("INVITE");
  const atMobile = await mobile.receivesOn("INVITE");
  mobile.replies(atMobile, 180, "mobile");
  desk.replies(atDesk, 200, "desk", far.sdp());
  await desk.receives("ACK");
  mobile.answers(await mobile.receivesOn("CANCEL"), 200);
  mobile.answers(atMobile, 487, { tag: "mobile" });
  await mobile.receives("ACK");
  await alice.isAnswered();
});

test("busy, nobody there, unknown and too many calls are told as such", async () => {
  const { instance, phoneOf } = await place({ maxCalls: 1 });
  const { phone: alice, media } = await phoneOf("100");
  const { phone: bob } = await phoneOf("101");
  const statusOf = async (to: string, callId: string): Promise<number> => {
    const invite = await calls(alice, to, media.sdp(), callId);
    const answer = await alice.receives(/^SIP\/2\.0 [3-6]/);
    alice.acknowledges(invite, answer);
    return answer.status;
  };
  expect(await statusOf("999", "unknown")).toBe(404);
  expect(await statusOf("101", "nobody")).toBe(480);
  await bob.registers();
  bob.automatic = (received) => {
    if (received.message.method === "INVITE") bob.answers(received, 486, { tag: "bob" });
    return true;
  };
  expect(await statusOf("101", "busy")).toBe(486);
  await calls(alice, "600", media.sdp(), "first");
  expect(await statusOf("600", "second")).toBe(503);
  expect(instance.callCount).toBe(1);
});

test("nobody calls without a password, and nonsense is answered without harm", async () => {
  const { instance, phoneOf } = await place();
  const { phone } = await phoneOf("100");
  phone.sendsInvite("600", "", { headers: [["Authorization", "Digest nonsense"]] });
  await phone.receives("401 INVITE");
  phone.sends("BANANA\n\n", { to: instance.local });
  phone.requests("SUBSCRIBE", {
    uri: "sip:100@demo",
    from: "<sip:100@demo>;tag=a",
    to: "<sip:100@demo>",
    callId: "mwi",
    cseq: 1,
  });
  await phone.receives("489 SUBSCRIBE");
  phone.requests("OPTIONS", {
    uri: "sip:demo",
    from: "<sip:100@demo>;tag=a",
    to: "<sip:demo>",
    callId: "options",
    cseq: 1,
  });
  await phone.receives("200 OPTIONS");
  expect([...instance.drops.keys()]).toEqual(["malformed"]);
});
