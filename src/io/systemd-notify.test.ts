import { dlopen, FFIType, ptr } from "bun:ffi";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notify, watchdogIntervalMs } from "./systemd-notify.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "notify-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { i32, i64_fast, ptr: pointer, u32, u64_fast } = FFIType;
const libc = dlopen("libc.so.6", {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, u32], returns: i32 },
  recv: { args: [i32, pointer, u64_fast, i32], returns: i64_fast },
  close: { args: [i32], returns: i32 },
}).symbols;

/** What arrives at a unix datagram socket of that name (bound as systemd does) when `send` is called. */
function received(name: string, send: () => void): string {
  const fd = libc.socket(1, 2, 0);
  const address = Buffer.from(`\x01\0${name.replace(/^@/, "\0")}`);
  expect(libc.bind(fd, ptr(address), address.length)).toBe(0);
  send();
  const datagram = new Uint8Array(4096);
  const dontWait = 0x40;
  const lengthBytes = Number(libc.recv(fd, ptr(datagram), datagram.length, dontWait));
  libc.close(fd);
  return new TextDecoder().decode(datagram.subarray(0, lengthBytes));
}

describe("notify", () => {
  test("sends all fields in one datagram to a path", () => {
    const path = join(folder, "notify.sock");
    const text = received(path, () => {
      expect(notify({ READY: "1", STATUS: "3 ports" }, path)).toBe(true);
    });
    expect(text).toBe("READY=1\nSTATUS=3 ports");
  });

  test("reaches an abstract socket", () => {
    const name = `@pequod-notify-${process.pid}`;
    expect(received(name, () => notify({ WATCHDOG: "1" }, name))).toBe("WATCHDOG=1");
  });

  test("takes the socket from the environment that systemd gives", () => {
    const before = process.env["NOTIFY_SOCKET"];
    const path = join(folder, "environment.sock");
    process.env["NOTIFY_SOCKET"] = path;
    expect(received(path, () => notify({ STOPPING: "1" }))).toBe("STOPPING=1");
    delete process.env["NOTIFY_SOCKET"];
    expect(notify({ STOPPING: "1" })).toBe(false);
    if (before !== undefined) process.env["NOTIFY_SOCKET"] = before;
  });

  test("a line break in a value begins no field of its own", () => {
    const path = join(folder, "forged.sock");
    const text = received(path, () => notify({ STATUS: "a\nMAINPID=1\0b" }, path));
    expect(text).toBe("STATUS=a MAINPID=1 b");
  });

  test("says false where nobody listens and to what is no unix socket", () => {
    expect(notify({ READY: "1" }, join(folder, "nobody"))).toBe(false);
    expect(notify({ READY: "1" }, "vsock:2:1234")).toBe(false);
    expect(notify({ READY: "1" }, "")).toBe(false);
    expect(notify({ READY: "1" }, `/${"x".repeat(107)}`)).toBe(false);
  });

  test("leaves no descriptor open", () => {
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 200; i += 1) notify({ WATCHDOG: "1" }, join(folder, "nobody"));
    expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + 50);
  });
});

describe("watchdogIntervalMs", () => {
  test("is half of the limit", () => {
    expect(watchdogIntervalMs({ WATCHDOG_USEC: "30000000" })).toBe(15_000);
    const pid = String(process.pid);
    expect(watchdogIntervalMs({ WATCHDOG_USEC: "3000", WATCHDOG_PID: pid })).toBe(1);
  });

  test("is null when nobody watches, or somebody else is watched", () => {
    expect(watchdogIntervalMs({})).toBeNull();
    expect(watchdogIntervalMs({ WATCHDOG_USEC: "0" })).toBeNull();
    expect(watchdogIntervalMs({ WATCHDOG_USEC: "-5" })).toBeNull();
    expect(watchdogIntervalMs({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" })).toBeNull();
  });
});
