import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { AdminPlace, adminPlace, INSTANCE, PROXY } from "../../../test/flows/admin-place.ts";
import { issue } from "../../../test/peers/certificates.ts";
import { ROUTES } from "./openapi.ts";

describe("before set-up", () => {
  test.each([
    ["GET", "/proxies"],
    ["POST", "/apply"],
    ["GET", "/openapi.json"],
    ["POST", "/session"],
    ["DELETE", "/session"],
    ["GET", "/events"],
    ["GET", "/no-such-thing"],
  ])("%s %s is refused", async (method, path) => {
    const { status, headers, body } = await new AdminPlace().ask(method, path);
    expect(status).toBe(403);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toEqual({
      type: "setup-required",
      title: "The appliance is not set up yet.",
      status: 403,
    });
  });

  test("the code makes the administrator, who is signed in by that; then there is no set-up", async () => {
    const place = new AdminPlace();
    const { setupCode: code } = place.admin;
    const account = { code, username: "anna", password: "eight or more" };
    const made = await place.ask("POST", "/setup", account);
    expect(made.status).toBe(201);
    expect(made.headers.get("set-cookie")).toMatch(
      /^__Host-pequod=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/,
    );
    place.token = made.body.token;
    expect((await place.ask("GET", "/proxies")).body).toEqual([]);
    expect((await place.ask("POST", "/setup", account)).body.type).toBe("already-set-up");
  });

  test("five wrong codes and then a pause, told in Retry-After", async () => {
    const place = new AdminPlace();
    const account = { code: "WRONG", username: "anna", password: "eight or more" };
    for (let at = 0; at < 5; at += 1) {
      expect((await place.ask("POST", "/setup", account)).status).toBe(403);
    }
    const { status, headers, body } = await place.ask("POST", "/setup", account);
    expect([status, body.type, headers.get("retry-after")]).toEqual([429, "too-many-tries", "30"]);
  });

  test.each([
    [{ username: "anna", password: "eight or more" }, "code"],
    [{ code: "X", username: "anna", password: 5 }, "password"],
    [{ code: "X", username: "anna", password: "eight or more", admin: true }, "admin"],
  ])("%p is told as wrong at %s", async (account, path) => {
    const { status, body } = await new AdminPlace().ask("POST", "/setup", account);
    expect(status).toBe(422);
    expect(body.problems.map((one: { path: string }) => one.path)).toEqual([path]);
  });
});

describe("signing in", () => {
  test("a password gives a token and a cookie, either is enough", async () => {
    const place = await adminPlace();
    place.token = "";
    const account = { username: "anna", password: "eight or more", totp: "123456" };
    const { status, body, headers } = await place.ask("POST", "/session", account);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(["token", "expires"]);
    const cookie = headers.get("set-cookie")?.split(";")[0] ?? "";
    expect((await place.raw("/api/v1/proxies", { headers: { cookie } })).status).toBe(200);
    place.token = body.token;
    expect((await place.ask("GET", "/proxies")).status).toBe(200);
    expect((await place.ask("DELETE", "/session")).status).toBe(204);
    expect((await place.ask("GET", "/proxies")).status).toBe(401);
    expect((await place.raw("/api/v1/proxies", { headers: { cookie } })).status).toBe(401);
  });

  test("without, or with a wrong one, it is 401 and says how", async () => {
    const place = await adminPlace();
    place.token = "x".repeat(43);
    const { status, headers, body } = await place.ask("GET", "/appliance");
    expect([status, headers.get("www-authenticate"), body.type]).toEqual([
      401,
      "Bearer",
      "sign-in-required",
    ]);
    expect((await place.raw("/metrics")).status).toBe(401);
    const wrong = await place.ask("POST", "/session", { username: "anna", password: "no" });
    expect([wrong.status, wrong.body.type]).toEqual([401, "wrong-login"]);
  });

  test.each([
    ["same-origin", { "sec-fetch-site": "same-origin" }, 201],
    ["another site", { "sec-fetch-site": "cross-site" }, 403],
    ["a sibling of our name", { "sec-fetch-site": "same-site" }, 403],
    ["an old browser, our origin", { origin: "https://admin.example" }, 201],
    ["an old browser, another origin", { origin: "https://evil.example" }, 403],
    ["a sandboxed frame", { origin: "null" }, 403],
    ["no browser", {}, 201],
  ])("a write with the cookie from %s", async (_, headers, expected) => {
    const place = await adminPlace();
    const response = await place.raw("/api/v1/instances", {
      method: "POST",
      headers: { cookie: `__Host-pequod=${place.token}`, host: "admin.example", ...headers },
      body: JSON.stringify(INSTANCE),
    });
    expect(response.status).toBe(expected);
  });

  test("every answer carries the headers that keep browsers careful", async () => {
    const place = await adminPlace();
    for (const path of ["/api/v1/proxies", "/api/v1/nothing", "/nothing", "/metrics"]) {
      const { headers } = await place.raw(path);
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });
});

describe("instances", () => {
  test("are created, read, replaced, deleted", async () => {
    const place = await adminPlace();
    const made = await place.ask("POST", "/instances", INSTANCE);
    expect([made.status, made.headers.get("location")]).toEqual([
      201,
      "/api/v1/instances/mycompany",
    ]);
    expect(made.body.sip).toMatchObject({ healthCheck: true, transport: "udp" });
    const read = await place.ask("GET", "/instances/MyCompany");
    expect(read.body).toEqual(made.body);
    expect(read.headers.get("etag")).toBe(made.headers.get("etag"));
    const other = { ...read.body, media: "srtp" };
    const put = await place.ask("PUT", "/instances/mycompany", other);
    expect([put.status, put.body.media]).toEqual([200, "srtp"]);
    expect(put.headers.get("etag")).not.toBe(read.headers.get("etag"));
    expect((await place.ask("GET", "/instances")).body).toEqual([put.body]);
    expect((await place.ask("DELETE", "/instances/mycompany")).status).toBe(204);
    expect((await place.ask("GET", "/instances/mycompany")).status).toBe(404);
  });

  test("a whole object is put: what is left out has its default again", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", { ...INSTANCE, media: "srtp", aliases: ["a.example"] });
    const { body } = await place.ask("PUT", "/instances/mycompany", { address: "10.0.3.151" });
    expect([body.media, body.aliases, body.address]).toEqual(["rtp", [], "10.0.3.151"]);
  });

  test.each([
    ["an unknown field", { ...INSTANCE, colour: "red" }, "colour"],
    ["an unknown field inside", { ...INSTANCE, sip: { ports: 1 } }, "sip.ports"],
    ["a field of the wrong kind", { ...INSTANCE, sip: { port: "5060" } }, "sip.port"],
    ["no address", { name: "mycompany" }, "address"],
    ["no object", [INSTANCE], ""],
  ])("%s is told with its place", async (_, input, path) => {
    const place = await adminPlace();
    const { status, headers, body } = await place.ask("POST", "/instances", input);
    expect([status, headers.get("content-type"), body.type]).toEqual([
      422,
      "application/problem+json",
      "invalid",
    ]);
    expect(body.problems.map((one: { path: string }) => one.path)).toEqual([path]);
    expect((await place.ask("GET", "/instances")).body).toEqual([]);
  });

  test("all problems come at once", async () => {
    const place = await adminPlace();
    const input = { name: "my company", address: "", media: "opus" };
    const { body } = await place.ask("POST", "/instances", input);
    expect(body.problems.map((one: { path: string }) => one.path).sort()).toEqual([
      "address",
      "media",
      "name",
    ]);
  });

  test("a name that is taken, a name that is changed", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    const again = await place.ask("POST", "/instances", { ...INSTANCE, name: "MYCOMPANY" });
    expect([again.status, again.body.type]).toEqual([409, "exists"]);
    const renamed = await place.ask("PUT", "/instances/mycompany", { ...INSTANCE, name: "other" });
    expect([renamed.status, renamed.body.problems[0].path]).toEqual([422, "name"]);
  });

  test("one that a proxy names cannot be deleted", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies", { ...PROXY, instances: ["MyCompany"] });
    const { status, body } = await place.ask("DELETE", "/instances/mycompany");
    expect([status, body.type]).toEqual([409, "in-use"]);
    expect(body.problems[0].message).toBe("proxy dmz names it in its instances");
  });

  test("If-Match holds off whoever saw an older one, for PUT and DELETE", async () => {
    const place = await adminPlace();
    const { headers } = await place.ask("POST", "/instances", INSTANCE);
    const etag = headers.get("etag") ?? "";
    const put = (ifMatch: string, address: string) =>
      place.ask("PUT", "/instances/mycompany", { ...INSTANCE, address }, { "if-match": ifMatch });
    expect((await put(etag, "10.0.3.151")).status).toBe(200);
    const late = await put(etag, "10.0.3.152");
    expect([late.status, late.body.type]).toEqual([412, "changed-meanwhile"]);
    expect(
      (await place.ask("DELETE", "/instances/mycompany", undefined, { "if-match": etag })).status,
    ).toBe(412);
    expect(
      (
        await put(
          `"other", ${(await place.ask("GET", "/instances/mycompany")).headers.get("etag")}`,
          "10.0.3.153",
        )
      ).status,
    ).toBe(200);
    expect((await put("*", "10.0.3.154")).status).toBe(200);
  });

  test("a check tries and says what it could not reach", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    const { status, body } = await place.ask("POST", "/instances/mycompany/check");
    expect(status).toBe(200);
    const none = { advice: null, tookMs: 0 };
    expect(body).toEqual([
      { service: "sip", reachable: false, reason: "there is no route", ...none },
      { service: "web", reachable: false, reason: "there is no route", ...none },
      { service: "provisioning", reachable: false, reason: "there is no route", ...none },
      { service: "xmpp", reachable: false, reason: "there is no route", ...none },
    ]);
  });
});

describe("proxies and their secrets", () => {
  const stored = (place: AdminPlace) =>
    JSON.parse(place.store.read("config/candidate.json") ?? "{}").proxies[0];

  test("a new one gets a certificate for its name, a provisioning key and a SIP port of its own", async () => {
    const place = await adminPlace();
    const { status, body } = await place.ask("POST", "/proxies", PROXY);
    expect(status).toBe(201);
    expect(body).not.toHaveProperty("certificateKey");
    expect(body).not.toHaveProperty("provisioningKey");
    expect(body.certificateKeyFingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect([body.certificateSelfSigned, body.provisioningKeySet]).toEqual([true, true]);
    expect(new X509Certificate(body.certificatePem).checkHost(PROXY.fqdn)).toBe(PROXY.fqdn);
    expect(body.inside.sipPort).toBe(15_060);
    expect(Buffer.from(stored(place).provisioningKey, "base64")).toHaveLength(32);
    expect(JSON.stringify(body)).not.toContain("PRIVATE KEY");
  });

  test("a missing secret stays, null makes a new one, a given one is taken", async () => {
    const place = await adminPlace();
    const { body } = await place.ask("POST", "/proxies", PROXY);
    const first = stored(place);
    // What was read can be put back as it is, with what is told about the secrets.
    expect((await place.ask("PUT", "/proxies/dmz", body)).status).toBe(200);
    expect(stored(place)).toEqual(first);
    await place.ask("PUT", "/proxies/dmz", { ...body, provisioningKey: null });
    expect(stored(place).provisioningKey).not.toBe(first.provisioningKey);
    expect(stored(place).certificateKey).toBe(first.certificateKey);
    const own = Buffer.alloc(32, 7).toString("base64");
    await place.ask("PUT", "/proxies/dmz", { ...body, provisioningKey: own });
    expect(stored(place).provisioningKey).toBe(own);
    await place.ask("PUT", "/proxies/dmz", { ...body, certificateKey: null });
    expect(stored(place).certificateKey).not.toBe(first.certificateKey);
    expect(stored(place).certificatePem).not.toBe(first.certificatePem);
  });

  test("leaving the whole certificate out keeps it, also its SIP port", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", PROXY);
    const first = stored(place);
    const { body } = await place.ask("PUT", "/proxies/dmz", { ...PROXY, voipMedia: "rtp" });
    expect(body.voipMedia).toBe("rtp");
    expect(stored(place)).toEqual({ ...first, voipMedia: "rtp" });
  });

  test("another name gets another self-signed certificate", async () => {
    const place = await adminPlace();
    const { body } = await place.ask("POST", "/proxies", PROXY);
    const put = await place.ask("PUT", "/proxies/dmz", { ...body, fqdn: "new.example.com" });
    const certificate = new X509Certificate(put.body.certificatePem);
    expect(certificate.checkHost("new.example.com")).toBe("new.example.com");
  });

  test("a certificate without its key, and a key of another one, are refused", async () => {
    const place = await adminPlace();
    const { body } = await place.ask("POST", "/proxies", PROXY);
    const other = await place.ask("POST", "/proxies", {
      ...PROXY,
      name: "lan",
      bindAddress: "127.0.0.6",
      network: { ...PROXY.network, interface: "eth2", address: "10.5.7.100" },
    });
    const alone = await place.ask("POST", "/proxies", {
      ...PROXY,
      name: "third",
      certificatePem: body.certificatePem,
    });
    expect(alone.status).toBe(422);
    expect(alone.body.problems).toContainEqual({
      path: "certificateKey",
      message: "the certificate needs its key",
    });
    const foreign = { ...body, certificatePem: other.body.certificatePem };
    const { status, body: problem } = await place.ask("PUT", "/proxies/dmz", foreign);
    expect([status, problem.problems[0].path]).toEqual([422, "certificateKey"]);
    const nulled = { ...foreign, certificateKey: null };
    expect((await place.ask("PUT", "/proxies/dmz", nulled)).status).toBe(422);
  });

  test("what a certificate says is told, with what its clients will not like about it", async () => {
    const place = await adminPlace();
    const { body } = await place.ask("POST", "/proxies", PROXY);
    expect(body.certificate).toMatchObject({
      subject: `CN=${PROXY.fqdn}`,
      names: [PROXY.fqdn, `*.${PROXY.fqdn}`],
      isSelfSigned: true,
      warnings: [],
    });
    const issuer = await issue({ name: "Authority" });
    const { certificatePem, keyPem } = await issue({
      name: "other.example.com",
      issuer,
      names: ["other.example.com"],
      until: new Date(place.clock.now() + 5.5 * 86_400_000).toISOString(),
    });
    const sent = { ...body, certificatePem, certificateKey: keyPem };
    const put = await place.ask("PUT", "/proxies/dmz", sent);
    expect(put.status).toBe(200);
    const { issuer: by, validUntil, warnings } = put.body.certificate;
    expect([by, put.body.certificateSelfSigned]).toEqual(["CN=Authority", false]);
    expect(warnings).toEqual([
      `the certificate expires in 5 days, on ${validUntil.slice(0, 10)}`,
      `the certificate is not for ${PROXY.fqdn}`,
      "the certificate of its issuer is missing in the chain: CN=Authority",
    ]);
  });

  test("the network mode never changes", async () => {
    const place = await adminPlace();
    const { body } = await place.ask("POST", "/proxies", PROXY);
    const put = await place.ask("PUT", "/proxies/dmz", { ...body, network: { mode: "auto" } });
    expect(put.status).toBe(422);
    expect(put.body.problems).toEqual([
      { path: "network.mode", message: 'cannot be changed (it is "manual")' },
    ]);
  });

  test("the entity tag follows the secrets too, which the answer does not show", async () => {
    const place = await adminPlace();
    const { body, headers } = await place.ask("POST", "/proxies", PROXY);
    const put = await place.ask("PUT", "/proxies/dmz", { ...body, provisioningKey: null });
    expect(put.body).toEqual(body);
    expect(put.headers.get("etag")).not.toBe(headers.get("etag"));
  });

  test("two proxies saved at one time are both there", async () => {
    const place = await adminPlace();
    const second = {
      ...PROXY,
      name: "lan",
      bindAddress: "127.0.0.6",
      network: { ...PROXY.network, interface: "eth2", address: "10.5.7.100" },
    };
    const both = await Promise.all([
      place.ask("POST", "/proxies", PROXY),
      place.ask("POST", "/proxies", second),
    ]);
    expect(both.map(({ status }) => status)).toEqual([201, 201]);
    const ports = (await place.ask("GET", "/proxies")).body.map(
      (one: { inside: { sipPort: number } }) => one.inside.sipPort,
    );
    expect(ports.sort()).toEqual([15_060, 15_062]);
  });
});

describe("candidate and active", () => {
  test("writes wait in the candidate until they are applied", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    expect((await place.ask("GET", "/instances?state=active")).body).toEqual([]);
    expect((await place.ask("GET", "/instances/mycompany?state=active")).status).toBe(404);
    const changes = await place.ask("GET", "/changes");
    expect(changes.body.changes.map((one: { path: string }) => one.path)).toEqual([
      "instances[mycompany]",
    ]);
    const applied = await place.ask("POST", "/apply", { note: "first customer" });
    expect(applied.body).toEqual({ revision: 1, confirmBefore: null });
    expect((await place.ask("GET", "/instances/mycompany?state=active")).status).toBe(200);
    expect((await place.ask("GET", "/revisions")).body).toEqual([
      {
        number: 1,
        time: "2026-01-02T00:00:00.000Z",
        user: "anna",
        note: "first customer",
        isActive: true,
      },
    ]);
    expect((await place.ask("POST", "/apply")).body).toEqual({ revision: 1, confirmBefore: null });
    expect((await place.ask("GET", "/instances?state=old")).status).toBe(422);
  });

  test("a revision is shown by what it changed, without secrets, and can be restored", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", { ...PROXY, enabled: false });
    await place.ask("POST", "/apply");
    const { body } = await place.ask("GET", "/proxies/dmz");
    await place.ask("PUT", "/proxies/dmz", { ...body, voipSip: "udp", provisioningKey: null });
    await place.ask("POST", "/apply");
    const diff = await place.ask("GET", "/revisions/2/diff");
    expect(diff.body).toEqual({
      changes: [
        { path: "proxies[dmz].voipSip", before: "tls", after: "udp" },
        { path: "proxies[dmz].provisioningKey", before: "(secret)", after: "(secret)" },
      ],
    });
    expect(JSON.stringify((await place.ask("GET", "/revisions/1/diff")).body)).not.toContain(
      "PRIVATE",
    );
    const restored = await place.ask("POST", "/revisions/1/restore");
    expect(restored.body.changes).toHaveLength(2);
    expect((await place.ask("GET", "/proxies/dmz")).body.voipSip).toBe("tls");
    expect((await place.ask("GET", "/proxies/dmz?state=active")).body.voipSip).toBe("udp");
    expect((await place.ask("DELETE", "/changes")).status).toBe(204);
    expect((await place.ask("GET", "/proxies/dmz")).body.voipSip).toBe("udp");
    for (const number of ["9", "0", "x", "-1", "1e3"]) {
      expect((await place.ask("GET", `/revisions/${number}/diff`)).status).toBe(404);
    }
  });

  test("the appliance is one object", async () => {
    const place = await adminPlace();
    const { body, headers } = await place.ask("GET", "/appliance");
    expect(body.name).toBe("pequod");
    const put = await place.ask("PUT", "/appliance", { ...body, name: "gate" });
    expect([put.status, put.body.name]).toEqual([200, "gate"]);
    const late = { "if-match": headers.get("etag") ?? "" };
    expect((await place.ask("PUT", "/appliance", body, late)).status).toBe(412);
    const bad = await place.ask("PUT", "/appliance", { eth0: { mode: "static" } });
    expect(bad.body.problems.map((one: { path: string }) => one.path)).toContain("eth0.address");
  });
});

describe("start and stop", () => {
  test("start applies the proxy and the instances at once and answers with what is seen", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies", { ...PROXY, enabled: false });
    const { status, body } = await place.ask("POST", "/proxies/dmz/start");
    expect(status).toBe(200);
    expect(body).toMatchObject({ proxy: "dmz", state: "running", shallRun: true, revision: 1 });
    expect(body.listening.sipTls).toBe("192.0.2.1:5061");
    const slice = JSON.parse(place.store.read("proxies/dmz/config.json") ?? "{}");
    expect(slice.instances.map((one: { name: string }) => one.name)).toEqual(["mycompany"]);
    expect(slice.proxies[0].inside.sipPort).toBe(15_060);
    expect((await place.ask("GET", "/changes")).body.changes).toEqual([]);
    const stopped = await place.ask("POST", "/proxies/dmz/stop");
    expect(stopped.body).toMatchObject({ state: "stopped", shallRun: false, revision: 2 });
    expect(place.processes.done).toEqual(["start dmz", "stop dmz"]);
    const again = await place.ask("POST", "/proxies/dmz/stop");
    expect([again.status, again.body.revision]).toEqual([200, 2]);
  });

  test("stop leaves what else waits in the candidate alone", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", PROXY);
    await place.ask("POST", "/proxies/dmz/start");
    const { body } = await place.ask("GET", "/proxies/dmz");
    await place.ask("PUT", "/proxies/dmz", { ...body, voipMedia: "rtp" });
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies/dmz/stop");
    expect((await place.ask("GET", "/proxies/dmz?state=active")).body).toMatchObject({
      enabled: false,
      voipMedia: "srtp",
    });
    expect((await place.ask("GET", "/proxies/dmz")).body).toMatchObject({
      enabled: false,
      voipMedia: "rtp",
    });
    expect((await place.ask("GET", "/instances?state=active")).body).toEqual([]);
  });

  test("a proxy that ends by itself is 504 at once, with what it said", async () => {
    const place = await adminPlace();
    const reason = "exit code 1: cannot listen on 127.0.0.5:5061";
    place.processes.broken.set("dmz", { state: "failing", reason });
    await place.ask("POST", "/proxies", PROXY);
    const { status, body } = await place.ask("POST", "/proxies/dmz/start");
    expect([status, body.type, body.detail]).toEqual([
      504,
      "state-not-reached",
      `It is failing: ${reason}`,
    ]);
    const seen = await place.ask("GET", "/proxies/dmz/status");
    expect(seen.body).toMatchObject({ state: "failing", reason, shallRun: true });
  });

  test("one that never comes up is 504 after 20 s", async () => {
    const place = await adminPlace();
    place.processes.broken.set("dmz", { state: "starting", reason: "no answer" });
    await place.ask("POST", "/proxies", PROXY);
    const from = place.clock.now();
    const { status } = await place.whilePassing(place.ask("POST", "/proxies/dmz/start"));
    expect(status).toBe(504);
    expect(place.clock.now() - from).toBeGreaterThanOrEqual(20_000);
    expect(place.clock.now() - from).toBeLessThan(23_000);
  });

  test("a proxy that would be in conflict with what is active has to wait for apply", async () => {
    const place = await adminPlace();
    const lan = { ...PROXY, name: "lan", enabled: false };
    await place.ask("POST", "/proxies", lan);
    await place.ask("POST", "/apply");
    const away = {
      ...lan,
      bindAddress: "127.0.0.9",
      network: { ...lan.network, interface: "eth7", address: "10.5.7.100" },
    };
    expect((await place.ask("PUT", "/proxies/lan", away)).status).toBe(200);
    expect((await place.ask("POST", "/proxies", PROXY)).status).toBe(201);
    const { status, body } = await place.ask("POST", "/proxies/dmz/start");
    expect([status, body.type]).toEqual([409, "changes-waiting"]);
    expect((await place.ask("GET", "/proxies?state=active")).body).toHaveLength(1);
  });

  test("unknown names are 404", async () => {
    const place = await adminPlace();
    for (const [method, path] of [
      ["POST", "start"],
      ["POST", "stop"],
      ["GET", "status"],
    ] as const) {
      expect((await place.ask(method, `/proxies/none/${path}`)).status).toBe(404);
    }
    expect((await place.ask("POST", "/proxies/none/backup", { plain: true })).status).toBe(404);
    expect((await place.ask("PUT", "/proxies/none", PROXY)).status).toBe(404);
    expect((await place.ask("DELETE", "/proxies/none")).status).toBe(404);
  });

  test("a deleted proxy is stopped by apply and its slice is gone", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", PROXY);
    await place.ask("POST", "/proxies/dmz/start");
    expect((await place.ask("DELETE", "/proxies/dmz")).status).toBe(204);
    expect((await place.ask("GET", "/proxies/dmz/status")).body.state).toBe("running");
    await place.ask("POST", "/apply");
    expect(place.processes.running.size).toBe(0);
    expect(place.store.read("proxies/dmz/config.json")).toBeNull();
    expect((await place.ask("GET", "/proxies/dmz/status")).status).toBe(404);
  });
});

describe("backup and restore", () => {
  const FLOW_KEYS = '[{"number":1,"secret":"AAAA"}]';

  async function withRunningProxy() {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies", { ...PROXY, instances: ["mycompany"] });
    await place.ask("POST", "/proxies/dmz/start");
    place.states.set("dmz", { "flow-keys.json": FLOW_KEYS });
    return place;
  }

  async function backup(place: AdminPlace, body: unknown): Promise<Blob> {
    const response = await place.raw("/api/v1/proxies/dmz/backup", {
      method: "POST",
      headers: { authorization: `Bearer ${place.token}` },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-disposition")).toBe(
      'attachment; filename="pequod-dmz-2026-01-02.backup"',
    );
    return new Blob([await response.arrayBuffer()]);
  }

  function form(file: Blob, passphrase?: string): FormData {
    const parts = new FormData();
    parts.set("file", file, "dmz.backup");
    if (passphrase !== undefined) parts.set("passphrase", passphrase);
    return parts;
  }

  test("what was deleted comes back with its secrets, its instances and its flow keys", async () => {
    const place = await withRunningProxy();
    const before = JSON.parse(place.store.read("config/active.json") ?? "{}");
    const file = await backup(place, { passphrase: "correct horse" });
    const parts = () => form(file, "correct horse");
    const on = await place.ask("PUT", "/proxies/dmz/restore", parts());
    expect([on.status, on.body.type]).toEqual([409, "still-running"]);
    await place.ask("POST", "/proxies/dmz/stop");
    await place.ask("DELETE", "/proxies/dmz");
    await place.ask("DELETE", "/instances/mycompany");
    await place.ask("POST", "/apply");
    place.states.clear();
    const dry = await place.ask("PUT", "/proxies/dmz/restore?dryRun=1", parts());
    expect([dry.status, dry.body.isNew, dry.body.dryRun]).toEqual([200, true, true]);
    expect((await place.ask("GET", "/proxies")).body).toEqual([]);
    expect(place.states.size).toBe(0);
    const done = await place.ask("PUT", "/proxies/dmz/restore", parts());
    expect([done.status, done.headers.get("location")]).toEqual([201, "/api/v1/proxies/dmz"]);
    expect(done.body.instances).toEqual({ added: ["mycompany"], kept: [], differing: [] });
    expect(done.body.hasState).toBe(true);
    expect(JSON.stringify(done.body)).not.toContain("PRIVATE KEY");
    expect(place.states.get("dmz")).toEqual({ "flow-keys.json": FLOW_KEYS });
    await place.ask("POST", "/apply");
    const after = JSON.parse(place.store.read("config/active.json") ?? "{}");
    expect(after.proxies[0]).toEqual({ ...before.proxies[0], enabled: false });
    expect(after.instances).toEqual(before.instances);
  });

  test("network, bind address and SIP port of a proxy that is there stay; instances too", async () => {
    const place = await withRunningProxy();
    const file = await backup(place, { plain: true });
    await place.ask("POST", "/proxies/dmz/stop");
    const network = { ...PROXY.network, interface: "eth3", address: "10.5.6.200" };
    const inside = { sipPort: 15_100 };
    const changed = { ...PROXY, bindAddress: "127.0.0.8", network, inside, voipSip: "udp" };
    expect((await place.ask("PUT", "/proxies/dmz", changed)).status).toBe(200);
    await place.ask("PUT", "/instances/mycompany", { address: "10.0.3.199" });
    const { status, body } = await place.ask("PUT", "/proxies/dmz/restore", form(file));
    expect(status).toBe(200);
    expect(body.instances).toEqual({ added: [], kept: ["mycompany"], differing: ["mycompany"] });
    const proxy = (await place.ask("GET", "/proxies/dmz")).body;
    expect(proxy.voipSip).toBe("tls");
    expect(proxy.network).toMatchObject(network);
    expect([proxy.bindAddress, proxy.inside.sipPort, proxy.instances]).toEqual([
      "127.0.0.8",
      15_100,
      ["mycompany"],
    ]);
    expect((await place.ask("GET", "/instances/mycompany")).body.address).toBe("10.0.3.199");
  });

  test("a wrong passphrase or a damaged file changes nothing and says so", async () => {
    const place = await withRunningProxy();
    const file = await backup(place, { passphrase: "correct horse" });
    const plain = await backup(place, { plain: true });
    await place.ask("POST", "/proxies/dmz/stop");
    const before = [...place.store.texts];
    const wrong = await place.ask("PUT", "/proxies/dmz/restore", form(file, "correct house"));
    expect([wrong.status, wrong.body.type]).toEqual([422, "wrong-passphrase"]);
    const none = await place.ask("PUT", "/proxies/dmz/restore", form(file));
    expect([none.status, none.body.type]).toEqual([422, "wrong-passphrase"]);
    for (const part of [plain.slice(0, 500), plain.slice(1), new Blob(["nothing"])]) {
      const cut = await place.ask("PUT", "/proxies/dmz/restore", form(part));
      expect([cut.status, cut.body.type]).toEqual([422, "damaged-backup"]);
    }
    expect([...place.store.texts]).toEqual(before);
  });

  test("requests that are none are told apart", async () => {
    const place = await withRunningProxy();
    const asked = (body: unknown) => place.ask("POST", "/proxies/dmz/backup", body);
    expect((await asked({})).status).toBe(422);
    expect((await asked({ plain: false })).status).toBe(422);
    expect((await asked({ passphrase: "short" })).body.problems[0].path).toBe("passphrase");
    await place.ask("POST", "/proxies/dmz/stop");
    expect((await asked({ plain: true })).body.type).toBe("not-running");
    expect((await place.ask("PUT", "/proxies/dmz/restore", {})).status).toBe(415);
    expect((await place.ask("PUT", "/proxies/dmz/restore", new FormData())).status).toBe(422);
    const odd = form(new Blob(["x"]));
    odd.set("path", "/etc/passwd");
    expect((await place.ask("PUT", "/proxies/dmz/restore", odd)).body.problems[0].path).toBe(
      "path",
    );
  });
});

describe("with a helper", () => {
  const confirmBefore = "2026-01-02T00:02:00.000Z";

  async function pending() {
    const place = await adminPlace({ hasHelper: true });
    await place.ask("PUT", "/appliance", { name: "gate" });
    place.helper.confirmBefore = confirmBefore;
    const applied = await place.ask("POST", "/apply");
    expect(applied.body).toEqual({ revision: 1, confirmBefore });
    return place;
  }

  test("an apply is active only when it was confirmed", async () => {
    const place = await pending();
    const active = () => place.ask("GET", "/appliance?state=active");
    expect((await active()).body.name).toBe("pequod");
    expect((await place.ask("GET", "/changes")).body.pending).toEqual({
      revision: 1,
      confirmBefore,
    });
    expect((await place.ask("POST", "/apply")).body.type).toBe("confirm-pending");
    const confirmed = await place.ask("POST", "/apply/confirm");
    expect(confirmed.body).toEqual({ revision: 1, confirmBefore: null });
    expect((await active()).body.name).toBe("gate");
    expect(place.helper.asked).toEqual(["apply", "confirm"]);
    expect((await place.ask("POST", "/apply/confirm")).body.type).toBe("nothing-to-confirm");
  });

  test("without a confirmation all is as before, the candidate waits on, and it is told", async () => {
    const place = await pending();
    place.clock.advance(121_000);
    await place.ask("GET", "/changes");
    const { body } = await place.ask("GET", "/changes");
    expect(body.pending).toBeNull();
    expect(body.undone).toEqual({ revision: 1, time: "2026-01-02T00:02:01.000Z" });
    expect(body.changes).toEqual([{ path: "appliance.name", before: "pequod", after: "gate" }]);
    expect((await place.ask("GET", "/appliance?state=active")).body.name).toBe("pequod");
  });

  test("what the helper refuses leaves no revision behind", async () => {
    const place = await adminPlace({ hasHelper: true });
    await place.ask("PUT", "/appliance", { name: "gate" });
    place.helper.error = "netplan: eth9 is not there";
    const { status, body } = await place.ask("POST", "/apply");
    expect([status, body.type, body.detail]).toEqual([
      502,
      "network-refused",
      "netplan: eth9 is not there",
    ]);
    expect((await place.ask("GET", "/revisions")).body).toEqual([]);
    expect((await place.ask("GET", "/changes")).body.changes).toHaveLength(1);
  });

  test("start confirms its own zone, and puts the waiting candidate back", async () => {
    const place = await adminPlace({ hasHelper: true });
    await place.ask("POST", "/proxies", PROXY);
    await place.ask("PUT", "/appliance", { name: "gate" });
    place.helper.confirmBefore = confirmBefore;
    expect((await place.ask("POST", "/proxies/dmz/start")).status).toBe(200);
    expect(place.helper.asked).toEqual(["apply", "confirm"]);
    expect((await place.ask("GET", "/appliance?state=active")).body.name).toBe("pequod");
    expect((await place.ask("GET", "/appliance")).body.name).toBe("gate");
    expect((await place.ask("GET", "/changes")).body.changes).toHaveLength(1);
  });
});

describe("the rest", () => {
  test("interfaces say which proxies stand on them; loopback is none", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", { name: "dmz", fqdn: "a.example.com" });
    expect((await place.ask("GET", "/interfaces")).body).toEqual([
      {
        name: "eth0",
        mac: "02:00:00:00:00:01",
        isUp: true,
        addresses: ["10.0.0.10/24"],
        usedBy: ["dmz"],
      },
    ]);
  });

  test("the URLs of a phone, of each proxy that reaches its instance", async () => {
    const place = await adminPlace();
    const ask = (query: string) => place.ask("GET", `/provisioning-urls?${query}`);
    const unknown = await ask("instance=none&mac=08C25A4F0321");
    expect(unknown.status).toBe(404);
    expect(unknown.body.detail).toBe('The applied configuration has no instance "none".');
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies", { ...PROXY, enabled: false });
    const second = { bindAddress: "127.0.0.6", enabled: false, fqdn: "lan.example.com" };
    const network = { ...PROXY.network, interface: "eth2", address: "10.5.7.100" };
    const lan = { ...PROXY, ...second, network, name: "lan", phoneProvisioning: "http-and-https" };
    await place.ask("POST", "/proxies", lan);
    await place.ask("POST", "/proxies", {
      ...lan,
      name: "closed",
      bindAddress: "127.0.0.7",
      network: { ...network, interface: "eth3", address: "10.5.8.100" },
      phoneProvisioning: "off",
    });
    const applied = await place.ask("POST", "/apply");
    expect(applied.status).toBe(200);
    expect((await ask("instance=mycompany&mac=xyz")).body.problems).toEqual([
      { path: "mac", message: "must be a MAC address, e.g. 08C25A4F0321" },
    ]);
    const { status, body } = await ask("instance=MyCompany&mac=08:c2:5a:4f:03:21");
    expect(status).toBe(200);
    const token = expect.stringMatching(/^https:\/\/[a-z.]+:8884\/p\/[A-Za-z0-9_-]{43}$/);
    const plain = "/p/mycompany/08C25A4F0321";
    expect(body).toEqual([
      { proxy: "dmz", urls: [token] },
      {
        proxy: "lan",
        urls: [`https://lan.example.com:8884${plain}`, `http://lan.example.com:8880${plain}`],
      },
      { proxy: "closed", urls: [] },
    ]);
    expect((await ask("instance=mycompany&mac=08C25A4F0321")).body).toEqual(body);
  });

  test("metrics of all running proxies, each head once", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", PROXY);
    await place.ask("POST", "/proxies", {
      ...PROXY,
      name: "lan",
      bindAddress: "127.0.0.6",
      network: { ...PROXY.network, interface: "eth2", address: "10.5.7.100" },
    });
    await place.ask("POST", "/apply");
    const { body, headers } = await place.ask("GET", "/metrics");
    expect(headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(body.match(/# HELP pequod_up /g)).toHaveLength(1);
    expect(body).toContain('pequod_up{proxy="dmz"} 1\npequod_up{proxy="lan"} 1\n');
  });

  test("events tell what others do", async () => {
    const place = await adminPlace();
    const response = await place.raw("/api/v1/events", {
      headers: { authorization: `Bearer ${place.token}` },
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.getReader();
    const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
    expect(await next()).toBe(": hello\n\n");
    await place.ask("POST", "/instances", INSTANCE);
    expect(await next()).toBe("event: candidate\ndata: {}\n\n");
    await place.ask("POST", "/apply");
    expect(await next()).toBe('event: applied\ndata: {"revision":1,"confirmBefore":null}\n\n');
    await reader.cancel();
  });

  test("bodies that are no JSON, hold a key twice, or are too large", async () => {
    const place = await adminPlace();
    const post = async (body: string) => {
      const headers = { authorization: `Bearer ${place.token}` };
      const response = await place.raw("/api/v1/instances", { method: "POST", headers, body });
      return [response.status, ((await response.json()) as { type: string }).type];
    };
    expect(await post("{")).toEqual([400, "bad-request"]);
    expect(await post("")).toEqual([400, "bad-request"]);
    expect(await post('{"name":"a","name":"b","address":"10.0.0.1"}')).toEqual([
      400,
      "bad-request",
    ]);
    expect(await post(`{"name":"${"x".repeat(1_100_000)}"}`)).toEqual([413, "too-large"]);
    expect(await post(`{"__proto__":{"name":"a"},"address":"10.0.0.1"}`)).toEqual([422, "invalid"]);
  });

  test("the OpenAPI document describes every route there is, and no other", async () => {
    const place = await adminPlace();
    const { body } = await place.ask("GET", "/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    expect(body.components.schemas.Proxy.properties.voipSip.enum).toEqual(["tls", "udp", "off"]);
    expect(body.components.schemas.Proxy.properties.certificateKey.writeOnly).toBe(true);
    const references = JSON.stringify(body).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of references) expect(body.components.schemas).toHaveProperty([name!]);
    const described = ROUTES.map(([method, path]) => {
      expect(Object.keys(body.paths[path][method].responses)).toContain("400");
      const pattern = path.replace(/\{(\w+)\}/g, ":$1");
      return `${method.toUpperCase()} /api/v1${pattern}`;
    });
    const real = place.routes.filter((one) => one.includes("/api/v1"));
    expect(described.sort()).toEqual([...new Set(real)].sort());
  });
});
