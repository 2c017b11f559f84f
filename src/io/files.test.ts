import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder, readText, removeFile, writeAtomically } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "pequod-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a written file is whole, private, and leaves nothing beside it", () => {
  const path = join(folder, "a");
  writeAtomically(path, "one");
  writeAtomically(path, "zwölf");
  expect(readText(path)).toBe("zwölf");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("a half-written file of a power cut is in nobody's way", () => {
  const path = join(folder, "b");
  writeFileSync(`${path}.new`, "half");
  writeAtomically(path, "whole");
  expect(readText(path)).toBe("whole");
});

test("a link that somebody put there is replaced, not followed", () => {
  const path = join(folder, "c");
  const target = join(folder, "target");
  writeFileSync(target, "untouched");
  symlinkSync(target, `${path}.new`);
  writeAtomically(path, "mine");
  expect(readText(target)).toBe("untouched");
  expect(readText(path)).toBe("mine");
});

test("what is not there reads as null and is removed without an error", () => {
  expect(readText(join(folder, "none"))).toBeNull();
  expect(() => removeFile(join(folder, "none"))).not.toThrow();
  expect(() => readText(folder)).toThrow();
});

test("folders are private", () => {
  const inner = join(folder, "x", "y");
  makeFolder(inner);
  expect(statSync(inner).mode & 0o777).toBe(0o700);
});
