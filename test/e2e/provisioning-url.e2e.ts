/** `pequod provisioning-url` as the operator runs it: bun test ./test/e2e/provisioning-url.e2e.ts */
import { afterEach, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { LoopbackPlace, Running } from "./binary.ts";
import { closeAll, place } from "./call.ts";

afterEach(closeAll);

type Given = Readonly<Record<string, string | null>>;

/** Runs the command; null leaves an option out. */
function ask(at: LoopbackPlace, given: Given = {}): Running {
  const options: Given = {
    config: at.config,
    state: join(at.folder, "state"),
    proxy: "dmz",
    instance: "mycompany",
    mac: "08:c2:5a:4f:03:21",
    ...given,
  };
  const pairs = Object.entries(options).filter(([, value]) => value !== null);
  return at.run(["provisioning-url", ...pairs.flatMap(([name, value]) => [`--${name}`, value!])]);
}

async function urls(at: LoopbackPlace, given: Given = {}): Promise<string[]> {
  const running = ask(at, given);
  expect(await running.exits()).toBe(0);
  return running.stdout.trimEnd().split("\n");
}

test("the encrypted URL is the same each time, whoever asks first, and its key only its owner's", async () => {
  const at = place();
  at.writeConfig({ phoneProvisioning: "https-encrypted" });
  const [url = "", ...more] = await urls(at);
  expect(more).toEqual([]);
  expect(url).toMatch(/^https:\/\/127\.[0-9.]+:8884\/p\/[A-Za-z0-9_-]{43}$/);
  expect(await urls(at, { mac: "08C25A4F0321", instance: "MYCOMPANY" })).toEqual([url]);
  expect(await urls(at, { mac: "08C25A4F0322" })).not.toEqual([url]);
  const key = join(at.folder, "state", "provisioning-key");
  expect(statSync(key).mode & 0o777).toBe(0o600);
  expect(await urls(at, { state: join(at.folder, "other") })).not.toEqual([url]);
});

test("a configured key needs no folder, and gives every machine the same URL", async () => {
  const at = place();
  const provisioningKey = Buffer.alloc(32, 7).toString("base64");
  at.writeConfig({
    phoneProvisioning: "https-encrypted",
    fqdn: "sip.example.com",
    provisioningKey,
  });
  const url = "https://sip.example.com:8884/p/5jwVCFwm88QHK7387Gb4rd8-ON8uvZbZbP0SVkGMMhc";
  expect(await urls(at, { state: "/proc/nowhere" })).toEqual([url]);
});

test("the plain forms, HTTPS first", async () => {
  const at = place();
  at.writeConfig({ phoneProvisioning: "http-and-https", fqdn: "sip.example.com" });
  const plain = "/p/mycompany/08C25A4F0321";
  const both = [`https://sip.example.com:8884${plain}`, `http://sip.example.com:8880${plain}`];
  expect(await urls(at)).toEqual(both);
  at.writeConfig({ phoneProvisioning: "https", fqdn: "sip.example.com" });
  expect(await urls(at)).toEqual(both.slice(0, 1));
});

test("what cannot be is one line and exit 1; what is not understood is 2", async () => {
  const at = place();
  at.writeConfig({ phoneProvisioning: "https" }, {}, [
    { name: "closed", address: at.phone, enabled: false },
  ]);
  const cases: [Given, number, RegExp][] = [
    [{ instance: "nobody" }, 1, /reaches no instance nobody/],
    [{ instance: "closed" }, 1, /reaches no instance closed/],
    [{ proxy: "lan" }, 1, /has no proxy "lan"/],
    [{ mac: "08C25A" }, 1, /no MAC address/],
    [{ config: join(at.folder, "none.json") }, 1, /no such file/],
    [{ mac: null }, 2, /--mac is missing/],
    [{ proxy: null }, 2, /--proxy is missing/],
  ];
  for (const [given, code, text] of cases) {
    const running = ask(at, given);
    expect([given, await running.exits()]).toEqual([given, code]);
    expect(running.stderr).toMatch(text);
    expect(running.stdout).toBe("");
  }
  at.writeConfig({ phoneProvisioning: "off" });
  const off = ask(at);
  expect(await off.exits()).toBe(1);
  expect(off.stderr).toContain("phoneProvisioning is off");
});
