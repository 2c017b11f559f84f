/**
 * The compiled binary on loopback with a real-socket phone and telephone system: what an operator gets.
 * Started by name (bun test skips *.e2e.ts): bun test ./test/e2e/compiled-binary.e2e.ts
 */
import { afterEach, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realWorld } from "../../src/io/world.ts";
import { selfSignedIdentity } from "../../src/tls/self-signed.ts";
import { MediaPort } from "../peers/media-port.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { fetches } from "../peers/phone-http.ts";
import {
  closeAll,
  closing,
  expectTones,
  makeEnds,
  pbxCalls,
  phoneCalls,
  phoneHangsUp,
  place,
  SUITE,
} from "./call.ts";

afterEach(closeAll);

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
  closing({ close: () => void holder.close() });
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
  const help = at.run(["--help"]);
  expect(await help.exits()).toBe(0);
  expect(help.stdout).toStartWith("usage: pequod COMMAND\n");
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
  const calls = await fetch("http://proxy/calls?q=x", { unix: at.socket });
  expect(await calls.json()).toEqual({ running: 0, ended: 0, calls: [] });
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
  const url = new URL(/https:\S+\/p\/\S+/.exec(demo.stdout)?.[0] ?? "");
  const file = await fetches({ at: url.host, path: url.pathname });
  expect([file.status, file.body]).toEqual([200, expect.stringContaining("user_name = 101")]);
  demo.signal("SIGINT");
  expect(await demo.exits()).toBe(0);
  expect(demo.stderr).toBe("");
});
