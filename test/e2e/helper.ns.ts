/**
 * The helper as a process (root only), in a network and mount namespace of its own: real socket, real peers,
 * real `ip rule` and nft, its files in a folder of another user. /run is empty there; netplan's generator
 * and networkctl are replaced by a program that does nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../src/io/command.ts";
import { manualZone } from "../network/documents.ts";

const PEQUOD = process.env["PEQUOD_BIN"] ?? join(import.meta.dir, "../../dist/pequod");
const NOBODY = 65_534;
const folder = mkdtempSync(join(tmpdir(), "pequod-helper-"));
const config = join(folder, "config");
const socket = join(folder, "helper.sock");

const SETUP = `
mount -t tmpfs none /run && mount -t tmpfs none /usr/libexec && mkdir /usr/libexec/netplan &&
ln -s /bin/true /usr/libexec/netplan/generate && mount --bind /bin/true /usr/bin/networkctl &&
mkdir /run/seen && echo ready && exec sleep infinity`;

let space: Bun.Subprocess<"ignore", "pipe", "inherit">;
let helper: Bun.Subprocess<"ignore", "ignore", "pipe"> | null = null;

const enter = (...argv: string[]): string[] => [
  ...["nsenter", "--target", String(space.pid), "--net", "--mount", "--"],
  ...argv,
];
const inside = (...argv: string[]): Promise<string> => runCommand(enter(...argv));

async function startHelper(): Promise<void> {
  const argv = [PEQUOD, "helper", "--socket", socket, "--data", folder];
  helper = Bun.spawn(enter(...argv), { stderr: "pipe", stdin: "ignore", stdout: "ignore" });
  for (let tries = 0; tries < 600 && !(await isListening()); tries += 1) {
    if (helper.exitCode !== null) throw new Error(await killHelper());
    await runCommand(["sleep", "0.05"]);
  }
  chmodSync(socket, 0o666);
}

/** Kills the process itself: nsenter has become it. */
async function killHelper(): Promise<string> {
  helper?.kill("SIGKILL");
  await helper?.exited;
  const log = helper === null ? "" : await new Response(helper.stderr).text();
  helper = null;
  return log;
}

function isListening(): Promise<boolean> {
  return new Promise((settle) => {
    const one = connect(socket);
    one.on("connect", () => {
      one.destroy();
      settle(true);
    });
    one.on("error", () => settle(false));
  });
}

function ask(line: string): Promise<unknown> {
  return new Promise((settle) => {
    let got = "";
    const one = connect(socket, () => one.write(`${line}\n`));
    one.on("data", (bytes) => {
      got += bytes.toString();
      if (got.endsWith("\n")) one.destroy();
    });
    one.on("error", () => {});
    one.on("close", () => settle(got === "" ? null : JSON.parse(got)));
  });
}

async function put(name: string, value: unknown): Promise<void> {
  await Bun.write(join(config, name), JSON.stringify(value));
  chownSync(join(config, name), NOBODY, NOBODY);
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(config, name), "utf8"));
const isThere = (name: string): Promise<boolean> => Bun.file(join(config, name)).exists();
const documentAt = (address: string): object => ({
  version: 1,
  proxies: [manualZone("dmz", "eth1", address)],
});

beforeAll(async () => {
  mkdirSync(config);
  for (const path of [folder, config]) chownSync(path, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  space = Bun.spawn(
    ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", SETUP],
    {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  await space.stdout.getReader().read();
  await startHelper();
}, 60_000);

afterAll(async () => {
  await killHelper();
  space.kill("SIGKILL");
  await runCommand(["rm", "-rf", folder]);
}, 60_000);

describe("the helper's socket", () => {
  test("answers requests that are none with a reason", async () => {
    expect(await ask('{"verb":"exec","argv":["id"]}')).toEqual({
      ok: false,
      code: "bad-request",
      error: "unknown verb",
    });
    expect(await ask('{"verb":"start","proxy":"none"}')).toMatchObject({ code: "unknown-proxy" });
    expect(await ask("x".repeat(70_000))).toMatchObject({ error: "the request is too long" });
  });

  test("tells another user by the kernel's word, whatever it says itself", async () => {
    const client = `
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("${socket}")
try: s.send(b'{"verb":"confirm","uid":0}\\n')
except OSError: pass
print(s.recv(200).decode(), end="")`;
    const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    expect(await runCommand(["setpriv", ...ids, "python3", "-c", client])).toBe(
      '{"ok":false,"code":"not-allowed","error":"not allowed"}\n',
    );
  });
});

describe("apply on a real machine", () => {
  const rules = (): Promise<string> => inside("ip", "-4", "rule", "show");

  test("waits for confirmation, then is the active configuration, the admin's file again", async () => {
    await put("candidate.json", documentAt("10.5.6.100"));
    expect(await ask('{"verb":"apply"}')).toMatchObject({ ok: true, revision: 1 });
    expect(await rules()).toContain("10010:\tfrom 10.5.6.100 lookup 1001 proto 201");
    expect(await isThere("active.json")).toBe(false);
    expect(await ask('{"verb":"confirm"}')).toEqual({ ok: true, revision: 1 });
    expect(read("active.json")).toEqual(documentAt("10.5.6.100"));
    const { uid, mode } = statSync(join(config, "active.json"));
    expect([uid, mode & 0o777]).toEqual([NOBODY, 0o600]);
    expect(await isThere("candidate.json")).toBe(false);
    const netplan = await inside("stat", "-c", "%a", "/run/netplan/90-pequod.yaml");
    expect(netplan).toBe("600\n");
  });

  test("bans with the kernel's own clock", async () => {
    const ban = { verb: "ban", proxy: "dmz", address: "203.0.113.9", seconds: 600 };
    expect(await ask(JSON.stringify(ban))).toEqual({ ok: true });
    expect(await ask(JSON.stringify({ ...ban, seconds: 60 }))).toEqual({ ok: true });
    const list = () => inside("nft", "list", "set", "inet", "pequod", "ban4-dmz");
    expect(await list()).toContain("203.0.113.9 timeout 1m");
    const unban = JSON.stringify({ verb: "unban", proxy: "dmz", address: "203.0.113.9" });
    expect(await ask(unban)).toEqual({ ok: true });
    expect(await ask(unban)).toEqual({ ok: true });
    expect(await list()).not.toContain("203.0.113.9");
  });

  test("that was waiting when the helper was killed is undone by the next one", async () => {
    await put("candidate.json", documentAt("10.5.6.101"));
    expect(await ask('{"verb":"apply"}')).toMatchObject({ ok: true, revision: 2 });
    expect(await rules()).toContain("from 10.5.6.101 lookup 1001");
    expect(read("pending.json")).toMatchObject({ revision: 2 });
    const log = await killHelper();
    expect(log).toContain("peer-refused uid=65534");
    await startHelper();
    expect(await rules()).toContain("from 10.5.6.100 lookup 1001");
    expect(await rules()).not.toContain("10.5.6.101");
    expect(read("undone.json")).toMatchObject({ revision: 2 });
    expect(read("active.json")).toEqual(documentAt("10.5.6.100"));
    expect(read("candidate.json")).toEqual(documentAt("10.5.6.101"));
    expect(await isThere("pending.json")).toBe(false);
    expect(await ask('{"verb":"confirm"}')).toMatchObject({ code: "nothing-to-confirm" });
  });

  test("a candidate that is a link to a file of root is not read", async () => {
    await runCommand(["ln", "-sf", "/etc/shadow", join(config, "candidate.json")]);
    const answer = (await ask('{"verb":"apply"}')) as { error: string };
    expect(answer).toMatchObject({ ok: false, code: "failed" });
    expect(answer.error).not.toContain("root:");
    await runCommand(["rm", join(config, "candidate.json")]);
  });

  test("a boot makes the rules from the active configuration alone", async () => {
    for (const priority of ["10010", "10011"]) {
      await inside("ip", "rule", "del", "priority", priority);
    }
    await inside("nft", "delete", "table", "inet", "pequod");
    await inside(PEQUOD, "helper", "--boot", "--data", folder);
    expect(await rules()).toContain("from 10.5.6.100 lookup 1001");
    expect(await inside("nft", "list", "tables")).toBe("table inet pequod\n");
    const dry = await inside(PEQUOD, "apply", "--dry-run", "--data", folder);
    expect(dry).toContain("ip -4 rule add from 10.5.6.100/32 lookup 1001 priority 10010");
    const again = await inside(PEQUOD, "apply", "--data", folder);
    expect(again).toBe("nothing to do\n");
  });
});
