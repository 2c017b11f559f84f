/**
 * The rules of the house as tests: which folder may import which, what names and calls are banned, how long
 * files and functions may be. Each rule is tried on a small example of its breach, so that it can fail.
 */
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "..");

type Source = { readonly path: string; readonly text: string };

/** Every file that is, or is about to be, in git. */
function files(): string[] {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT });
  return listed
    .toString()
    .trim()
    .split("\n")
    .filter((path) => existsSync(join(ROOT, path)));
}

const read = (path: string): Source => ({ path, text: readFileSync(join(ROOT, path), "utf8") });
const all = files();
const code = all.filter((path) => /^(src|test)\/.*\.tsx?$/.test(path)).map(read);
const sources = code.filter(({ path }) => path.startsWith("src/"));
const shipped = sources.filter(({ path }) => !path.endsWith(".test.ts"));

/** Imports go down this list only. Folders of one level know nothing of one another. */
const LEVELS: readonly (readonly string[])[] = [
  ["io"],
  ["sip", "sdp", "rtp", "xmpp", "http", "provisioning", "tls", "config", "health"],
  ["media", "network"],
  ["proxy", "admin", "demo"],
  ["commands"],
  ["main.ts", "media-worker.ts"],
];

/** Entry points of the binary: nobody imports them. */
const ENTRIES = ["src/main.ts", "src/media-worker.ts"];

/** What level 1 may use from outside: pure, or pure enough (see ARCHITECTURE.md, dependencies). */
const PURE = new Set([
  "node:crypto",
  "node:net", // isIP and BlockList only, see below
  "zod",
  "ip",
  "@noble/ciphers/aes.js",
  "@peculiar/x509",
  "reflect-metadata",
  "saxes",
]);

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:([^"';]*?)\s+from\s+)?"([^"]+)"/gm;

type Import = { readonly isType: boolean; readonly names: string; readonly from: string };

function importsOf(text: string): Import[] {
  return [...text.matchAll(IMPORT)].map(([, type, names, from]) => ({
    isType: type !== undefined,
    names: names ?? "",
    from: from ?? "",
  }));
}

const folderOf = (path: string): string => path.split("/")[1] ?? "";
const levelOf = (folder: string): number => LEVELS.findIndex((one) => one.includes(folder));

function importBreaches({ path, text }: Source): string[] {
  const own = folderOf(path);
  const level = levelOf(own);
  if (level < 0) return [`${path}: the folder ${own} has no level`];
  const breaches: string[] = [];
  for (const { isType, names, from } of importsOf(text)) {
    if (!from.startsWith(".")) {
      if (level !== 1) continue;
      if (!PURE.has(from)) breaches.push(`${path}: level 1 imports ${from}`);
      if (from === "node:net" && !/^\{\s*(BlockList|isIP|isIPv4|isIPv6|,|\s)+\}$/.test(names)) {
        breaches.push(`${path}: level 1 opens no socket (${names})`);
      }
      continue;
    }
    const target = folderOf(normalize(join(dirname(path), from)));
    if (target === own || from.endsWith("package.json")) continue;
    const below = levelOf(target);
    if (below >= level) breaches.push(`${path}: imports ${target}, which is not below ${own}`);
    if (level === 1 && below === 0 && !isType) breaches.push(`${path}: level 1 runs code of io`);
  }
  return breaches;
}

/** [what, where it is allowed, why not elsewhere]. Comments are not looked at. */
const BANNED: readonly (readonly [RegExp, RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\)/, /^src\/(io|commands)\//, "time comes from the Clock"],
  [/\bsetTimeout\b|\bsetInterval\b/, /^src\/io\//, "time comes from the Clock"],
  [/\bMath\.random\b/, /^$/, "random bytes come from the World"],
  [/\bBun\.(?!CryptoHasher|SHA1)/, /^src\/(io|commands)\//, "only io calls the system"],
  [/"node:(fs|child_process|dgram|tls|http|https|os)"/, /^src\/(io|commands)\//, "only io does"],
  [/\bas unknown as\b/, /^$/, "a cast that says nothing"],
  [/\bexport default\b/, /^$/, "exports have names"],
  [/\bconsole\.log\b/, /^src\/(commands\/|main\.ts)/, "only commands write to stdout"],
  [/\bTODO\b|\bFIXME\b|\bXXX\b/, /^$/, "finish it, or open an issue"],
];

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/[^\n]*/g, "$1");
}

function bannedIn({ path, text }: Source): string[] {
  const bare = withoutComments(text);
  return BANNED.filter(([what, where]) => what.test(bare) && !where.test(path)).map(
    ([what, , why]) => `${path}: ${what.source}: ${why}`,
  );
}

const LONGEST_FILE = 400;
const LONGEST_FUNCTION = 70;

/** A function or method that begins on a line of its own and ends at the same indentation. */
function longFunctions({ path, text }: Source): string[] {
  const lines = text.split("\n");
  const found: string[] = [];
  lines.forEach((line, at) => {
    const start =
      /^(\s*)(?:export )?(?:async )?(?:function |(?:get |set |static |async |private )*#?\w+\().*\{$/;
    const indent = start.exec(line)?.[1];
    if (indent === undefined || /^\s*(if|for|while|switch|return|describe|test)\b/.test(line))
      return;
    const end = lines.findIndex((other, later) => later > at && other.startsWith(`${indent}}`));
    if (end - at + 1 > LONGEST_FUNCTION) found.push(`${path}:${at + 1}: ${end - at + 1} lines`);
  });
  return found;
}

const BANNED_NAME = /(^|[/-])(utils?|helpers|common|misc|manager|service|handler)(\.|-|\/)/;

describe("imports", () => {
  test("go downward only, and level 1 stays pure", () => {
    // Unit tests may use test/ and other folders to have somebody to talk to.
    expect(shipped.flatMap(importBreaches)).toEqual([]);
  });

  test("the rule sees a breach", () => {
    const breach = (path: string, text: string) => importBreaches({ path, text }).length;
    expect(breach("src/sip/a.ts", 'import { x } from "../media/y.ts";')).toBe(1);
    expect(breach("src/sip/a.ts", 'import { x } from "../sdp/y.ts";')).toBe(1);
    expect(breach("src/sip/a.ts", 'import { x } from "../io/clock.ts";')).toBe(1);
    expect(breach("src/sip/a.ts", 'import type { x } from "../io/types.ts";')).toBe(0);
    expect(breach("src/sip/a.ts", 'import { connect } from "node:net";')).toBe(1);
    expect(breach("src/sip/a.ts", 'import { isIP } from "node:net";')).toBe(0);
    expect(breach("src/proxy/a.ts", 'import { x } from "../admin/y.ts";')).toBe(1);
    expect(breach("src/odd/a.ts", "")).toBe(1);
  });

  test("a dialog meets a media session in a few files only", () => {
    const joining = shipped.filter(({ path, text }) => {
      const from = importsOf(text).map((one) => one.from);
      return (
        path.startsWith("src/proxy/") && from.some((one) => one.includes("/media/media-session"))
      );
    });
    expect(joining.map(({ path }) => path).sort()).toEqual([
      "src/proxy/assemble.ts",
      "src/proxy/call-for.ts",
      "src/proxy/calls.ts",
      "src/proxy/media-options.ts",
      "src/proxy/proxy.ts",
      "src/proxy/status.ts",
    ]);
  });
});

describe("sources", () => {
  test("call nothing that is banned", () => {
    expect(shipped.flatMap(bannedIn)).toEqual([]);
    const example = { path: "src/sip/a.ts", text: "const a = Math.random(); // Math" };
    expect(bannedIn(example)).toHaveLength(1);
    expect(bannedIn({ path: "src/sip/a.ts", text: "// Date.now is banned" })).toEqual([]);
  });

  test("begin with a comment that says what they are", () => {
    const bare = shipped.filter(({ text }) => !text.startsWith("/**"));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  test(`have at most ${LONGEST_FILE} lines, and functions at most ${LONGEST_FUNCTION}`, () => {
    const long = shipped.filter(({ text }) => text.split("\n").length > LONGEST_FILE);
    expect(long.map(({ path }) => path)).toEqual([]);
    expect(shipped.flatMap(longFunctions)).toEqual([]);
    const body = "  let a = 1;\n".repeat(80);
    const example = { path: "a.ts", text: `function f() {\n${body}}\n` };
    expect(longFunctions(example)).toEqual(["a.ts:1: 82 lines"]);
  });

  test("have names that say something", () => {
    expect(all.filter((path) => path.startsWith("src/") && BANNED_NAME.test(path))).toEqual([]);
    expect(BANNED_NAME.test("src/sip/utils.ts")).toBe(true);
  });

  test("are used: every shipped file is imported by another or is an entry", () => {
    const imported = new Set(
      shipped.flatMap(({ path, text }) =>
        importsOf(text).map(({ from }) => normalize(join(dirname(path), from))),
      ),
    );
    const lost = shipped.filter(({ path }) => !ENTRIES.includes(path) && !imported.has(path));
    expect(lost.map(({ path }) => path)).toEqual([]);
  });
});

describe("the repository", () => {
  test("tests neither sleep nor are switched off", () => {
    const pattern = /\b(test|it|describe)\.(skip|todo|only|if|skipIf)\(|Bun\.sleep\(/;
    // Programs of others (Asterisk, QEMU) have no event to wait for: there a poll may pause.
    const mayPause = /^test\/(tidy\.test\.ts|lab\/|bench\/|image\/)/;
    const tests = code.filter(({ path }) => /^test\/|\.test\.tsx?$/.test(path));
    const found = tests.filter(({ path, text }) => !mayPause.test(path) && pattern.test(text));
    expect(found.map(({ path }) => path)).toEqual([]);
    expect(pattern.test("test.skip(")).toBe(true);
  });

  test("names no path of a machine and no document outside", () => {
    const pattern = /\/work\/(main|shared)|\.\.\/shared|\b(SIP|RELAY|BUN|IMAGE|STYLE|DESIGN)\.md\b/;
    const texts = all.filter((path) => /\.(ts|md|sh|json|toml)$|Makefile|\.ci\//.test(path));
    const found = texts.filter(
      (path) => path !== "test/tidy.test.ts" && pattern.test(read(path).text),
    );
    expect(found).toEqual([]);
    expect(pattern.test("see ../shared/x")).toBe(true);
  });

  test("links in documents lead somewhere", () => {
    const broken: string[] = [];
    for (const path of all.filter((one) => one.endsWith(".md"))) {
      for (const [, target = ""] of read(path).text.matchAll(
        /\]\((?!https?:|#|mailto:)([^)#]+)/g,
      )) {
        if (
          !all.some(
            (one) =>
              one === normalize(join(dirname(path), target)) ||
              one.startsWith(`${normalize(join(dirname(path), target))}/`),
          )
        ) {
          broken.push(`${path}: ${target}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  test("each RFC of the README has a file and a test that exist", () => {
    const rows = rfcRows(read("README.md").text);
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !isShown(row)).map(({ rfc }) => rfc)).toEqual([]);
    const [row] = rfcRows("| 1, 2 §3 | x | [a](src/main.ts) | [b](test/none.test.ts) |");
    expect(row?.rfc).toBe("1, 2 §3");
    expect(row && isShown(row)).toBe(false);
  });

  test("what breaks in practice has a row each, and each row names tests that exist", () => {
    const count = (prefix: string, last: number): string[] =>
      Array.from({ length: last }, (_, at) => `${prefix}${at + 1}`);
    const expected = [...count("B", 29), "B13a", "B16a", "B19a", ...count("2.", 26)];
    const rows = sipRows(read("test/SIP-ROWS.md").text);
    expect(rows.map(({ name }) => name).sort()).toEqual([...expected, ...count("3.", 22)].sort());
    const faults = rows.filter((row) => !isTested(row.tests) && !isLater(row));
    expect(faults).toEqual([]);
    expect(isTested("`test/tidy.test.ts`")).toBe(true);
    const untested = ["", "open", "`test/no-such.test.ts`", "`src/main.ts`"];
    expect(untested.filter(isTested)).toEqual([]);
    expect(isLater({ name: "B1", tests: "later: perhaps" })).toBe(false);
  });
});

type SipRow = { readonly name: string; readonly tests: string };

/** The lines `| name | what we do | tests |` of the table. */
function sipRows(text: string): SipRow[] {
  const lines = text.matchAll(/^\| (B\d+a?|[23]\.\d+) \| [^|]+ \| ([^|]+) \|$/gm);
  return [...lines].map(([, name = "", tests = ""]) => ({ name, tests }));
}

/** At least one test is named, and each of them is there. */
function isTested(tests: string): boolean {
  const named = [...tests.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path);
  const isTest = (path: string): boolean => /\.(test|lab|e2e)\.ts$/.test(path);
  return named.length > 0 && named.every((path) => isTest(path) && all.includes(path));
}

/** Tracing changes nothing in how a message is treated. */
function isLater({ name, tests }: SipRow): boolean {
  return name === "B23" && tests.startsWith("later: ");
}

type RfcRow = { readonly rfc: string; readonly files: string[]; readonly tests: string[] };

/** The lines `| numbers | what | [file](path), ... | [test](path), ... |`. */
function rfcRows(text: string): RfcRow[] {
  const paths = (cell: string): string[] =>
    [...cell.matchAll(/\]\(([^)]+)\)/g)].map(([, path = ""]) => path);
  const lines = text.matchAll(/^\| (\d[^|]*) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$/gm);
  return [...lines].map(([, rfc = "", files = "", tests = ""]) => ({
    rfc,
    files: paths(files),
    tests: paths(tests),
  }));
}

function isShown({ files, tests }: RfcRow): boolean {
  const named = [...files, ...tests];
  if (files.length === 0 || tests.length === 0) return false;
  return (
    named.every((path) => all.includes(path)) && tests.every((path) => path.includes(".test."))
  );
}
