/**
 * The compiled binary on loopback with a real-socket phone and telephone system: what an operator gets.
 * Started by name (bun test skips *.e2e.ts): bun test ./test/e2e/compiled-binary.e2e.ts
 */
import { afterEach, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureTone, ToneSource } from "../../src/demo/tone.ts";
import { realWorld } from "../../src/io/world.ts";
import { selfSignedIdentity } from "../../src/tls/self-signed.ts";
import { MediaPort } from "../peers/media-port.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem, type TelephoneSystemOptions } from "../peers/telephone-system.ts";
import { calledDialog, type Dialog } from "../peers/user-agent.ts";
import { endpointOf, LoopbackPlace, type Running } from "./binary.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";
const FRAMES = 50;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function place(): LoopbackPlace {
  const made = new LoopbackPlace();
  closers.push(() => made.close());
  return made;
}

function closing<T extends { close(): void }>(peer: T): T {
  closers.push(() => peer.close());
  return peer;
}

type Ends = {
  readonly at: LoopbackPlace;
  readonly running: Running;
  readonly phone: Phone;
  readonly pbx: TelephoneSystem;
  readonly near: MediaPort;
  readonly far: MediaPort;
};

type Choice = {
  readonly proxy?: object;
  readonly instance?: object;
  readonly transport?: "tls" | "udp";
  readonly isPlain?: boolean;
  readonly pbx?: Partial<TelephoneSystemOptions>;
};

async function makeEnds(choice: Choice = {}, at = place()): Promise<Ends> {
  at.writeConfig(choice.proxy, choice.instance);
  const { running, listening } = await at.startProxy();
  const outside = onRealSockets(realWorld);
  const options = { name: "mycompany", address: at.pbx, ...choice.pbx };
  const pbx = closing(new TelephoneSystem(outside, options));
  await pbx.opens();
  pbx.registersPhones();
  const transport = choice.transport ?? "tls";
  const proxy = endpointOf(listening[transport === "tls" ? "sipTls" : "sipUdp"] ?? "");
  const account = { user: "100", domain: "mycompany", address: at.phone };
  const phone = closing(new Phone(outside, { ...account, transport, proxy }));
  await phone.connects();
  const suite = choice.isPlain === true ? {} : { suite: SUITE as typeof SUITE };
  const near = closing(await MediaPort.open(outside, { address: at.phone, ...suite }));
  const far = closing(await MediaPort.open(outside, { address: at.pbx }));
  expect((await phone.registers()).status).toBe(200);
  return { at, running, phone, pbx, near, far };
}

type Talk = Ends & { readonly phoneSide: Dialog; readonly pbxSide: Dialog };

async function phoneCalls(ends: Ends): Promise<Talk> {
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  await pbx.receives("ACK");
  return { ...ends, phoneSide: dialog, pbxSide: calledDialog(invite.message, "pbx") };
}

async function pbxCalls(ends: Ends): Promise<Talk> {
  const { phone, pbx, near, far } = ends;
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  near.uses(invite.message.body);
  phone.replies(invite, 200, "phone", near.sdp());
  const { answer, dialog } = await pbx.isAnswered();
  far.uses(answer.body);
  await phone.receives("ACK");
  return { ...ends, pbxSide: dialog, phoneSide: calledDialog(invite.message, "phone") };
}

/** A second of a tone; what arrives is measured, not only counted. */
async function expectTone(from: MediaPort, to: MediaPort, frequencyHz: number): Promise<void> {
  const source = new ToneSource("PCMA", frequencyHz);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    from.says(Buffer.from(source.nextFrame()).toString("latin1"));
  }
  const heard = await to.hearsAtLeast(FRAMES);
  expect(heard.length).toBe(FRAMES);
  const audio = new Uint8Array(Buffer.from(heard.join(""), "latin1"));
  expect(measureTone("PCMA", audio)?.frequencyHz).toBe(frequencyHz);
}

async function expectTones({ near, far }: Pick<Ends, "near" | "far">): Promise<void> {
  await expectTone(near, far, 425);
  await expectTone(far, near, 1004);
  expect([near.refused, far.refused]).toEqual([0, 0]);
}

async function phoneHangsUp({ at, phone, pbx, phoneSide }: Talk): Promise<void> {
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  expect((await at.status()).media).toMatchObject({ sessions: 0, portsInUse: 0 });
}

test("a whole call: TLS and SRTP outside, UDP and RTP inside, both directions, tones both ways", async () => {
  const ends = await makeEnds();
  const first = await phoneCalls(ends);
  expect((await ends.at.status()).media.sessions).toBe(1);
  await expectTones(first);
  await phoneHangsUp(first);
  const second = await pbxCalls(ends);
  await expectTones(second);
  await phoneHangsUp(second);
  expect((await ends.at.status()).sip).toMatchObject({ connections: 1, flows: 1, dialogs: 0 });
});

test("UDP and RTP on both sides", async () => {
  const proxy = { voipSip: "udp", voipMedia: "rtp" };
  const talk = await phoneCalls(await makeEnds({ proxy, transport: "udp", isPlain: true }));
  await expectTones(talk);
  await phoneHangsUp(talk);
});

test("TCP inside", async () => {
  const instance = { sip: { transport: "tcp" } };
  const ends = await makeEnds({ instance, pbx: { transport: "tcp" } });
  const talk = await phoneCalls(ends);
  await expectTones(talk);
  await phoneHangsUp(talk);
});

test("TLS inside: a certificate nobody vouches for is refused, one of a configured authority is taken", async () => {
  const at = place();
  const serial = realWorld.random(16);
  const notBefore = new Date(Date.now() - 86_400_000);
  const identity = await selfSignedIdentity({ fqdn: at.pbx, notBefore, days: 30, serial });
  const pbx = { transport: "tls", identity } as const;
  const sip = { transport: "tls", verifyTls: true, caPem: identity.certificatePem };
  const talk = await phoneCalls(await makeEnds({ instance: { sip }, pbx }, at));
  await expectTones(talk);
  await phoneHangsUp(talk);
  const strict = { transport: "tls", verifyTls: true };
  await expect(makeEnds({ instance: { sip: strict }, pbx })).rejects.toThrow("Expected: 200");
});

test("SIGHUP reads the file again without touching the call; an unusable file changes nothing", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { at, running } = talk;
  const before = await at.status();
  at.writeConfig({}, {}, [{ name: "another", address: "10.99.99.99" }]);
  running.signal("SIGHUP");
  await running.prints(/reloaded/, "stderr");
  const after = await at.status();
  expect(after.config.sha256).not.toBe(before.config.sha256);
  expect(Object.keys(after.instances)).toEqual(["mycompany", "another"]);
  await expectTones(talk);
  writeFileSync(at.config, '{ "version": 1, "proxies": "nonsense" }');
  running.signal("SIGHUP");
  await running.prints(/config-refused/, "stderr");
  const refused = await at.status();
  expect(refused.config.sha256).toBe(after.config.sha256);
  expect(refused.config.error).toContain("proxies");
  await expectTones(talk);
  await phoneHangsUp(talk);
});

test("SIGTERM closes connections and ports and exits 0", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { running, phone } = talk;
  await expectTones(talk);
  running.signal("SIGTERM");
  expect(await running.exits()).toBe(0);
  await phone.sees("the end of its connection", () => phone.wire?.isOpen === false);
});

test("after a restart the same Path still leads to a phone that registers again", async () => {
  const { at, running, phone, pbx, far } = await makeEnds({ proxy: { ports: { sipTls: 5061 } } });
  phone.contact = `sip:100@${at.phone}:5061;transport=tls`;
  await phone.registers();
  const { path } = pbx.registrationOf("100");
  const certificate = readFileSync(join(at.folder, "state", "certificate.pem"), "utf8");
  running.signal("SIGTERM");
  await running.exits();
  await at.startProxy();
  expect(readFileSync(join(at.folder, "state", "certificate.pem"), "utf8")).toBe(certificate);
  await phone.connects();
  phone.contact = `sip:100@${at.phone}:5061;transport=tls`;
  await phone.registers();
  expect(pbx.registrationOf("100").path).toEqual(path);
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
});

test("a phone that hangs up the hard way (ICMP) costs another phone no packet", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { at, phone, pbx } = talk;
  await expectTones(talk);
  const outside = onRealSockets(realWorld);
  const options = { ...phone.options, user: "101" };
  const second = closing(new Phone(outside, options));
  await second.connects();
  await second.registers();
  const gone = await MediaPort.open(outside, { address: at.phone, suite: SUITE });
  const far = closing(await MediaPort.open(outside, { address: at.pbx }));
  await phoneCalls({ ...talk, phone: second, pbx, near: gone, far });
  gone.says("hello");
  await far.hearsAtLeast(1);
  gone.close();
  for (let packet = 0; packet < 50; packet += 1) far.says("into a closed port");
  await expectTones(talk);
  expect((await at.status()).media.sessions).toBe(2);
});

test("a port in use and an address that is not there are one clear line and exit 1", async () => {
  const at = place();
  at.writeConfig({ voipSip: "udp", ports: { sipUdp: 5060 } });
  const holder = createSocket("udp4");
  await new Promise<void>((done) => holder.bind(5060, at.outside, done));
  closers.push(() => void holder.close());
  const taken = at.run(["proxy", "dmz", "--config", at.config]);
  expect(await taken.exits()).toBe(1);
  expect(taken.stderr).toBe(
    `cannot listen on UDP ${at.outside}:5060: the port is in use by another program\n`,
  );
  at.writeConfig({ bindAddress: "192.0.2.250", fqdn: "192.0.2.250" });
  const absent = at.run(["proxy", "dmz", "--config", at.config]);
  expect(await absent.exits()).toBe(1);
  expect(absent.stderr).toMatch(/^cannot listen on TLS 192\.0\.2\.250:0: the address is not .*\n$/);
  expect([taken.stdout, absent.stdout]).toEqual(["", ""]);
});

test("wrong input is exit 1 with all problems, wrong usage exit 2", async () => {
  const at = place();
  at.writeConfig({ voipSip: "carrier-pigeon", rtpPorts: { from: 30_001, to: 30_000 } });
  const check = at.run(["check", at.config]);
  expect(await check.exits()).toBe(1);
  expect(check.stdout).toContain("proxies[0].voipSip");
  expect(check.stdout).toContain("proxies[0].rtpPorts.from");
  expect(await at.run(["proxy", "dmz", "--config", at.config]).exits()).toBe(1);
  expect(await at.run(["proxy", "dmz"]).exits()).toBe(2);
  expect(await at.run(["sail"]).exits()).toBe(2);
  const version = at.run(["version"]);
  expect(await version.exits()).toBe(0);
  expect(version.stdout).toMatch(/0\.1\.0/);
});

test("a state folder that cannot be used is one clear line and exit 1", async () => {
  const at = place();
  at.writeConfig();
  const damaged = join(at.folder, "damaged");
  mkdirSync(damaged);
  writeFileSync(join(damaged, "flow-keys.json"), "{");
  const file = join(at.folder, "file");
  writeFileSync(file, "");
  for (const folder of [damaged, file]) {
    const refused = at.run(["proxy", "dmz", "--config", at.config, "--state", folder]);
    expect(await refused.exits()).toBe(1);
    expect(refused.stderr).toMatch(/^[^\n]+\n$/);
    expect(refused.stderr).toContain(folder);
  }
});

test("pequod status asks the running proxy, and the metrics are there", async () => {
  const { at } = await makeEnds();
  const status = at.run(["status", "--data", at.folder, "--json"]);
  expect(await status.exits()).toBe(0);
  expect(status.stdout).toContain('"dmz"');
  const metrics = await fetch("http://proxy/metrics", { unix: at.socket });
  expect(await metrics.text()).toMatch(/^pequod_\w+/m);
  const unknown = await fetch("http://proxy/anything", { unix: at.socket });
  expect(unknown.status).toBe(404);
});

test("neither .env nor bunfig.toml of the folder it is started in is read", async () => {
  const at = place();
  const folder = join(at.folder, "trap");
  mkdirSync(folder);
  writeFileSync(join(folder, "preload.ts"), 'console.log("foreign code ran");');
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(folder, ".env"), "PEQUOD_LOG=debug\n");
  const version = at.run(["version"], { cwd: folder });
  expect(await version.exits()).toBe(0);
  expect(version.stdout).not.toContain("foreign code ran");
});

test("pequod demo places its call, tells what to type, and Ctrl-C ends it", async () => {
  const at = place();
  const demo = at.run(["demo"]);
  await demo.prints(/An encrypted call has gone through Pequod:/);
  await demo.prints(/Ctrl-C ends the demonstration/);
  expect(demo.stdout).toMatch(/packets +150 out, 1[45]\d back/);
  expect(demo.stdout).toMatch(/425 Hz sent, 425 Hz heard/);
  expect(demo.stdout).toMatch(/outbound proxy +127\.0\.0\.1:\d+ /);
  demo.signal("SIGINT");
  expect(await demo.exits()).toBe(0);
  expect(demo.stderr).toBe("");
});
