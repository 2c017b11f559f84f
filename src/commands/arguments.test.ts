import { expect, test } from "bun:test";
import { parseArguments, UsageError } from "./arguments.ts";

const known = { options: ["config", "state"], flags: ["json"], words: { least: 0, most: 1 } };

test("words, options in both spellings, and flags", () => {
  const parsed = parseArguments(["dmz", "--config", "a.json", "--state=b", "--json"], known);
  expect(parsed.words).toEqual(["dmz"]);
  expect([...parsed.options]).toEqual([
    ["config", "a.json"],
    ["state", "b"],
  ]);
  expect(parsed.flags.has("json")).toBe(true);
});

test.each([
  [["--confg", "x"], "unknown option --confg"],
  [["--config"], "--config needs a value"],
  [["--json=1"], "unknown option --json=1"],
  [["a", "b"], "unexpected argument b"],
])("%p is told as %p", (given, message) => {
  expect(() => parseArguments(given, known)).toThrow(new UsageError(message));
});

test("a missing word is told", () => {
  const needsOne = { words: { least: 1, most: 1 } };
  expect(() => parseArguments([], needsOne)).toThrow(new UsageError("an argument is missing"));
});
