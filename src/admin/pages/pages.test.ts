import { describe, expect, test } from "bun:test";
import full from "../../../test/contract/full.json" with { type: "json" };
import {
  type AdminPlace,
  adminPlace,
  AdminPlace as EmptyPlace,
  INSTANCE,
  PROXY,
} from "../../../test/flows/admin-place.ts";
import { issue } from "../../../test/peers/certificates.ts";
import { type Field, fieldsOf } from "./fields.ts";
import { type Typed, typedOf } from "./form-values.ts";
import { localPath } from "./view.ts";

const COOKIE = "__Host-pequod";

type Answer = { readonly status: number; readonly html: string; readonly to: string | null };

/** A browser without scripts: the cookie of the session, forms, no redirects followed. */
async function visit(
  place: AdminPlace,
  path: string,
  o: { form?: Record<string, string> | Typed | FormData; language?: string; method?: string } = {},
): Promise<Answer> {
  const headers: Record<string, string> = {
    cookie: `${COOKIE}=${place.token}; pequod-language=${o.language ?? "en"}`,
  };
  const init: RequestInit = { method: o.form === undefined ? "GET" : "POST", headers };
  if (o.form instanceof FormData) init.body = o.form;
  else if (o.form !== undefined) {
    const entries = o.form instanceof Map ? [...o.form] : Object.entries(o.form);
    const pairs = entries.flatMap(([name, texts]) => [texts].flat().map((text) => [name, text]));
    init.body = new URLSearchParams(pairs as [string, string][]);
  }
  const response = await place.raw(path, init);
  return {
    status: response.status,
    html: await response.text(),
    to: response.headers.get("location"),
  };
}

const LOCAL_PROXY = { ...PROXY, network: { mode: "auto" } };

async function filledPlace(): Promise<AdminPlace> {
  const place = await adminPlace();
  await place.ask("POST", "/instances", INSTANCE);
  await place.ask("POST", "/proxies", PROXY);
  return place;
}

/** For tests that only look: a proxy's certificate takes long to make. */
const shared = filledPlace();

const etagOf = (html: string): string =>
  (/name="etag" value="([^"]*)"/.exec(html)?.[1] ?? "").replaceAll("&quot;", '"');

/** The form of a page as a browser would send it back. */
function formIn(html: string, fields: readonly Field[], stored: unknown): Map<string, string[]> {
  const form = new Map([...typedOf(fields, stored)].map(([name, texts]) => [name, [...texts]]));
  form.set("etag", [etagOf(html)]);
  return form;
}

const PAGES_OF_ALL = [
  "/",
  "/proxies",
  "/proxies/dmz",
  "/proxies/dmz/calls",
  "/add/proxy",
  "/add/from-backup",
  "/instances",
  "/instances/mycompany",
  "/add/instance",
  "/appliance",
  "/changes",
  "/account",
  "/setup/instance",
  "/setup/proxy",
  "/setup/certificate",
  "/setup/apply",
];

describe("who may see what", () => {
  test("before set-up every page leads to it", async () => {
    const place = new EmptyPlace();
    for (const path of ["/", "/proxies", "/sign-in", "/changes", "/no-such-page"]) {
      expect([path, (await visit(place, path)).to]).toEqual([path, "/setup"]);
    }
    expect((await visit(place, "/setup")).html).toContain('name="code"');
  });

  test.each(PAGES_OF_ALL)("without signing in, %s leads to signing in", async (path) => {
    const response = await (await shared).raw(path);
    const [status, to] = [response.status, response.headers.get("location")];
    const html = await response.text();
    expect([status, html]).toEqual([303, ""]);
    expect(to).toBe(path === "/" ? "/sign-in" : `/sign-in?next=${path}`);
  });

  test("no form does anything without signing in", async () => {
    const place = await filledPlace();
    const { token } = place;
    place.token = "";
    for (const path of [
      "/proxies/dmz/delete",
      "/instances/mycompany/delete",
      "/changes/discard",
      "/changes/apply",
    ]) {
      expect((await visit(place, path, { form: { sure: "on" } })).to).toBe("/sign-in");
    }
    place.token = token;
    expect((await place.ask("GET", "/proxies")).body).toHaveLength(1);
  });

  test("a form of another site is refused", async () => {
    const place = await filledPlace();
    const headers = { cookie: `${COOKIE}=${place.token}`, "sec-fetch-site": "cross-site" };
    const response = await place.raw("/changes/discard", { method: "POST", headers });
    expect(response.status).toBe(403);
    expect((await place.ask("GET", "/changes")).body.changes).not.toEqual([]);
  });

  test("signing in leads to the page that was asked for, and only to one of ours", async () => {
    const place = await filledPlace();
    const account = { username: "anna", password: "eight or more" };
    const next = async (to: string) =>
      (await visit(place, "/sign-in", { form: { ...account, next: to } })).to;
    expect(await next("/proxies/dmz")).toBe("/proxies/dmz");
    expect(await next("//evil.example")).toBe("/");
    expect(await next("https://evil.example")).toBe("/");
    expect(await next("/\\evil.example")).toBe("/");
    const wrong = await visit(place, "/sign-in", { form: { username: "anna", password: "wrong" } });
    expect(wrong.status).toBe(401);
    expect(wrong.html).toContain("User name or password is wrong.");
    expect(wrong.html).toContain('value="anna"');
    expect(wrong.html).not.toContain('value="wrong"');
  });

  test("the cookie is given on signing in and taken on signing out", async () => {
    const place = await filledPlace();
    const body = new URLSearchParams({ username: "anna", password: "eight or more" });
    const signedIn = await place.raw("/sign-in", { method: "POST", body });
    const cookie = signedIn.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^__Host-pequod=.*HttpOnly; Secure; SameSite=Strict$/);
    place.token = /=([^;]*)/.exec(cookie)?.[1] ?? "";
    expect((await visit(place, "/")).status).toBe(200);
    expect((await visit(place, "/sign-out", { form: {} })).to).toBe("/sign-in?done=signed-out");
    expect((await visit(place, "/")).to).toBe("/sign-in");
  });
});

describe("every page", () => {
  test.each(PAGES_OF_ALL)("%s is there in both languages, with version and API", async (path) => {
    const place = await shared;
    const english = await visit(place, path);
    const german = await visit(place, path, { language: "de" });
    expect([english.status, german.status]).toEqual([200, 200]);
    expect(english.html).toStartWith('<!doctype html><html lang="en"');
    expect(german.html).toContain('<html lang="de"');
    for (const { html } of [english, german]) {
      expect(html).toContain("pequod test");
      expect(html).toContain('href="/api/v1/openapi.json"');
      expect(html).not.toContain("undefined");
      expect(html).not.toContain("[object Object]");
      expect(html).not.toMatch(/<script(?![^>]* src=")|style="|\son\w+="/);
    }
  });

  test("a page that does not exist says so, one of the API in its own way", async () => {
    const place = await shared;
    const missing = await visit(place, "/no-such-page");
    expect([missing.status, missing.html.includes("There is no such thing.")]).toEqual([404, true]);
    expect((await place.ask("GET", "/no-such-route")).body.type).toBe("not-found");
    expect((await visit(place, "/proxies/nobody")).status).toBe(404);
    expect((await visit(place, "/instances/nobody")).status).toBe(404);
    expect((await visit(place, "/changes/999")).status).toBe(404);
    expect((await visit(place, "/changes/x")).status).toBe(404);
  });

  test("language and colours are kept in cookies, and nothing else can be", async () => {
    const place = await shared;
    const set = async (form: Record<string, string>) => {
      const body = new URLSearchParams(form);
      const response = await place.raw("/preferences", { method: "POST", body });
      return [response.headers.getSetCookie().join("|"), response.headers.get("location")];
    };
    expect(await set({ language: "de", back: "/proxies/dmz" })).toEqual([
      "pequod-language=de; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax",
      "/proxies/dmz",
    ]);
    expect((await set({ theme: "dark", back: "//x" }))[1]).toBe("/");
    expect((await set({ theme: "x; Domain=evil", back: "/" }))[0]).toBe("");
    const headers = { cookie: "pequod-theme=dark" };
    const page = await place.raw("/sign-in", { headers });
    expect(await page.text()).toContain('data-theme="dark"');
  });

  test("assets are there without signing in and may be kept", async () => {
    const place = new EmptyPlace();
    const { html } = await visit(place, "/setup");
    const style = /href="(\/assets\/[^"]*\.css)"/.exec(html)?.[1] ?? "";
    const response = await place.raw(style);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/css; charset=utf-8");
    expect(response.headers.get("cache-control")).toContain("immutable");
  });

  test("a form that is no form, or too large, is answered by a page", async () => {
    const place = await shared;
    const headers = { cookie: `${COOKIE}=${place.token}` };
    const post = (body: string) => place.raw("/appliance", { method: "POST", headers, body });
    expect((await post("{}")).status).toBe(400);
    expect((await post("x".repeat(1_100_000))).status).toBe(413);
  });
});

describe("forms of the configuration", () => {
  test("hold every field of the schema", async () => {
    const place = await shared;
    const missing = async (path: string, fields: readonly Field[]) => {
      const { html } = await visit(place, path);
      const names = fields.flatMap(({ path: name, columns }) =>
        columns.length === 0 ? [name] : columns.map((one) => one.path.replace("[]", "[0]")),
      );
      return names.filter((name) => !html.includes(`name="${name}"`));
    };
    const proxy = fieldsOf("proxy").filter(({ kind }) => kind !== "instances");
    expect(await missing("/add/proxy", proxy)).toEqual([]);
    expect(await missing("/proxies/dmz", proxy)).toEqual(["name", "network.mode"]);
    expect(await missing("/add/instance", fieldsOf("instance"))).toEqual([]);
    expect(await missing("/instances/mycompany", fieldsOf("instance"))).toEqual(["name"]);
    expect(await missing("/appliance", fieldsOf("appliance"))).toEqual([]);
    expect((await visit(place, "/add/proxy")).html).toContain('name="instances.choice"');
  });

  test("a proxy saved without a change is the same, secrets and all", async () => {
    const place = await filledPlace();
    const before = place.admin.operations.proxies.get("dmz", "candidate");
    if (!before.ok) throw new Error("no proxy");
    const { html } = await visit(place, "/proxies/dmz");
    const form = formIn(html, fieldsOf("proxy"), before.value.value);
    const crlf = new Map(
      [...form].map(([n, texts]) => [n, texts.map((t) => t.replace(/\n/g, "\r\n"))]),
    );
    crlf.set("etag", form.get("etag") ?? []);
    expect((await visit(place, "/proxies/dmz", { form: crlf })).to).toBe("/proxies/dmz?done=saved");
    const after = place.admin.operations.proxies.get("dmz", "candidate");
    expect(after).toEqual(before);
  });

  test("a change is saved, and what is not on the form stays", async () => {
    const place = await filledPlace();
    const { html } = await visit(place, "/proxies/dmz");
    const form = { etag: etagOf(html), fqdn: "new.example.com", voipSip: "udp", "ports.web": "" };
    expect((await visit(place, "/proxies/dmz", { form })).status).toBe(303);
    const { body } = await place.ask("GET", "/proxies/dmz");
    expect([body.fqdn, body.voipSip, body.ports.web]).toEqual(["new.example.com", "udp", 443]);
    expect(body.network.address).toBe("10.5.6.100");
    expect(body.limits.dialogs).toBe(50_000);
  });

  test("problems stand beside their fields, and what was typed stays", async () => {
    const place = await filledPlace();
    const form = {
      name: "lan",
      "network.mode": "manual",
      "network.interface": "eth 1",
      "network.address": "10.5.7.1",
      "network.netmask": "nonsense",
      fqdn: "lan.example.com",
      "limits.portRest": "soon",
    };
    const { status, html } = await visit(place, "/add/proxy", { form });
    expect(status).toBe(422);
    for (const typed of ["lan", "eth 1", "10.5.7.1", "nonsense", "lan.example.com", "soon"]) {
      expect(html).toContain(`value="${typed}"`);
    }
    expect(html).toMatch(/name="network\.netmask"[^>]*aria-invalid="true"/);
    expect(html).toMatch(
      /name="network.netmask"[^>]*>\s*<p class="problem">must be an IPv4 address/,
    );
    expect(html).toContain('<a href="#field-network.interface">Network Interface</a>: must be');
    expect(html).toMatch(/<details class="section" open[^>]*><summary>Limits/);
    expect(html).toMatch(/<details class="section"><summary>Ports/);
    const german = await visit(place, "/add/proxy", { form, language: "de" });
    expect(german.html).toContain('<p class="problem">muss eine IPv4-Adresse sein</p>');
    expect((await place.ask("GET", "/proxies")).body).toHaveLength(1);
  });

  test("a name that is taken is told at the name", async () => {
    const place = await filledPlace();
    const form = { name: "MyCompany", address: "10.0.3.9" };
    const { status, html } = await visit(place, "/add/instance", { form });
    expect(status).toBe(409);
    expect(html).toMatch(/name="name"[^>]*>\s*<p class="problem">is already taken/);
  });

  test("what somebody else saved meanwhile is not overwritten unseen", async () => {
    const place = await filledPlace();
    const { html } = await visit(place, "/instances/mycompany");
    const old = etagOf(html);
    await place.ask("PUT", "/instances/mycompany", { ...INSTANCE, address: "10.0.3.151" });
    const form = { etag: old, address: "10.0.3.152" };
    const late = await visit(place, "/instances/mycompany", { form });
    expect(late.status).toBe(412);
    expect(late.html).toContain("Somebody else saved it");
    expect(late.html).toContain('value="10.0.3.152"');
    expect((await place.ask("GET", "/instances/mycompany")).body.address).toBe("10.0.3.151");
    const again = { ...form, etag: etagOf(late.html) };
    expect((await visit(place, "/instances/mycompany", { form: again })).status).toBe(303);
  });

  test("further interfaces of the appliance are added and taken away by rows", async () => {
    const place = await filledPlace();
    const { html } = await visit(place, "/appliance");
    const row = (at: number, name: string, address: string) => ({
      [`inside[${at}].interface`]: name,
      [`inside[${at}].address`]: address,
      [`inside[${at}].netmask`]: name === "" ? "" : "255.255.255.0",
      [`inside[${at}].routes`]: "",
    });
    const wrong = { etag: etagOf(html), ...row(0, "", ""), ...row(1, "eth2", "10.0.3") };
    const refused = await visit(place, "/appliance", { form: wrong });
    expect(refused.status).toBe(422);
    expect(refused.html).toMatch(/name="inside\[0\]\.address"[^>]*value="10\.0\.3"/);
    expect(refused.html).toMatch(/name="inside\[0\]\.address"[^>]*aria-invalid/);
    const good = { etag: etagOf(html), ...row(0, "eth2", "10.0.3.1"), ...row(1, "", "") };
    expect((await visit(place, "/appliance", { form: good })).to).toBe("/appliance?done=saved");
    expect((await place.ask("GET", "/appliance")).body.inside).toEqual([
      { interface: "eth2", address: "10.0.3.1", netmask: "255.255.255.0", routes: [] },
    ]);
  });

  test("a proxy whose mode is auto has no fields of a manual network", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", LOCAL_PROXY);
    const { html } = await visit(place, "/proxies/dmz");
    expect(html).not.toContain('name="network.');
    expect(html).toContain("The network mode is auto. It cannot be changed after creation.");
  });
});

describe("secrets", () => {
  const [first] = full.proxies;
  const keyLine = (first?.certificateKey ?? "").split("\n")[3] ?? "";

  test("are on no page, but whether they are set", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies", { ...first, inside: {} });
    await place.ask("POST", "/apply");
    for (const path of [...PAGES_OF_ALL, "/changes/1"]) {
      for (const language of ["en", "de"]) {
        const { html, status } = await visit(place, path, { language });
        expect([path, status]).toEqual([path, 200]);
        expect(html).not.toContain(keyLine);
        expect(html).not.toContain(first?.provisioningKey);
        expect(html).not.toContain("PRIVATE KEY-----\n");
        expect(html).not.toContain("hash of");
      }
    }
    const { html } = await visit(place, "/proxies/dmz");
    expect(html).toMatch(/class="fingerprint">[0-9A-F]{2}(:[0-9A-F]{2}){31}</);
    expect(html).toContain("A key is set.");
  });

  test("that were typed beside something wrong are asked for once more", async () => {
    const place = await filledPlace();
    const { html } = await visit(place, "/proxies/dmz");
    const key = first?.certificateKey ?? "";
    const form = { etag: etagOf(html), certificateKey: key, fqdn: "not a name" };
    const refused = await visit(place, "/proxies/dmz", { form });
    expect(refused.status).toBe(422);
    expect(refused.html).not.toContain(keyLine);
    expect(refused.html).toContain("paste it once more");
  });

  test("a new certificate and key are made when asked for", async () => {
    const place = await filledPlace();
    const before = (await place.ask("GET", "/proxies/dmz")).body;
    const { html } = await visit(place, "/proxies/dmz");
    const form = {
      etag: etagOf(html),
      fqdn: before.fqdn,
      certificatePem: before.certificatePem,
      "certificateKey.renew": "on",
    };
    expect((await visit(place, "/proxies/dmz", { form })).status).toBe(303);
    const after = (await place.ask("GET", "/proxies/dmz")).body;
    expect(after.certificateKeyFingerprint).not.toBe(before.certificateKeyFingerprint);
    expect(after.certificateSelfSigned).toBe(true);
  });
});

describe("the certificate of a proxy", () => {
  test("is told beside its field, with its faults in the language of the page", async () => {
    const place = await filledPlace();
    const { body } = await place.ask("GET", "/proxies/dmz");
    const own = await visit(place, "/proxies/dmz");
    expect(own.html).toContain("itself (self-signed)");
    const { certificatePem, keyPem } = await issue({
      name: "Branch office",
      issuer: await issue({ name: "Authority" }),
      names: ["other.example.com", "192.0.2.1"],
    });
    const sent = { ...body, certificatePem, certificateKey: keyPem };
    expect((await place.ask("PUT", "/proxies/dmz", sent)).status).toBe(200);
    const { html } = await visit(place, "/proxies/dmz", { language: "de" });
    expect(html).toContain("CN=Branch office");
    expect(html).toContain("other.example.com, 192.0.2.1");
    expect(html).toContain("das Zertifikat gilt nicht für");
    expect(html).toContain("in der Kette fehlt das Zertifikat des Ausstellers: CN=Authority");
    expect(html).not.toContain("selbst signiert)");
  });
});

describe("text of others", () => {
  const EVIL = '"><script>alert(1)</script>';

  test("is escaped wherever it comes back", async () => {
    const place = await filledPlace();
    const places: [string, Record<string, string>][] = [
      ["/add/proxy", { name: EVIL, fqdn: EVIL, localNetworks: EVIL, voipSip: EVIL }],
      ["/add/instance", { name: EVIL, address: EVIL, "sip.caPem": EVIL }],
      ["/proxies/dmz", { fqdn: EVIL, "network.interface": EVIL }],
      ["/appliance", { name: EVIL, "inside[0].interface": EVIL }],
      ["/add/from-backup", { name: EVIL }],
      ["/sign-in", { username: EVIL, password: "x", next: EVIL }],
    ];
    for (const [path, form] of places) {
      const { html, status } = await visit(place, path, { form });
      expect([path, status >= 400]).toEqual([path, true]);
      expect(html).not.toContain("<script>alert");
      expect(html).toContain("&lt;script&gt;alert(1)");
    }
    for (const path of [`/proxies?q=${EVIL}`, `/add/from-backup?name=${EVIL}`, "/?done=<script>"]) {
      expect((await visit(place, path)).html).not.toContain("<script>");
    }
  });

  test("a note of an apply is escaped in the history", async () => {
    const place = await filledPlace();
    await visit(place, "/changes/apply", { form: { note: EVIL } });
    const { html } = await visit(place, "/changes");
    expect(html).toContain("&lt;script&gt;alert(1)");
    expect(html).not.toContain("<script>alert");
  });
});

test.each([
  ["/proxies/dmz", "/proxies/dmz"],
  ["/", "/"],
  [undefined, "/"],
  ["", "/"],
  ["//evil.example/x", "/"],
  ["/\\evil.example", "/"],
  ["/a\r\nset-cookie: x", "/"],
  ["https://evil.example", "/"],
  ["javascript:alert(1)", "/"],
])("a way back of %p is %p", (given, path) => {
  expect(localPath(given)).toBe(path);
});
