import { expect, test } from "bun:test";
import { sourceAddress, sourceOf } from "./source.ts";

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8::/64"],
  ["2001:db8::1:0:0:0:1", "2001:db8:0:1::/64"],
  ["2001:db8:1::", "2001:db8:1::/64"],
  ["::1", "::/64"],
  ["fd00:0:0:7::9", "fd00:0:0:7::/64"],
])("%s is of the source %s", (address, source) => {
  expect(sourceOf(address)).toBe(source);
  expect(sourceAddress(address)).toBe(source.replace("/64", ""));
});
