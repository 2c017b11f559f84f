import { expect, test } from "bun:test";
import { formatNetstring, NetstringReader } from "./netstring.ts";

test("texts come back whatever the chunks", () => {
  const reader = new NetstringReader();
  const bytes = new Uint8Array([...formatNetstring('{"a":1}'), ...formatNetstring("grüß:,")]);
  expect(reader.push(bytes.subarray(0, 1))).toEqual([]);
  expect(reader.push(bytes.subarray(1, 12))).toEqual(['{"a":1}']);
  expect(reader.push(bytes.subarray(12))).toEqual(["grüß:,"]);
});

test("what is no netstring is refused", () => {
  expect(() => new NetstringReader().push(new TextEncoder().encode("x:{}"))).toThrow(
    "not a netstring",
  );
  expect(() => new NetstringReader().push(new TextEncoder().encode("2:{};"))).toThrow("comma");
});
