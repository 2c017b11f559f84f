/**
 * Checks a configuration document: the schema and the cross-field rules together, all problems at once, as
 * far as the parts can be read. Never throws, whatever it is given.
 */
import type { z } from "zod";
import { type Config, configSchema, resolveConfig } from "./config.ts";
import { JsonSyntaxError, parseJsonText } from "./json-text.ts";
import { member, type Problem, type Rule, readParts } from "./parts.ts";
import { nameProblems } from "./rules-names.ts";
import { networkProblems } from "./rules-network.ts";
import { portProblems } from "./rules-ports.ts";
import { valueProblems } from "./rules-values.ts";

export type { Problem };

/** `config` is null exactly when there are problems. */
export type CheckResult = { readonly config: Config | null; readonly problems: readonly Problem[] };

const RULES: readonly Rule[] = [nameProblems, networkProblems, portProblems, valueProblems];

/** Checks a document given as JSON text or as a value. */
export function checkConfig(input: unknown): CheckResult {
  if (typeof input !== "string") return checkDocument(input);
  try {
    return checkDocument(parseJsonText(input));
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const message = `line ${error.line}, column ${error.column}: ${error.message}`;
    return { config: null, problems: [{ path: "", message }] };
  }
}

/** One line for the operator. */
export function formatProblem({ path, message }: Problem): string {
  return path === "" ? message : `${path}: ${message}`;
}

function checkDocument(document: unknown): CheckResult {
  const parsed = configSchema.safeParse(document);
  const issues = parsed.success ? [] : parsed.error.issues;
  const parts = readParts(document);
  const problems = [
    ...issues.flatMap((issue) => problemsOf(issue, document)),
    ...RULES.flatMap((rule) => rule(parts)),
  ].sort((a, b) => placeOf(a) - placeOf(b));
  const isGood = parsed.success && problems.length === 0;
  return { config: isGood ? resolveConfig(parsed.data) : null, problems };
}

/** Problems of one part stand together, in the order of the document; the sort is stable. */
function placeOf({ path }: Problem): number {
  const [, section = "", index = "0"] = /^([a-z]*)(?:\[([0-9]+)\])?/.exec(path) ?? [];
  const sections = ["appliance", "instances", "proxies"];
  return sections.indexOf(section) * 1e6 + Number(index);
}

function problemsOf(issue: z.core.$ZodIssue, document: unknown): Problem[] {
  const path = formatPath(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: formatPath([...issue.path, key]),
      message: "unknown field",
    }));
  }
  const isMissing = issue.path.length > 0 && valueAt(document, issue.path) === undefined;
  return [{ path, message: isMissing ? "is required" : messageOf(issue) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_value":
      return `must be ${anyOf(issue.values)}`;
    case "too_small":
      return issue.origin === "array" ? "must not be empty" : `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    case "invalid_type":
      return issue.message.startsWith("must ") ? issue.message : typeMessage(issue.expected);
    default:
      return issue.message;
  }
}

function typeMessage(expected: string): string {
  const nouns: Record<string, string> = {
    array: "a list",
    boolean: "true or false",
    int: "a whole number",
    number: "a number",
    object: "an object",
    string: "a text",
  };
  return `must be ${nouns[expected] ?? expected}`;
}

function anyOf(values: readonly unknown[]): string {
  const words = values.map((value) => JSON.stringify(value));
  if (words.length === 1) return words[0] ?? "";
  return `one of ${words.join(", ")}`;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    const isPlain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(String(key));
    if (!isPlain) return `${text}[${JSON.stringify(String(key))}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof key === "symbol" ? undefined : member(value, key)),
    document,
  );
}
