/** What the helper does for whom, and above all what it does not. */
import { describe, expect, test } from "bun:test";
import { Box } from "../../test/network/box.ts";
import { manualZone } from "../../test/network/documents.ts";
import { parseRequest } from "./helper-request.ts";

const dual = {
  ...manualZone("lan", "eth2", "10.6.6.100"),
  network: {
    mode: "manual",
    interface: "eth2",
    address: "10.6.6.100",
    netmask: "255.255.255.0",
    address6: "fd00:6::100",
  },
};
const document = { version: 1, proxies: [manualZone("dmz", "eth1", "10.5.6.100"), dual] };

function box(): Box {
  const made = new Box();
  made.folder.put("active.json", document);
  return made;
}

const ask = (one: Box, request: object) => one.helper.answer(JSON.stringify(request));

describe("units", () => {
  test("of known proxies are started, stopped and reloaded", async () => {
    const one = box();
    for (const verb of ["start", "stop", "reload"]) {
      expect(await ask(one, { verb, proxy: "dmz" })).toEqual({ ok: true });
    }
    expect(one.machine.take()).toEqual([
      "systemctl start pequod-proxy@dmz.service",
      "systemctl stop pequod-proxy@dmz.service",
      "systemctl reload pequod-proxy@dmz.service",
    ]);
  });

  test("of unknown proxies are not, and it is logged", async () => {
    const one = box();
    expect(await ask(one, { verb: "start", proxy: "other" })).toEqual({
      ok: false,
      code: "unknown-proxy",
      error: "there is no proxy other",
    });
    expect(one.machine.take()).toEqual([]);
    expect(one.logged).toEqual([
      'warn refused code=unknown-proxy reason="there is no proxy other" ' +
        'request="{\\"verb\\":\\"start\\",\\"proxy\\":\\"other\\"}"',
    ]);
  });

  test("of a proxy that is only in the candidate, or was deleted, can be stopped", async () => {
    const one = box();
    one.folder.put("candidate.json", { version: 1, proxies: [{ name: "new", fqdn: "n.example" }] });
    one.folders.add("gone");
    expect(await ask(one, { verb: "start", proxy: "new" })).toEqual({ ok: true });
    expect(await ask(one, { verb: "stop", proxy: "gone" })).toEqual({ ok: true });
    expect(await ask(one, { verb: "start", proxy: "gone" })).toMatchObject({ ok: false });
  });

  test("that do not start are told in systemd's words", async () => {
    const one = box();
    one.machine.broken.set("systemctl", "Job for pequod-proxy@dmz.service failed");
    expect(await ask(one, { verb: "start", proxy: "dmz" })).toEqual({
      ok: false,
      code: "failed",
      error: "systemctl start pequod-proxy@dmz.service: Job for pequod-proxy@dmz.service failed",
    });
  });
});

describe("bans", () => {
  test("are put into the set of the proxy, a renewed one from now on", async () => {
    const one = box();
    const ban = { verb: "ban", proxy: "dmz", address: "203.0.113.9", seconds: 600 };
    expect(await ask(one, ban)).toEqual({ ok: true });
    const six = { verb: "ban", proxy: "lan", address: "2001:DB8:0::9", seconds: 60 };
    expect(await ask(one, six)).toEqual({ ok: true });
    expect(one.machine.take()).toEqual([
      "nft delete element inet pequod ban4-dmz { 203.0.113.9 }",
      "nft add element inet pequod ban4-dmz { 203.0.113.9 timeout 600s }",
      "nft delete element inet pequod ban6-lan { 2001:db8:: }",
      "nft add element inet pequod ban6-lan { 2001:db8:: timeout 60s }",
    ]);
  });

  test("end early, also when there is none", async () => {
    const one = box();
    one.machine.broken.set(
      "nft delete",
      "Error: Could not process rule: No such file or directory",
    );
    const unban = { verb: "unban", proxy: "dmz", address: "::ffff:203.0.113.9" };
    expect(await ask(one, unban)).toEqual({ ok: true });
    expect(one.machine.take()).toEqual(["nft delete element inet pequod ban4-dmz { 203.0.113.9 }"]);
  });

  test("need a proxy, and one that has that family", async () => {
    const one = box();
    const ban = { verb: "ban", address: "2001:db8::9", seconds: 60 };
    expect(await ask(one, { ...ban, proxy: "dmz" })).toMatchObject({ code: "unknown-proxy" });
    expect(await ask(one, { ...ban, proxy: "none" })).toMatchObject({ code: "unknown-proxy" });
    expect(one.machine.take()).toEqual([]);
  });
});

describe("apply and confirm", () => {
  test("answer revision and the end of the time", async () => {
    const one = box();
    one.folder.put("candidate.json", { version: 1, proxies: [dual] });
    expect(await ask(one, { verb: "apply" })).toEqual({
      ok: true,
      revision: 1,
      confirmBefore: "2026-01-01T00:02:00.000Z",
      unresolved: [],
      missing: [
        "10.6.6.100 on eth2: there is no such interface",
        "fd00:6::100 on eth2: there is no such interface",
      ],
    });
    expect(one.helper.isBusy).toBe(true);
    expect(await ask(one, { verb: "apply" })).toMatchObject({ code: "confirm-pending" });
    expect(await ask(one, { verb: "confirm" })).toEqual({ ok: true, revision: 1 });
    expect(await ask(one, { verb: "confirm" })).toEqual({
      ok: false,
      code: "nothing-to-confirm",
      error: "no change waits for a confirmation",
    });
    expect(one.helper.isBusy).toBe(false);
  });

  test("name what is wrong with the candidate", async () => {
    const one = box();
    one.folder.put("candidate.json", { version: 2 });
    expect(await ask(one, { verb: "apply" })).toEqual({
      ok: false,
      code: "invalid",
      error: "candidate.json: version: must be 1",
    });
  });
});

describe("peers", () => {
  test("other than root and the admin get nothing, and it is logged", () => {
    const one = box();
    expect(one.helper.refusal({ pid: 5, uid: 0, gid: 0 })).toBeNull();
    expect(one.helper.refusal({ pid: 5, uid: 990, gid: 990 })).toBeNull();
    const refused = { ok: false, code: "not-allowed", error: "not allowed" } as const;
    expect(one.helper.refusal({ pid: 5, uid: 1000, gid: 0 })).toEqual(refused);
    expect(one.helper.refusal(null)).toEqual(refused);
    expect(one.logged).toEqual(["warn peer-refused uid=1000 pid=5", "warn peer-refused"]);
  });
});

describe("requests that are none", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "no JSON"],
    ["start dmz", "no JSON"],
    ["null", "no JSON object"],
    ['["start"]', "no JSON object"],
    ["{}", "unknown verb"],
    ['{"verb":"exec"}', "unknown verb"],
    ['{"verb":"constructor"}', "unknown verb"],
    ['{"verb":["apply"]}', "unknown verb"],
    ['{"verb":"apply","file":"/etc/passwd"}', 'apply takes no "file"'],
    ['{"verb":"start","proxy":"dmz","unit":"ssh"}', 'start takes no "unit"'],
    ['{"verb":"start"}', "proxy must be the name of a proxy"],
    ['{"verb":"start","proxy":"../dmz"}', "proxy must be the name of a proxy"],
    ['{"verb":"start","proxy":"dmz.service ssh"}', "proxy must be the name of a proxy"],
    ['{"verb":"start","proxy":"dmz\\n"}', "proxy must be the name of a proxy"],
    ['{"verb":"start","proxy":"DMZ"}', "proxy must be the name of a proxy"],
    ['{"verb":"start","proxy":7}', "proxy must be the name of a proxy"],
    ['{"verb":"ban","proxy":"dmz","address":"a","seconds":1}', "address must be an IP address"],
    [
      '{"verb":"ban","proxy":"dmz","address":"10.0.0.0/8","seconds":1}',
      "address must be an IP address",
    ],
    [
      '{"verb":"unban","proxy":"dmz","address":"1.2.3.4 }; flush ruleset"}',
      "address must be an IP address",
    ],
    ['{"verb":"unban","proxy":"dmz","address":"fe80::1%eth0"}', "address must be an IP address"],
    [
      '{"verb":"ban","proxy":"dmz","address":"1.2.3.4","seconds":0}',
      "seconds must be a whole number from 1 to 2678400",
    ],
    [
      '{"verb":"ban","proxy":"dmz","address":"1.2.3.4","seconds":"60"}',
      "seconds must be a whole number from 1 to 2678400",
    ],
    [
      '{"verb":"ban","proxy":"dmz","address":"1.2.3.4","seconds":1e9}',
      "seconds must be a whole number from 1 to 2678400",
    ],
  ];

  test("are refused with a reason, and run nothing", async () => {
    const one = box();
    for (const [line, error] of cases) {
      expect(await one.helper.answer(line)).toEqual({ ok: false, code: "bad-request", error });
    }
    expect(one.machine.take()).toEqual([]);
    expect(one.logged).toHaveLength(cases.length);
  });

  test("are not mistaken: the good forms of all verbs", () => {
    expect(parseRequest('{"verb":"confirm"}')).toEqual({ verb: "confirm" });
    expect(parseRequest('{"proxy":"a-1","verb":"reload"}')).toEqual({
      verb: "reload",
      proxy: "a-1",
    });
  });
});
