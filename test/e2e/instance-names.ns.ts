/**
 * Instances by name and by IPv6, with the machine's own resolver and real sockets (root only): the file starts
 * itself once more in a network and mount namespace of its own, where a tiny DNS server answers.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkConfig } from "../../src/config/check.ts";
import { sliceFor } from "../../src/config/config.ts";
import { makeLog } from "../../src/io/log.ts";
import { resolve, resolveService } from "../../src/io/resolver.ts";
import { realWorld } from "../../src/io/world.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { selfSignedIdentity } from "../../src/tls/self-signed.ts";
import { memoryState } from "../flows/place.ts";
import { MediaPort } from "../peers/media-port.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem, type TelephoneSystemOptions } from "../peers/telephone-system.ts";
import { DnsServer } from "./dns-server.ts";

const isInside = process.env["PEQUOD_IN_NAMESPACE"] === "1";
const OUTSIDE = "127.0.0.10";
const INSIDE = "127.0.0.20";
/** Beside those of loopback. */
const OWN_ADDRESSES = [
  ...["203.0.113.5/32", "10.0.3.1/32", "10.0.3.150/32", "2001:db8::5/128", "2001:db8::40/128"],
  ...["fd00:3::1/128", "fd00:3::150/128"],
];
const FIRST = "127.0.0.31";
const SECOND = "127.0.0.32";

if (!isInside) {
  test("instances by name, in a namespace of their own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "pequod-names-"));
    const file = join(folder, "resolv.conf");
    writeFileSync(file, "nameserver 127.0.0.53\noptions timeout:1 attempts:2\n");
    const addresses = OWN_ADDRESSES.map((one) => `ip address add ${one} dev lo`);
    const steps = `ip link set lo up && ${addresses.join(" && ")} && mount --bind ${file} /etc/resolv.conf && exec "$@"`;
    const again = [process.execPath, "test", "--timeout", "30000", import.meta.path];
    const child = Bun.spawn(["unshare", "--net", "--mount", "sh", "-c", steps, "sh", ...again], {
      env: { ...process.env, PEQUOD_IN_NAMESPACE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const told = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    rmSync(folder, { recursive: true });
    if ((await child.exited) !== 0) throw new Error(told.join("\n"));
  });
} else {
  const dns = new DnsServer();
  const closers: (() => void)[] = [];
  beforeAll(() => dns.opens("127.0.0.53"));
  afterAll(() => dns.close());
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
    dns.addresses.clear();
    dns.services.clear();
    dns.isFailing = false;
    dns.asked.length = 0;
  });

  const srv = (host: string, priority: number, port = 5060) => ({
    host,
    port,
    priority,
    weight: 0,
  });
  const outside = onRealSockets(realWorld);
  const certificate = (fqdn: string) =>
    selfSignedIdentity({
      fqdn,
      notBefore: new Date(Date.now() - 3600_000),
      days: 2,
      serial: realWorld.random(16),
    });

  function proxyFor(sip: object, limits: object = {}) {
    return started(
      { name: "mycompany", address: "pbx.example", sip },
      { fqdn: OUTSIDE, bindAddress: OUTSIDE, inside: { address: INSIDE }, limits },
    );
  }

  async function started(instance: object, own: object) {
    const { config, problems } = checkConfig({
      version: 1,
      instances: [instance],
      proxies: [
        {
          name: "dmz",
          voipSip: "udp",
          voipMedia: "rtp",
          phoneProvisioning: "off",
          allowXmpp: false,
          manageInstances: "off",
          ...own,
        },
      ],
    });
    const slice = config === null ? null : sliceFor(config, "dmz");
    if (slice === null) throw new Error(JSON.stringify(problems));
    const proxy = await startProxy({
      world: realWorld,
      log: makeLog({ write: () => {}, minimum: "error", journal: false }),
      slice,
      state: memoryState(),
      interfaceAddress: () => null,
      config: { sha256: "0".repeat(64), loadedAt: "2026-01-01T00:00:00Z", error: null },
    });
    closers.push(() => proxy.close());
    return proxy;
  }

  async function pbxAt(address: string, o: Partial<TelephoneSystemOptions> = {}) {
    const pbx = new TelephoneSystem(outside, { name: "mycompany", address, ...o });
    closers.push(() => pbx.close());
    await pbx.opens();
    pbx.registersPhones();
    return pbx;
  }

  async function phone() {
    const proxy = { address: OUTSIDE, port: 5060 };
    const account = { user: "100", domain: "mycompany", address: "127.0.0.40" };
    const made = new Phone(outside, { ...account, transport: "udp", proxy });
    closers.push(() => made.close());
    await made.connects();
    return made;
  }

  test("the resolver gives addresses, IPv4 first, with their time to live, and SRV records", async () => {
    dns.ttlSeconds = 42;
    dns.addresses.set("pbx.example", ["fd00:1::5", "10.0.0.2", "10.0.0.1"]);
    dns.services.set("_sip._udp.pbx.example", [{ ...srv("one.example", 10), weight: 7 }]);
    expect(await resolve("pbx.example")).toEqual({
      addresses: ["10.0.0.1", "10.0.0.2", "fd00:1::5"],
      ttlSeconds: 42,
    });
    expect(await resolve("10.0.0.9")).toEqual({ addresses: ["10.0.0.9"], ttlSeconds: null });
    expect(await resolveService("_sip._udp.pbx.example")).toEqual([
      { host: "one.example", port: 5060, priority: 10, weight: 7 },
    ]);
    expect(await resolveService("_sip._tcp.pbx.example")).toEqual([]);
    expect(await resolveService("_sip._udp.nowhere.example")).toEqual([]);
    expect(resolve("nowhere.example")).rejects.toThrow();
    expect((await resolve("localhost")).ttlSeconds).toBeNull();
    dns.isFailing = true;
    expect(resolveService("_sip._udp.pbx.example")).rejects.toThrow();
  });

  test("SRV leads to the first host, and to the second when that one is down", async () => {
    dns.addresses.set("one.example", [FIRST]);
    dns.addresses.set("two.example", [SECOND]);
    dns.services.set("_sip._udp.pbx.example", [
      srv("two.example", 20, 5090),
      srv("one.example", 10, 5080),
    ]);
    const second = await pbxAt(SECOND, { port: 5090 });
    const proxy = await proxyFor({ healthCheck: false }, { nextTargetTimeout: 0.3 });
    const alice = await phone();
    expect((await alice.registers()).status).toBe(200);
    expect(second.registers.length).toBe(1);
    expect(proxy.status.instances["mycompany"]?.targets).toMatchObject([
      { at: `${FIRST}:5080`, reachable: false },
      { at: `${SECOND}:5090`, reachable: true },
    ]);
  });

  test("a name that moves is followed when its time to live is over", async () => {
    dns.ttlSeconds = 1;
    dns.addresses.set("pbx.example", [FIRST]);
    const first = await pbxAt(FIRST);
    const second = await pbxAt(SECOND);
    const proxy = await proxyFor({ healthCheck: true });
    const alice = await phone();
    await alice.registers();
    expect(first.registers.length).toBe(1);
    second.automatic = () => false;
    dns.addresses.set("pbx.example", [SECOND]);
    second.answers(await second.receivesOn("OPTIONS"), 200);
    second.registersPhones();
    await alice.registers();
    expect(second.registers.length).toBe(1);
    const [target, ...others] = proxy.status.instances["mycompany"]?.targets ?? [];
    expect([target?.at, target?.reachable, others.length]).toEqual([`${SECOND}:5060`, true, 0]);
  });

  test("TLS to a name: its certificate must name what is configured, not the host SRV led to", async () => {
    dns.addresses.set("one.example", [FIRST]);
    dns.services.set("_sips._tcp.pbx.example", [srv("one.example", 10, 5061)]);
    const right = await certificate("pbx.example");
    const wrong = await certificate("one.example");
    const tls = { transport: "tls", port: 5061 } as const;
    const sip = { transport: "tls", healthCheck: false };
    const at = await pbxAt(FIRST, { ...tls, identity: right });
    const trusting = await proxyFor({ ...sip, caPem: right.certificatePem });
    const alice = await phone();
    expect((await alice.registers()).status).toBe(200);
    expect(at.registers.length).toBe(1);
    trusting.close();
    const unknown = await proxyFor(sip);
    expect((await alice.registers()).status).toBe(503);
    expect(unknown.status.instances["mycompany"]?.reason).toMatch(/self|unable to verify/);
    unknown.close();
    at.close();
    const other = await pbxAt(FIRST, { ...tls, identity: wrong });
    const strict = await proxyFor({ ...sip, caPem: wrong.certificatePem });
    expect((await alice.registers()).status).toBe(503);
    expect(strict.status.instances["mycompany"]?.reason).toMatch(/pbx\.example|altnames|Host/i);
    expect(other.registers.length).toBe(0);
    strict.close();
    const careless = await proxyFor({ ...sip, verifyTls: false });
    expect((await alice.registers()).status).toBe(200);
    expect(careless.status.instances["mycompany"]?.reachable).toBe(true);
  });

  for (const voipSip of ["udp", "tls"] as const) {
    for (const inside of [4, 6] as const) {
      test(`a phone by IPv6 over ${voipSip} and an instance by IPv${inside}: a call with audio`, async () => {
        const address = inside === 4 ? "10.0.3.150" : "fd00:3::150";
        const zone = { address: "203.0.113.5", netmask: "255.255.255.0", address6: "2001:db8::5" };
        const proxy = await started(
          { name: "mycompany", address },
          {
            fqdn: "mobydick.example.com",
            voipSip,
            network: { mode: "manual", interface: "eth1", ...zone },
            inside: { address: inside === 4 ? "10.0.3.1" : "fd00:3::1" },
          },
        );
        const pbx = await pbxAt(address);
        const port = voipSip === "udp" ? 5060 : 5061;
        const account = { user: "100", domain: "mycompany", address: "2001:db8::40" };
        const alice = new Phone(outside, {
          ...account,
          transport: voipSip,
          proxy: { address: "2001:db8::5", port },
        });
        closers.push(() => alice.close());
        await alice.connects();
        expect((await alice.registers()).status).toBe(200);
        const near = await MediaPort.open(outside, { address: "2001:db8::40" });
        const far = await MediaPort.open(outside, { address });
        closers.push(
          () => near.close(),
          () => far.close(),
        );
        alice.sendsInvite("600", near.sdp());
        const invite = await pbx.receivesOn("INVITE");
        far.uses(invite.message.body);
        pbx.replies(invite, 200, "pbx", far.sdp());
        const { answer, dialog } = await alice.isAnswered();
        near.uses(answer.body);
        await pbx.receives("ACK");
        near.says("out of IPv6");
        far.says("into IPv6");
        expect(await far.hearsAtLeast(1)).toEqual(["out of IPv6"]);
        expect(await near.hearsAtLeast(1)).toEqual(["into IPv6"]);
        expect(answer.body).toContain("c=IN IP6 2001:db8::5");
        expect(Object.values(proxy.status.listening)).toContain(`[2001:db8::5]:${port}`);
        alice.inDialog(dialog, "BYE");
        await pbx.isHungUpOn();
        await alice.receives("200 BYE");
      });
    }
  }
}
