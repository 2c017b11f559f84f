import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { journalFile } from "./journal-file.ts";

const folder = mkdtempSync(join(tmpdir(), "pequod-journal-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("grows, is replaced whole, is the owner's alone, leaves nothing beside it", async () => {
  const path = join(folder, "a");
  const file = journalFile(path);
  expect(await file.read()).toBe("");
  await file.append("one\n");
  await file.append("two\n");
  expect(await file.read()).toBe("one\ntwo\n");
  await file.replace(["three\n", "four\n"]);
  await file.append("fünf\n");
  expect(await file.read()).toBe("three\nfour\nfünf\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("what a power cut left half written does not stay in the way", async () => {
  writeFileSync(join(folder, "b.new"), "half a line that is longer than what comes");
  const file = journalFile(join(folder, "b"));
  await file.replace(["whole\n"]);
  expect(await file.read()).toBe("whole\n");
});

test("a file that others could read is the owner's alone before anything is written to it", async () => {
  for (const name of ["e", "f.new"]) {
    writeFileSync(join(folder, name), "");
    chmodSync(join(folder, name), 0o644);
  }
  await journalFile(join(folder, "e")).append("x\n");
  await journalFile(join(folder, "f")).replace(["x\n"]);
  for (const name of ["e", "f"]) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

test("a link in its place is not followed, a folder that is gone is told", async () => {
  const victim = join(folder, "victim");
  writeFileSync(victim, "");
  symlinkSync(victim, join(folder, "c"));
  expect(journalFile(join(folder, "c")).append("x")).rejects.toThrow("ELOOP");
  expect(journalFile(join(folder, "none", "d")).append("x")).rejects.toThrow("ENOENT");
});
