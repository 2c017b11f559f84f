/** What leads to an instance's configuration of a phone, and what to nothing. */
import { describe, expect, test } from "bun:test";
import { Random } from "../../test/fuzz/random.ts";
import { ProvisioningTokens } from "../provisioning/token.ts";
import type { ProvisioningMode } from "../provisioning/urls.ts";
import type { Instance } from "./instances.ts";
import { lookUpPhone } from "./phone-look-up.ts";

const tokens = new ProvisioningTokens(Buffer.alloc(32, 7));
const PHONE = { instance: "mycompany", mac: "08C25A4F0321" };
const TOKEN = tokens.make(PHONE);
const PLAIN = "/p/mycompany/08C25A4F0321";
const instances = {
  byName: (name: string) =>
    name === "mycompany" ? ({ name: "MyCompany" } as Instance) : undefined,
};

type Way = { readonly mode?: ProvisioningMode; readonly isTls?: boolean; readonly method?: string };

function ask(target: string, { mode = "https-encrypted", isTls = true, method = "GET" }: Way = {}) {
  return lookUpPhone({ target, isTls, method }, { mode, tokens, instances });
}

const targetOf = (target: string, way?: Way) => ask(target, way).found?.target ?? null;

describe("by token", () => {
  test("the instance is asked for its phone, and for what stands behind", () => {
    const own = "/p/MyCompany/08C25A4F0321";
    expect(targetOf(`/p/${TOKEN}`)).toBe(own);
    expect(targetOf(`/p/${TOKEN}=%2B`)).toBe(own);
    expect(targetOf(`/p/${TOKEN}/`)).toBe(`${own}/`);
    expect(targetOf(`/p/${TOKEN}/fw/x%20y.bin?a=1&b=%2f`)).toBe(`${own}/fw/x%20y.bin?a=1&b=%2f`);
    expect(targetOf(`/p/${TOKEN}?mac=1`, { method: "HEAD" })).toBe(`${own}?mac=1`);
    expect(ask(`/p/${TOKEN}`).isByToken).toBe(true);
  });

  test("is good by HTTPS in every mode, never by HTTP", () => {
    for (const mode of ["https-encrypted", "https", "http-and-https"] as const) {
      expect(targetOf(`/p/${TOKEN}`, { mode })).not.toBeNull();
      expect(targetOf(`/p/${TOKEN}`, { mode, isTls: false })).toBeNull();
    }
  });

  test("another proxy's, a changed one and one of an instance that is not here find nothing", () => {
    const other = new ProvisioningTokens(Buffer.alloc(32, 8)).make(PHONE);
    const gone = tokens.make({ ...PHONE, instance: "gone" });
    for (const token of [other, `A${TOKEN.slice(1)}`, gone, ""]) {
      expect(targetOf(`/p/${token}`)).toBeNull();
    }
  });
});

describe("in plain text", () => {
  const way = { mode: "https" } as const;

  test("instance and MAC, a file name with it, whatever stands behind", () => {
    expect(targetOf(PLAIN, way)).toBe("/p/MyCompany/08C25A4F0321");
    expect(targetOf("/p/MYCOMPANY/08-c2-5a-4f-03-21/a?b", way)).toBe(
      "/p/MyCompany/08C25A4F0321/a?b",
    );
    expect(targetOf("/p/mycompany/08c25a4f0321.cfg", way)).toBe(
      "/p/MyCompany/08C25A4F0321/08c25a4f0321.cfg",
    );
    expect(ask(PLAIN, way).isByToken).toBe(false);
    expect(targetOf(PLAIN, { mode: "http-and-https", isTls: false })).not.toBeNull();
  });

  test("finds nothing where only tokens are good, nor at an unknown instance", () => {
    expect(targetOf(PLAIN)).toBeNull();
    expect(targetOf(PLAIN, { ...way, isTls: false })).toBeNull();
    expect(targetOf(PLAIN, { mode: "off" })).toBeNull();
    expect(targetOf(`/p/${TOKEN}`, { mode: "off" })).toBeNull();
    expect(targetOf("/p/other/08C25A4F0321", way)).toBeNull();
  });
});

test("nothing can be sent, and no path leads elsewhere", () => {
  const way = { mode: "https" } as const;
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "get"]) {
    expect(targetOf(PLAIN, { ...way, method })).toBeNull();
    expect(targetOf(`/p/${TOKEN}`, { method })).toBeNull();
  }
  for (const target of [
    `${PLAIN}/../../other/08C25A4F0321`,
    `${PLAIN}/%2e%2e/x`,
    `${PLAIN}//x`,
    `${PLAIN}/..%2fx`,
    `${PLAIN}/x%00`,
    `${PLAIN}/..\\x`,
    `//p/mycompany/08C25A4F0321`,
    `http://10.0.3.150${PLAIN}`,
    `/x/..${PLAIN}`,
    "/",
    "*",
    "",
  ]) {
    expect([target, targetOf(target, way)]).toEqual([target, null]);
  }
});

test("the same wrong thing is the same failure, whatever file of it is asked for", () => {
  const what = (target: string, way?: Way) => ask(target, way).what;
  expect(what("/p/AAAA/a.cfg")).toBe(what("/p/AAAA/b.cfg"));
  expect(what("/p/AAAA")).not.toBe(what("/p/AAAB"));
  const way = { mode: "https" } as const;
  expect(what(`${PLAIN}/a`, way)).toBe(what(`${PLAIN}/b`, way));
  expect(what(PLAIN, way)).not.toBe(what("/p/mycompany/08C25A4F0322", way));
  expect(what("/admin")).not.toBe(what("/.env"));
});

test("whatever 20,000 paths are made of, the instance is asked for its phone's own part only", () => {
  const parts = [
    ...[
      "/",
      "/",
      "/p",
      "mycompany",
      "MyCompany",
      "08C25A4F0321",
      "08:c2:5a:4f:03:21",
      ".cfg",
      TOKEN,
    ],
    ...[
      "..",
      ".",
      "%2e",
      "%2F",
      "%5c",
      "\\",
      "%00",
      "%25",
      ";",
      "?",
      "#",
      "//",
      "%c0%ae",
      "a",
      " ",
    ],
    ...["http://x", "@", "=", "%2B", "\u00e4", "\r\n"],
  ];
  let found = 0;
  const random = new Random(1);
  for (let n = 0; n < 20_000; n++) {
    const start = random.pick(["", "/p/mycompany/", `/p/${TOKEN}/`, "/p/"]);
    const more = Array.from({ length: random.below(8) }, () => random.pick(parts)).join("");
    const target = targetOf(start + more, { mode: "https" });
    if (target === null) continue;
    found += 1;
    const [path = ""] = target.split("?", 1);
    expect(path).toMatch(/^\/p\/MyCompany\/[0-9A-F]{12}(\/|$)/);
    const read = path.replace(/%2e/gi, ".");
    expect(read).not.toMatch(/\/\.{0,2}\/|\/\.{1,2}$|[\\\0-\x20]|%2f|%5c|%00/i);
  }
  expect(found).toBeGreaterThan(500);
});
