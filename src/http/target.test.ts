import { expect, test } from "bun:test";
import { isAtOrBelow, readTarget, splitFirst } from "./target.ts";

const REFUSED = [
  "",
  "*",
  "mycompany",
  "http://host/mycompany/",
  "https://host/mycompany/",
  "host:443",
  "//mycompany/",
  "/mycompany//ui",
  "/mycompany/services/../ui",
  "/mycompany/..",
  "/mycompany/.",
  "/./mycompany/",
  "/mycompany/services/%2e%2e/ui",
  "/mycompany/services/%2E./ui",
  "/mycompany/services/.%2e/ui",
  "/mycompany/%2e/ui",
  "/mycompany/services/..;x/ui",
  "/mycompany/services/%2e%2e;x=1/ui",
  "/mycompany/services/.;/ui",
  "/mycompany/services/..%3B/ui",
  "/mycompany/%3bx/ui",
  "/mycompany/;x/ui",
  "/mycompany/services\\..\\ui",
  "/mycompany/services%5c..%5cui",
  "/mycompany/services%2f..%2fui",
  "/mycompany%2Fservices",
  "/mycompany/services%00",
  "/mycompany/%0d%0aX:1",
  "/mycompany/%7f",
  "/mycompany/%252e%252e/ui",
  "/mycompany/%25%32%65",
  "/mycompany/%",
  "/mycompany/%2",
  "/mycompany/%zz",
  "/mycompany/%u002e",
  "/mycompany/%c0%ae%c0%ae/ui",
  "/mycompany/%c0%af",
  "/mycompany/%e0%80%af",
  "/mycompany/%f0%80%80%af",
  "/mycompany/#ui",
  "/mycompany/a b",
  "/mycompany/\xe4",
  "/mycompany/\t",
  "/mycompany/<script>",
  "/mycompany/?a b",
  "/mycompany/?\x00",
  "/mycompany/?a#b",
];

for (const target of REFUSED) {
  test(`${JSON.stringify(target)} is refused`, () => expect(readTarget(target)).toBeNull());
}

const PASSED = [
  "/",
  "/mycompany",
  "/mycompany/",
  "/mycompany/a/b.c/",
  "/mycompany/...",
  "/mycompany/..a/a..",
  "/mycompany/.well-known/x",
  "/mycompany/page;jsessionid=1",
  "/mycompany/%C3%A4%20x",
  "/mycompany/100%25",
  "/mycompany/[x]|y^",
  "/mycompany/?a=../..//%2f%00\\&b=?",
  "/mycompany/?",
  "/p/08:C2:5A:4F:03:21/x",
];

for (const target of PASSED) {
  test(`${target} passes, byte for byte`, () => {
    const read = readTarget(target);
    expect(`${read?.path}${read?.query}`).toBe(target);
  });
}

test("an instance is the first segment; services only in that very spelling", () => {
  expect(splitFirst("/mycompany")).toEqual({ first: "mycompany", rest: "" });
  expect(splitFirst("/mycompany/")).toEqual({ first: "mycompany", rest: "/" });
  expect(splitFirst("/a/b/c")).toEqual({ first: "a", rest: "/b/c" });
  expect(isAtOrBelow("/services", "/services")).toBe(true);
  expect(isAtOrBelow("/services/x", "/services")).toBe(true);
  const others = [
    "/services2",
    "/SERVICES",
    "/services;x",
    "/%73ervices",
    "/ui",
    "",
    "/services%20",
  ];
  expect(others.filter((path) => isAtOrBelow(path, "/services"))).toEqual([]);
});
