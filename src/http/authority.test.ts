import { expect, test } from "bun:test";
import { readAuthority } from "./authority.ts";

test("a name or an address, perhaps with a port, without case", () => {
  expect(readAuthority("MyCompany.example.com")).toEqual({
    host: "mycompany.example.com",
    port: null,
  });
  expect(readAuthority("a.example:8443")).toEqual({ host: "a.example", port: 8443 });
  expect(readAuthority("10.0.0.1")).toEqual({ host: "10.0.0.1", port: null });
  expect(readAuthority("[2001:db8::1]:443")).toEqual({ host: "2001:db8::1", port: 443 });
});

test("whatever could be read otherwise is none", () => {
  const others = [
    "",
    "a b",
    "a,b",
    "a:b",
    "a:0",
    "a:70000",
    "a@b",
    "a/b",
    "a..b",
    "-a",
    "a.",
    "[::1",
    "2001:db8::1",
    "[x]",
    "a_b",
    "a:1:2",
  ];
  expect(others.filter((text) => readAuthority(text) !== null)).toEqual([]);
});
