import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askLine } from "./ask-line.ts";
import { spawnChild } from "./child.ts";
import { listInterfaces } from "./interfaces.ts";
import { lockFile } from "./lock.ts";
import { endListener } from "./orphans.ts";
import { hashPassword, verifyPassword } from "./password.ts";

const folder = mkdtempSync(join(tmpdir(), "pequod-io-"));
const closers: (() => void)[] = [() => rmSync(folder, { recursive: true })];
afterEach(() => {
  for (const close of closers.splice(1).reverse()) close();
});

test("a child's stderr comes by lines, the last one without its end too, and then how it ended", async () => {
  const lines: string[] = [];
  const child = spawnChild(["/bin/sh", "-c", "printf 'one\\ntwo\\nthr' >&2; exit 3"], (line) => {
    lines.push(line);
  });
  expect(await child.ended).toBe("exit code 3");
  expect(lines).toEqual(["one", "two", "thr"]);
  const other = spawnChild(["/bin/sleep", "60"], () => {});
  other.kill("SIGKILL");
  expect(await other.ended).toBe("signal SIGKILL");
  expect(() => spawnChild(["/no/such/program"], () => {})).toThrow();
});

test("a lock is held against other processes, and no child of ours keeps it", async () => {
  const path = join(folder, "lock");
  expect(lockFile(path)).toBe(true);
  const tried = spawnChild(["/bin/sh", "-c", `exec flock -n ${path} true`], () => {});
  expect(await tried.ended).toBe("exit code 1");
  expect(lockFile(path)).toBe(false);
});

test("a question in one line; no answer, none there", async () => {
  const path = join(folder, "line.sock");
  const server = Bun.listen({
    unix: path,
    socket: {
      data(socket, bytes) {
        const text = bytes.toString();
        if (text !== "quit\n") socket.write(`you said ${text}`);
        else socket.end();
      },
    },
  });
  closers.push(() => server.stop(true));
  expect(await askLine(path, "hello", 5000)).toBe("you said hello");
  await expect(askLine(path, "quit", 5000)).rejects.toThrow("closed without an answer");
  await expect(askLine(join(folder, "none"), "hello", 5000)).rejects.toThrow(join(folder, "none"));
});

test("a socket that nobody listens on, or we ourselves, ends nobody", async () => {
  expect(await endListener(join(folder, "none"), 100)).toBeNull();
  const path = join(folder, "own.sock");
  const server = Bun.listen({ unix: path, socket: { data() {} } });
  closers.push(() => server.stop(true));
  expect(await endListener(path, 100)).toBeNull();
});

test("loopback is among the interfaces, with its address", () => {
  const loopback = listInterfaces().find(({ name }) => name === "lo");
  expect(loopback?.addresses).toContain("127.0.0.1/8");
});

test("a password matches its own hash only, which is argon2id; an odd hash matches none", async () => {
  const hash = await hashPassword("correct horse");
  expect(hash).toStartWith("$argon2id$");
  expect(await verifyPassword("correct horse", hash)).toBe(true);
  expect(await verifyPassword("correct house", hash)).toBe(false);
  expect(await verifyPassword("correct horse", "no hash")).toBe(false);
});
