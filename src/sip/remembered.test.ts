import { expect, test } from "bun:test";
import { remembered } from "./remembered.ts";

function counting() {
  const parsed: string[] = [];
  const parse = remembered((text: string) => {
    parsed.push(text);
    if (text === "bad") throw new Error("bad");
    return { text };
  });
  return { parse, parsed };
}

test("a text is parsed once, and gives what it gave", () => {
  const { parse, parsed } = counting();
  expect(parse("sip:100@mycompany")).toBe(parse("sip:100@mycompany"));
  expect(parsed).toEqual(["sip:100@mycompany"]);
});

test("many texts push one another out and never mix", () => {
  const { parse } = counting();
  for (let at = 0; at < 5000; at++)
    expect(parse(`sip:${at % 700}@mycompany`).text).toBe(`sip:${at % 700}@mycompany`);
});

test("an error is thrown again, and a long text is not kept", () => {
  const { parse, parsed } = counting();
  expect(() => parse("bad")).toThrow("bad");
  expect(() => parse("bad")).toThrow("bad");
  const long = "x".repeat(257);
  expect(parse(long)).not.toBe(parse(long));
  expect(parsed).toHaveLength(4);
});
