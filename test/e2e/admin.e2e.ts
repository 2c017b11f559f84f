/**
 * The compiled binary as an appliance without systemd: set up, a proxy that runs for real, backup, restore,
 * restarts and kills of the admin.
 * Started by name (bun test skips *.e2e.ts): bun test ./test/e2e/admin.e2e.ts
 */
import { afterEach, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { issue } from "../peers/certificates.ts";
import { LoopbackPlace, Running } from "./binary.ts";

const ACCOUNT = { username: "anna", password: "correct horse" };

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

// biome-ignore lint/suspicious/noExplicitAny: a test reads any member and fails where it is not there
type Answer = { status: number; headers: Headers; body: any; bytes: Uint8Array };

class Appliance {
  readonly place = new LoopbackPlace();
  readonly folder = join(this.place.folder, "data");
  running: Running | null = null;
  #origin = "";
  #token = "";

  constructor() {
    closers.push(async () => {
      await this.stop();
      this.place.close();
    });
  }

  /** Answers the ready line. */
  async start(): Promise<{ listening: { admin: string }; setupCode?: string }> {
    const args = ["--no-systemd", "--data", this.folder, "--listen", `${this.place.inside}:0`];
    this.running = new Running(["admin", ...args]);
    const ready = JSON.parse(await this.running.prints(/^\{"ready":true.*\}$/m));
    this.#origin = `https://${ready.listening.admin}`;
    return ready;
  }

  async stop(): Promise<number | null> {
    const { running } = this;
    this.running = null;
    if (running === null) return null;
    running.signal("SIGTERM");
    return running.exits();
  }

  async kill(): Promise<void> {
    const { running } = this;
    this.running = null;
    running?.signal("SIGKILL");
    await running?.exits().catch(() => undefined);
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    if (body !== undefined && !(body instanceof FormData)) {
      headers["content-type"] = "application/json";
    }
    const response = await fetch(`${this.#origin}/api/v1${path}`, {
      method,
      headers,
      ...(body === undefined
        ? {}
        : { body: body instanceof FormData ? body : JSON.stringify(body) }),
      tls: { rejectUnauthorized: false },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    const text = Buffer.from(bytes).toString();
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
      bytes,
    };
  }

  async setUp(code: string | undefined): Promise<void> {
    const { body } = await this.ask("POST", "/setup", { code, ...ACCOUNT });
    this.#token = body.token;
  }

  async signIn(): Promise<number> {
    const { status, body } = await this.ask("POST", "/session", ACCOUNT);
    this.#token = body.token;
    return status;
  }

  get proxy() {
    const { outside, inside } = this.place;
    return {
      name: "dmz",
      fqdn: outside,
      bindAddress: outside,
      inside: { address: inside, sipPort: 15_060 },
    };
  }

  async withRunningProxy(): Promise<void> {
    await this.setUp((await this.start()).setupCode);
    await this.ask("POST", "/instances", { name: "mycompany", address: this.place.pbx });
    await this.ask("POST", "/proxies", this.proxy);
    const { status, body } = await this.ask("POST", "/proxies/dmz/start");
    expect([status, body.state]).toEqual([200, "running"]);
  }
}

/** The certificate that a TLS server shows. */
function shownBy(host: string, port: number): Promise<X509Certificate> {
  return new Promise((settle, fail) => {
    const socket = connect({ host, port, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerCertificate().raw;
      socket.destroy();
      settle(new X509Certificate(certificate));
    });
    socket.once("error", fail);
  });
}

function form(file: Uint8Array, passphrase: string): FormData {
  const parts = new FormData();
  parts.set("file", new Blob([Uint8Array.from(file)]), "dmz.backup");
  parts.set("passphrase", passphrase);
  return parts;
}

test("the first start: certificate, code, five wrong codes, a pause", async () => {
  const appliance = new Appliance();
  const { setupCode, listening } = await appliance.start();
  const code = readFileSync(join(appliance.folder, "setup-code"), "utf8").trim();
  expect(setupCode).toBe(code);
  expect(statSync(join(appliance.folder, "setup-code")).mode & 0o777).toBe(0o600);
  const [host = "", port = ""] = listening.admin.split(":");
  const shown = await shownBy(host, Number(port));
  expect(shown.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  const stored = readFileSync(join(appliance.folder, "admin/certificate.pem"), "utf8");
  expect(shown.fingerprint256).toBe(new X509Certificate(stored).fingerprint256);
  expect((await appliance.ask("GET", "/proxies")).body.type).toBe("setup-required");
  for (let at = 0; at < 5; at += 1) {
    const wrong = await appliance.ask("POST", "/setup", { code: "NOT-THE-CODE", ...ACCOUNT });
    expect(wrong.body.type).toBe("wrong-code");
  }
  const paused = await appliance.ask("POST", "/setup", { code, ...ACCOUNT });
  expect([paused.status, paused.headers.get("retry-after")]).toEqual([429, "30"]);
});

test("set-up to a running proxy that shows its certificate, and what is on the disk", async () => {
  const appliance = new Appliance();
  await appliance.withRunningProxy();
  const { body } = await appliance.ask("GET", "/proxies/dmz/status");
  expect(body).toMatchObject({ proxy: "dmz", state: "running", shallRun: true });
  expect(body.listening.sipTls).toBe(`${appliance.place.outside}:5061`);
  expect(body.instances.mycompany).toBeDefined();
  const shown = await shownBy(appliance.place.outside, 5061);
  const told = (await appliance.ask("GET", "/proxies/dmz")).body.certificatePem;
  expect(shown.fingerprint256).toBe(new X509Certificate(told).fingerprint256);
  for (const path of ["config/active.json", "proxies/dmz/config.json", "admin/users.json"]) {
    expect(statSync(join(appliance.folder, path)).mode & 0o777).toBe(0o600);
  }
  const exported = new Running(["admin", "export", "--data", appliance.folder]);
  await exported.exits();
  expect(JSON.parse(exported.stdout).proxies[0].name).toBe("dmz");
  expect(exported.stdout).toBe(readFileSync(join(appliance.folder, "config/active.json"), "utf8"));
});

test("stop is seen, a second admin on the folder is refused, SIGTERM ends the proxies", async () => {
  const appliance = new Appliance();
  await appliance.withRunningProxy();
  const second = new Running(["admin", "--no-systemd", "--data", appliance.folder]);
  expect(await second.exits()).toBe(1);
  expect(second.stderr).toContain("another pequod admin uses");
  const stopped = await appliance.ask("POST", "/proxies/dmz/stop");
  expect([stopped.status, stopped.body.state]).toEqual([200, "stopped"]);
  await expect(shownBy(appliance.place.outside, 5061)).rejects.toThrow();
  expect((await appliance.ask("POST", "/proxies/dmz/start")).status).toBe(200);
  expect(await appliance.stop()).toBe(0);
  await expect(shownBy(appliance.place.outside, 5061)).rejects.toThrow();
});

test("a restart keeps all: the account, the proxy, its certificate; a kill too", async () => {
  const appliance = new Appliance();
  await appliance.withRunningProxy();
  const before = (await shownBy(appliance.place.outside, 5061)).fingerprint256;
  await appliance.kill();
  // The proxy outlived its admin; the next one ends it and starts its own.
  expect((await shownBy(appliance.place.outside, 5061)).fingerprint256).toBe(before);
  const ready = await appliance.start();
  expect(ready).not.toHaveProperty("setupCode");
  expect(await appliance.signIn()).toBe(200);
  await appliance.running?.prints(/ready proxy=dmz/, "stderr");
  expect((await shownBy(appliance.place.outside, 5061)).fingerprint256).toBe(before);
  expect((await appliance.ask("GET", "/proxies/dmz/status")).body.state).toBe("running");
  expect(appliance.running?.stderr).toContain("orphan-ended proxy=dmz");
});

test("backup while on, restore while off, with the keys that phones rely on", async () => {
  const appliance = new Appliance();
  await appliance.withRunningProxy();
  const flowKeys = join(appliance.folder, "proxies/dmz/state/flow-keys.json");
  const keys = readFileSync(flowKeys, "utf8");
  const passphrase = "battery staple";
  const backup = await appliance.ask("POST", "/proxies/dmz/backup", { passphrase });
  expect(backup.status).toBe(200);
  const restore = (file: Uint8Array, word = passphrase) =>
    appliance.ask("PUT", "/proxies/dmz/restore", form(file, word));
  expect((await restore(backup.bytes)).status).toBe(409);
  expect((await appliance.ask("POST", "/proxies/dmz/stop")).status).toBe(200);
  expect((await appliance.ask("POST", "/proxies/dmz/backup", { passphrase })).status).toBe(409);
  writeFileSync(flowKeys, "lost");
  const { body } = await appliance.ask("GET", "/proxies/dmz");
  await appliance.ask("PUT", "/proxies/dmz", { ...body, certificateKey: null });
  expect((await restore(backup.bytes, "wrong word")).body.type).toBe("wrong-passphrase");
  expect((await restore(backup.bytes.subarray(0, 300))).body.type).toBe("wrong-passphrase");
  expect(readFileSync(flowKeys, "utf8")).toBe("lost");
  expect((await restore(backup.bytes)).status).toBe(200);
  expect(readFileSync(flowKeys, "utf8")).toBe(keys);
  expect((await appliance.ask("GET", "/proxies/dmz")).body).toEqual({ ...body, enabled: false });
  expect((await appliance.ask("POST", "/proxies/dmz/start")).body.state).toBe("running");
});

test("a taken port is 504 with the reason of the process itself", async () => {
  const appliance = new Appliance();
  await appliance.withRunningProxy();
  const { outside, inside } = appliance.place;
  await appliance.ask("POST", "/proxies", {
    name: "lan",
    fqdn: outside,
    bindAddress: outside,
    network: { mode: "manual", interface: "eth1", address: "10.5.6.100", netmask: "255.255.255.0" },
    inside: { address: inside, sipPort: 15_070 },
    ports: { sipTls: 5061 },
  });
  const { status, body } = await appliance.ask("POST", "/proxies/lan/start");
  expect([status, body.type]).toEqual([504, "state-not-reached"]);
  expect(body.detail).toContain("5061");
});

test("import goes through the admin that runs, or into the folder of one that does not", async () => {
  const appliance = new Appliance();
  await appliance.withRunningProxy();
  const { folder } = appliance;
  const file = join(appliance.place.folder, "document.json");
  const document = JSON.parse(readFileSync(join(folder, "config/active.json"), "utf8"));
  document.proxies[0].voipMedia = "rtp";
  writeFileSync(file, JSON.stringify(document));
  const first = new Running(["admin", "import", "--data", folder, file]);
  expect(await first.exits()).toBe(0);
  expect(first.stdout).toBe("revision 2\n");
  expect((await appliance.ask("GET", "/proxies/dmz?state=active")).body.voipMedia).toBe("rtp");
  await appliance.stop();
  document.proxies[0].voipMedia = "opus";
  writeFileSync(file, JSON.stringify(document));
  const bad = new Running(["admin", "import", "--data", folder, file]);
  expect(await bad.exits()).toBe(1);
  expect(bad.stderr).toContain("proxies[0].voipMedia: must be one of");
  document.proxies[0].voipMedia = "srtp";
  writeFileSync(file, JSON.stringify(document));
  const third = new Running(["admin", "import", "--data", folder, file]);
  expect(await third.exits()).toBe(0);
  await appliance.start();
  await appliance.signIn();
  expect((await appliance.ask("GET", "/proxies/dmz?state=active")).body.voipMedia).toBe("srtp");
});

test("the admin's own certificate is for its address: kept at a restart, another at another address or at its end", async () => {
  const at = new LoopbackPlace();
  closers.push(() => at.close());
  const file = join(at.folder, "data/admin/certificate.pem");
  const visit = async (address: string): Promise<X509Certificate> => {
    const args = ["--no-systemd", "--data", join(at.folder, "data"), "--listen", `${address}:0`];
    const running = at.run(["admin", ...args]);
    const ready = JSON.parse(await running.prints(/^\{"ready":true.*\}$/m));
    const served = await new Promise<Buffer>((resolve, reject) => {
      const port = Number(ready.listening.admin.split(":").at(-1));
      const socket = connect({ host: address, port, ca: readFileSync(file) }, () => {
        resolve(socket.getPeerCertificate().raw);
        socket.destroy();
      });
      socket.on("error", reject);
    });
    running.signal("SIGTERM");
    await running.exits();
    return new X509Certificate(served);
  };
  const first = await visit(at.inside);
  expect((await visit(at.inside)).fingerprint256).toBe(first.fingerprint256);
  const moved = await visit(at.pbx);
  expect(moved.fingerprint256).not.toBe(first.fingerprint256);
  const ending = await issue({
    name: "admin",
    names: [at.pbx],
    until: new Date(Date.now() + 20 * 86_400_000).toISOString(),
  });
  writeFileSync(file, ending.certificatePem);
  writeFileSync(join(at.folder, "data/admin/certificate-key.pem"), ending.keyPem);
  const renewed = await visit(at.pbx);
  expect(Date.parse(renewed.validTo)).toBeGreaterThan(Date.now() + 3000 * 86_400_000);
});
