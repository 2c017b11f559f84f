/** Root's way with files of another user: links, pipes and other traps are not followed. */
import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listFolder, readPlain, writeOwned } from "./owned-files.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "pequod-"));

test("a plain file is read, a missing one is null", () => {
  const at = folder();
  writeFileSync(join(at, "a"), "text");
  expect(readPlain(join(at, "a"))).toBe("text");
  expect(readPlain(join(at, "b"))).toBeNull();
});

test("neither a link nor a second name, a pipe or a folder is read", () => {
  const at = folder();
  writeFileSync(join(at, "secret"), "x");
  symlinkSync(join(at, "secret"), join(at, "link"));
  execFileSync("mkfifo", [join(at, "pipe")]);
  expect(() => readPlain(join(at, "link"))).toThrow();
  expect(() => readPlain(join(at, "pipe"))).toThrow("no plain file");
  expect(() => readPlain(at)).toThrow("no plain file");
  linkSync(join(at, "secret"), join(at, "hard"));
  expect(() => readPlain(join(at, "hard"))).toThrow("no plain file");
});

test("what is written is whole, 0600, and the folder's owner's; a link in its place is replaced", () => {
  const at = folder();
  writeFileSync(join(at, "other"), "untouched");
  symlinkSync(join(at, "other"), join(at, "a.json"));
  symlinkSync(join(at, "other"), join(at, "a.json.root"));
  writeOwned(at, "a.json", "new");
  expect(readFileSync(join(at, "other"), "utf8")).toBe("untouched");
  expect(readPlain(join(at, "a.json"))).toBe("new");
  const { mode, uid } = statSync(join(at, "a.json"));
  expect(mode & 0o777).toBe(0o600);
  expect(uid).toBe(statSync(at).uid);
  expect(readdirSync(at).sort()).toEqual(["a.json", "other"]);
});

test("a folder inside is made where it is missing", () => {
  const at = folder();
  expect(listFolder(join(at, "history"))).toEqual([]);
  writeOwned(at, "history/000001.json", "{}");
  expect(listFolder(join(at, "history"))).toEqual(["000001.json"]);
  expect(statSync(join(at, "history")).mode & 0o777).toBe(0o700);
});
