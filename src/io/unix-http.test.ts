import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askUnix, deleteUnix, serveUnix } from "./unix-http.ts";

const folder = mkdtempSync(join(tmpdir(), "pequod-unix-"));
afterAll(() => rmSync(folder, { recursive: true }));

const removed: string[] = [];
const answer = {
  get: (path: string) =>
    path === "/status" ? { type: "application/json", body: '{"state":"running"}' } : null,
  remove(path: string, query: URLSearchParams) {
    removed.push(`${path} ${query.get("user")}`);
    return path === "/bans/2001:db8::/64";
  },
};

test("only its owner may ask, and gets what is there", async () => {
  const path = join(folder, "a.sock");
  const server = await serveUnix(path, answer);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(await askUnix(path, "/status")).toBe('{"state":"running"}');
  await expect(askUnix(path, "/secrets")).rejects.toThrow("answered 404");
  expect(await deleteUnix(path, "/bans/2001:db8::%2F64?user=a%40b")).toBe(true);
  expect(await deleteUnix(path, "/bans/*")).toBe(false);
  expect(await deleteUnix(path, "/bans/%zz")).toBe(false);
  expect(removed).toEqual(["/bans/2001:db8::/64 a@b", "/bans/* null"]);
  server.close();
});

test("a file that a killed process left is replaced, a living one is not", async () => {
  const path = join(folder, "b.sock");
  writeFileSync(path, "");
  const server = await serveUnix(path, answer);
  await expect(serveUnix(path, answer)).rejects.toThrow("the status socket is in use");
  expect(await askUnix(path, "/status")).toContain("running");
  server.close();
});

test("a path that the kernel cannot take is one clear line", async () => {
  const path = join(folder, "x".repeat(120));
  await expect(serveUnix(path, answer)).rejects.toThrow("longer than 107 bytes");
});
