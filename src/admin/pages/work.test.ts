import { describe, expect, test } from "bun:test";
import { AdminPlace, adminPlace, INSTANCE, PROXY } from "../../../test/flows/admin-place.ts";

type Answer = { readonly status: number; readonly html: string; readonly to: string | null };

async function visit(
  place: AdminPlace,
  path: string,
  form?: Record<string, string> | FormData,
  language = "en",
): Promise<Answer> {
  const headers = { cookie: `__Host-pequod=${place.token}; pequod-language=${language}` };
  const body = form === undefined || form instanceof FormData ? form : new URLSearchParams(form);
  const init: RequestInit = { method: body === undefined ? "GET" : "POST", headers };
  if (body !== undefined) init.body = body;
  const response = await place.raw(path, init);
  return {
    status: response.status,
    html: await response.text(),
    to: response.headers.get("location"),
  };
}

const TRIAL = { ...PROXY, network: { mode: "auto" } };

describe("the first set-up", () => {
  test("goes from the code to a running proxy, can be left and goes on where it was", async () => {
    const place = new AdminPlace();
    const account = { username: "anna", password: "eight or more", repeat: "eight or more" };
    const wrong = await visit(place, "/setup", { ...account, code: "WRONG" });
    expect([wrong.status, wrong.html.includes("The set-up code is wrong.")]).toEqual([403, true]);
    expect(wrong.html).not.toContain("eight or more");
    const code = place.admin.setupCode ?? "";
    const different = await visit(place, "/setup", { ...account, code, repeat: "x" });
    expect(different.html).toContain("is not the same");
    const short = await visit(
      place,
      "/setup",
      { ...account, code, password: "x", repeat: "x" },
      "de",
    );
    expect(short.html).toContain("muss 8 bis 1024 Zeichen haben");

    const headers = {};
    const body = new URLSearchParams({ ...account, code });
    const made = await place.raw("/setup", { method: "POST", headers, body });
    place.token = /=([^;]*)/.exec(made.headers.get("set-cookie") ?? "")?.[1] ?? "";
    expect((await visit(place, "/setup")).to).toBe("/setup/instance");
    expect((await visit(place, "/")).html).toContain("The first set-up is not finished.");
    expect((await visit(place, "/setup/certificate")).to).toBe("/setup/proxy");

    expect((await visit(place, "/setup/instance", INSTANCE)).to).toBe("/setup/proxy");
    expect((await visit(place, "/setup")).to).toBe("/setup/proxy");
    const proxy = { name: "dmz", "network.mode": "auto", fqdn: "" };
    const refused = await visit(place, "/setup/proxy", proxy);
    expect([refused.status, refused.html.includes("is required")]).toEqual([422, true]);
    const named = { ...proxy, fqdn: "mobydick.example.com" };
    expect((await visit(place, "/setup/proxy", named)).to).toBe("/setup/certificate");
    expect((await visit(place, "/setup/certificate")).html).toContain("mobydick.example.com");
    const again = await visit(place, "/setup/proxy");
    expect(again.html).not.toContain('name="network.mode"');
    expect(again.html).toContain('value="mobydick.example.com"');

    expect((await visit(place, "/setup/certificate", {})).to).toBe("/setup/apply");
    expect((await visit(place, "/setup/apply")).html).toContain("Applying it starts the proxy.");
    expect((await visit(place, "/changes/apply", { note: "first" })).to).toBe(
      "/changes?done=applied",
    );
    expect((await visit(place, "/setup")).to).toBe("/setup/apply");
    expect((await visit(place, "/setup/apply")).html).toContain(">running<");
    expect((await visit(place, "/")).html).not.toContain("The first set-up is not finished.");
  });
});

describe("proxies", () => {
  test("are told as observed: running only while a process answers", async () => {
    const place = await adminPlace();
    const empty = await visit(place, "/proxies");
    expect(empty.html).toContain("There is no proxy yet.");
    expect(empty.html).toContain('href="/add/proxy"');
    await place.ask("POST", "/proxies", TRIAL);
    expect((await visit(place, "/proxies")).html).toContain('class="state stopped"');
    const started = visit(place, "/proxies/dmz/start", {});
    expect((await place.whilePassing(started)).to).toBe("/proxies/dmz?done=started");
    const running = await visit(place, "/proxies/dmz");
    expect(running.html).toContain('class="state running"');
    expect(running.html).toContain("open on 192.0.2.1:5061");
    expect(running.html).toContain("Stop proxy dmz");
    place.processes.running.clear();
    const gone = await visit(place, "/proxies/dmz");
    expect(gone.html).not.toContain('class="state running"');
    expect(gone.html).toContain("It should run");
  });

  test("management is shown where it is observed to be open", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    const shown = async () => (await visit(place, "/proxies/dmz")).html;
    expect(await shown()).toContain('<dt>Management</dt><dd class="not-open">not open');
    await place.whilePassing(visit(place, "/proxies/dmz/start", {}));
    expect(await shown()).toContain("open on 192.0.2.1:443, requests 0");
  });

  test("phone provisioning is shown where it is observed to be open", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    const shown = async () => (await visit(place, "/proxies/dmz")).html;
    expect(await shown()).toContain('<dt>Phone provisioning</dt><dd class="not-open">not open');
    await place.whilePassing(visit(place, "/proxies/dmz/start", {}));
    expect(await shown()).toContain("open on HTTPS 192.0.2.1:8884");
  });

  test("one that does not come up says so, with the reason", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    place.processes.broken.set("dmz", { state: "failing", reason: "port 5061 is taken" });
    const answer = await place.whilePassing(visit(place, "/proxies/dmz/start", {}));
    expect(answer.status).toBe(504);
    expect(answer.html).toContain("The proxy did not reach the wanted state in time.");
    expect(answer.html).toContain("port 5061 is taken");
  });

  test("are deleted only when asked twice, by name", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    const asked = await visit(place, "/proxies/dmz/delete", {});
    expect(asked.html).toContain("Delete proxy dmz");
    expect((await place.ask("GET", "/proxies")).body).toHaveLength(1);
    const { html } = await visit(place, "/proxies/dmz");
    const etag = (/name="etag" value="([^"]*)"/.exec(html)?.[1] ?? "").replaceAll("&quot;", '"');
    const form = { sure: "on", etag };
    expect((await visit(place, "/proxies/dmz/delete", form)).to).toBe("/proxies?done=deleted");
    expect((await place.ask("GET", "/proxies")).body).toEqual([]);
  });

  test("a list is filtered by name, DNS name and address", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", PROXY);
    await place.ask("POST", "/proxies", { ...TRIAL, name: "other", bindAddress: "127.0.0.6" });
    const found = async (q: string) => {
      const { html } = await visit(place, `/proxies?q=${q}`);
      return ["dmz", "other"].filter((name) => html.includes(`href="/proxies/${name}"`));
    };
    expect(await found("OTHER")).toEqual(["other"]);
    expect(await found("10.5.6")).toEqual(["dmz"]);
    expect(await found("example.com")).toEqual(["dmz", "other"]);
    expect((await visit(place, "/proxies?q=nothing")).html).toContain("Nothing matches.");
  });

  test("a backup is a file, and brings the proxy back", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    const stopped = await visit(place, "/proxies/dmz/backup", { plain: "on" });
    expect([stopped.status, stopped.html.includes("The proxy is not running.")]).toEqual([
      409,
      true,
    ]);
    await place.whilePassing(visit(place, "/proxies/dmz/start", {}));
    const short = await visit(place, "/proxies/dmz/backup", { passphrase: "x" });
    expect(short.html).toContain("Passphrase: must have 6 to 1024 characters");

    const headers = { cookie: `__Host-pequod=${place.token}` };
    const body = new URLSearchParams({ plain: "on" });
    const file = await place.raw("/proxies/dmz/backup", { method: "POST", headers, body });
    expect(file.headers.get("content-disposition")).toMatch(/^attachment; filename="[\w.-]+"$/);
    const bytes = await file.arrayBuffer();
    await place.whilePassing(visit(place, "/proxies/dmz/stop", {}));

    const upload = (what: string, name: string, content: ArrayBuffer | string) => {
      const form = new FormData();
      form.set("name", name);
      form.set("what", what);
      form.set("file", new Blob([content]), "backup");
      return visit(place, "/add/from-backup", form);
    };
    const checked = await upload("check", "dmz", bytes);
    expect(checked.html).toContain("Proxy dmz is replaced.");
    expect((await upload("restore", "dmz", bytes)).to).toBe("/proxies/dmz?done=restored");
    const damaged = await upload("restore", "dmz", "no backup");
    expect([damaged.status, damaged.html.includes("is no backup, or it is damaged")]).toEqual([
      422,
      true,
    ]);
    const none = await upload("restore", "", "");
    expect(none.html.match(/is required/g)).toHaveLength(2);
  });
});

describe("instances", () => {
  test("a check tells what answered", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    const { status, html } = await place.whilePassing(
      visit(place, "/instances/mycompany/check", {}),
    );
    expect(status).toBe(200);
    expect(html).toContain("Result of the check");
    expect(html).toContain("not reachable");
    expect(html).toContain("<dt>Provisioning</dt>");
  });

  test("a MAC is typed in, the URLs of the phone come out; what is no MAC is told", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    const ask = (mac: string, language?: "de") =>
      visit(place, "/instances/mycompany/urls", { mac }, language);
    expect((await ask("08C25A4F0321")).html).toContain("No proxy of the applied configuration");
    await place.ask("POST", "/proxies", { ...TRIAL, phoneProvisioning: "https" });
    await place.ask("POST", "/apply");
    const { status, html } = await ask(" 08:c2:5a:4f:03:21 ");
    expect(status).toBe(200);
    expect(html).toMatch(/https:\/\/[^<]+:8884\/p\/mycompany\/08C25A4F0321</);
    const wrong = await ask("<b>", "de");
    expect(wrong.status).toBe(422);
    expect(wrong.html).toContain("muss eine MAC-Adresse sein, z. B. 08C25A4F0321");
    expect(wrong.html).not.toContain("<b>");
  });

  test("one that a proxy names is not deleted, and it is told which", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    await place.ask("POST", "/proxies", { ...TRIAL, instances: ["mycompany"] });
    const page = await visit(place, "/instances/mycompany");
    const etag = /name="etag" value="([^"]*)"/.exec(page.html)?.[1] ?? "";
    const form = { sure: "on", etag: etag.replaceAll("&quot;", '"') };
    const { status, html } = await visit(place, "/instances/mycompany/delete", form, "de");
    expect(status).toBe(409);
    expect(html).toContain("Proxy dmz nennt sie bei seinen Instanzen");
  });
});

describe("changes", () => {
  test("are told in words before they are applied", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    await place.ask("POST", "/apply");
    const { body } = await place.ask("GET", "/proxies/dmz");
    await place.ask("PUT", "/proxies/dmz", { ...body, voipSip: "udp", provisioningKey: null });
    const row = (...cells: string[]) => cells.map((cell) => `<td>${cell}</td>`).join("");
    const value = (text: string) => `<td class="value">${text}</td>`;
    await place.ask("POST", "/instances", { ...INSTANCE, media: "srtp" });
    const { html } = await visit(place, "/changes");
    expect(html).toContain("<dt>Address</dt>");
    expect(html).toContain('<dt>Media inside</dt><dd class="value">SRTP</dd>');
    expect(html).not.toContain("<dt>XMPP port</dt>");
    expect(html).toContain(row("Proxy dmz", "VoIP SIP") + value("TLS") + value("UDP"));
    expect(html).toContain(row("Proxy dmz", "Provisioning key") + value("(secret)"));
    const german = await visit(place, "/changes", undefined, "de");
    expect(german.html).toContain(row("Proxy dmz", "Provisionierungsschlüssel"));
    expect((await visit(place, "/proxies")).html).toContain("3 changes are saved");
    expect((await visit(place, "/changes/discard", {})).to).toBe("/changes?done=discarded");
    expect((await visit(place, "/changes")).html).toContain("Nothing waits.");
  });

  test("tell a certificate by its end and fingerprint", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/proxies", TRIAL);
    const { html } = await visit(place, "/changes");
    expect(html).toMatch(/<dd class="value">valid until [^<]* GMT, SHA-256 [0-9A-F:]{95}<\/dd>/);
    expect(html).not.toContain("BEGIN CERTIFICATE");
  });

  test("stand in the history, and an old revision can be put back", async () => {
    const place = await adminPlace();
    await place.ask("POST", "/instances", INSTANCE);
    await visit(place, "/changes/apply", { note: "the first" });
    await place.ask("DELETE", "/instances/mycompany");
    await visit(place, "/changes/apply", { note: "away with it" });
    const { html } = await visit(place, "/changes");
    expect(html).toContain("the first");
    expect(html).toContain("away with it");
    const diff = await visit(place, "/changes/2");
    expect(diff.html).toContain("Instance mycompany");
    expect(diff.html).toContain("is removed");
    expect((await visit(place, "/changes/1/restore", {})).to).toBe("/changes?done=put-back");
    expect((await visit(place, "/changes")).html).toContain("is added");
  });

  test("of the network wait for their confirmation, and every page says how long", async () => {
    const place = await adminPlace({ hasHelper: true });
    place.helper.confirmBefore = new Date(place.clock.now() + 120_000).toISOString();
    await place.ask("PUT", "/appliance", { name: "other" });
    expect((await visit(place, "/changes/apply", {})).to).toBe("/changes?done=applied");
    const mine = await visit(place, "/changes?done=applied");
    expect(mine.html).toContain('data-confirm="auto"');
    expect(mine.html).toContain("it is undone in 120 s");
    const other = await visit(place, "/proxies");
    expect(other.html).toContain('data-confirm="by-hand"');
    expect((await visit(place, "/changes/confirm", {})).to).toBe("/changes?done=confirmed");
    expect((await visit(place, "/proxies")).html).not.toContain("data-confirm");
  });

  test("that nobody confirmed are undone, and every page says so", async () => {
    const place = await adminPlace({ hasHelper: true });
    place.helper.confirmBefore = new Date(place.clock.now() + 120_000).toISOString();
    await place.ask("PUT", "/appliance", { name: "other" });
    await visit(place, "/changes/apply", {});
    place.clock.advance(130_000);
    await new Promise((settle) => setImmediate(settle));
    for (const path of ["/", "/proxies", "/account"]) {
      expect((await visit(place, path)).html).toContain("was undone at");
    }
    const late = await visit(place, "/changes/confirm", {});
    expect([late.status, late.html.includes("Nothing waits for a confirmation.")]).toEqual([
      409,
      true,
    ]);
  });
});
