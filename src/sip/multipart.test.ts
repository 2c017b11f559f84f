import { expect, test } from "bun:test";
import { bodyParts } from "./multipart.ts";

const MIXED = "multipart/mixed;boundary=b";

function contents(text: string, type = MIXED): (readonly [string, string])[] | null {
  const parts = bodyParts(text, type);
  return parts?.map((part) => [part.type, text.slice(part.start, part.end)] as const) ?? null;
}

const PLAIN = [
  "preamble",
  "--b",
  "Content-Type: application/sdp",
  "content-disposition: session",
  "",
  "v=0",
  "s=-",
  "--b",
  "",
  "no headers",
  "--b",
  "Content-Type: Application/XML;charset=utf-8",
  "",
  "<a/>",
  "",
  "--b--",
  "epilogue",
].join("\r\n");

test("finds each part, without the line end that belongs to the delimiter", () => {
  expect(contents(PLAIN)).toEqual([
    ["application/sdp", "v=0\r\ns=-"],
    ["text/plain", "no headers"],
    ["application/xml", "<a/>\r\n"],
  ]);
  expect(bodyParts(PLAIN, MIXED)?.[0]?.headers.get("content-disposition")).toBe("session");
});

test.each([
  ["line feeds alone", PLAIN.replaceAll("\r\n", "\n"), MIXED],
  ["a quoted boundary", PLAIN, 'multipart/mixed ; type="a;boundary=x"; Boundary="b"'],
  ["white space after delimiters", PLAIN.replaceAll("--b\r\n", "--b \t\r\n"), MIXED],
  ["folded headers", PLAIN.replace("Type: app", "Type:\r\n  app"), MIXED],
  ["nothing after the last delimiter", PLAIN.replace("\r\nepilogue", ""), MIXED],
])("takes %s", (_, text, type) => {
  expect(contents(text, type)?.map(([part]) => part)).toEqual([
    "application/sdp",
    "text/plain",
    "application/xml",
  ]);
});

test("a delimiter is a whole line: a longer boundary is content", () => {
  const text = "--b\r\n\r\n--bc\r\n --b\r\n--b--\r\n";
  expect(contents(text)).toEqual([["text/plain", "--bc\r\n --b"]]);
});

test("parts of parts are found, to a depth", () => {
  const nest = (depth: number): string =>
    depth === 0
      ? "Content-Type: application/sdp\r\n\r\nv=0"
      : [
          `Content-Type: multipart/alternative;boundary=b${depth}`,
          "",
          `--b${depth}`,
          nest(depth - 1),
          `--b${depth}--`,
        ].join("\r\n");
  const body = (depth: number): string => `--b\r\n${nest(depth)}\r\n--b--`;
  expect(contents(body(2))).toEqual([["application/sdp", "v=0"]]);
  expect(contents(body(3))).toBeNull();
});

test("16 parts, no more", () => {
  const body = (count: number): string => `${"--b\r\n\r\nx\r\n".repeat(count)}--b--`;
  expect(contents(body(16))).toHaveLength(16);
  expect(contents(body(17))).toBeNull();
});

test.each([
  ["no boundary", PLAIN, "multipart/mixed"],
  ["an empty boundary", "----\r\n\r\nx\r\n------", "multipart/mixed;boundary="],
  ["two boundaries", PLAIN, `${MIXED};boundary=c`],
  ["a boundary of 71 characters", PLAIN, `multipart/mixed;boundary=${"b".repeat(71)}`],
  ["a parameter that cannot be read", PLAIN, 'multipart/mixed;boundary="b'],
  ["no delimiter", "v=0", MIXED],
  ["no last delimiter", PLAIN.replace("--b--", ""), MIXED],
  ["a last delimiter only", "--b--", MIXED],
  ["a line that is no header", PLAIN.replace("content-disposition: session", "v=0"), MIXED],
  ["a header twice", PLAIN.replace("content-disposition", "content-type"), MIXED],
  ["headers without an end", "--b\r\nContent-Type: application/sdp\r\n--b--", MIXED],
  [
    "a nested part without a boundary",
    "--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b--",
    MIXED,
  ],
])("does not read %s", (_, text, type) => {
  expect(bodyParts(text, type)).toBeNull();
});

test("64 KiB of delimiters and of none take no time", () => {
  for (const piece of ["--b\r\n", "--", "\r\n", "--b: \r\n ", "a"]) {
    const text = piece.repeat(Math.ceil(65_536 / piece.length));
    const started = performance.now();
    bodyParts(text, MIXED);
    expect(performance.now() - started).toBeLessThan(200);
  }
});
