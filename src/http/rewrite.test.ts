import { expect, test } from "bun:test";
import { rewriteValue, type Seen } from "./rewrite.ts";

const shared: Seen = {
  origin: "https://h.test",
  prefix: "/mycompany",
  isStripped: true,
  isTop: false,
  inside: "http://10.0.3.150:8080",
  base: "",
};
const own: Seen = { ...shared, origin: "https://mycompany.h.test", prefix: "" };
const kept: Seen = { ...shared, isStripped: false };
const based: Seen = { ...shared, base: "/app" };

function check(name: string, seen: Seen, cases: readonly (readonly [string, string])[]): void {
  for (const [value, expected] of cases) expect(rewriteValue(name, value, seen)).toBe(expected);
}

test("Location: paths get the prefix once, the instance's own address becomes ours, others stay", () => {
  check("location", shared, [
    ["/login?next=/x", "/mycompany/login?next=/x"],
    ["/", "/mycompany/"],
    ["/mycompany/login", "/mycompany/login"],
    ["/mycompany2/login", "/mycompany/mycompany2/login"],
    ["login", "login"],
    ["?page=2", "?page=2"],
    ["#top", "#top"],
    ["http://10.0.3.150:8080/x", "https://h.test/mycompany/x"],
    ["HTTP://10.0.3.150:8080", "https://h.test/mycompany/"],
    ["http://h.test/x", "https://h.test/mycompany/x"],
    ["https://h.test/mycompany/x", "https://h.test/mycompany/x"],
    ["//10.0.3.150:8080/x", "https://h.test/mycompany/x"],
    ["https://elsewhere.test/x", "https://elsewhere.test/x"],
    ["http://10.0.3.150.evil.test:8080/x", "http://10.0.3.150.evil.test:8080/x"],
  ]);
});

test("the instance's own origin, a kept prefix, and a URL with a path", () => {
  check("location", own, [
    ["/login", "/login"],
    ["http://10.0.3.150:8080/x", "https://mycompany.h.test/x"],
  ]);
  check("location", kept, [
    ["/mycompany/login", "/mycompany/login"],
    ["/login", "/login"],
    ["http://10.0.3.150:8080/mycompany/x", "https://h.test/mycompany/x"],
  ]);
  check("location", based, [
    ["/app/login", "/mycompany/login"],
    ["/app", "/mycompany/"],
    ["/apple", "/mycompany/apple"],
  ]);
  check("content-location", shared, [["/x", "/mycompany/x"]]);
});

test("the usual port of a scheme may be written or not", () => {
  check("location", { ...shared, inside: "http://10.0.3.150" }, [
    ["http://10.0.3.150:80/x", "https://h.test/mycompany/x"],
    ["http://10.0.3.150/x", "https://h.test/mycompany/x"],
    ["https://h.test:443/x", "https://h.test/mycompany/x"],
  ]);
});

test("Link and Refresh", () => {
  check("link", shared, [
    [
      '</style.css>; rel=preload, <http://10.0.3.150:8080/a>; rel="x"',
      '</mycompany/style.css>; rel=preload, <https://h.test/mycompany/a>; rel="x"',
    ],
  ]);
  check("refresh", shared, [
    ["5; url=/x", "5; url=/mycompany/x"],
    ["5", "5"],
  ]);
});

test("cookies stay within the instance's part, and never get a domain", () => {
  check("set-cookie", shared, [
    ["a=1", "a=1"],
    ["a=1; Path=/; HttpOnly", "a=1; Path=/mycompany/; HttpOnly"],
    ["a=1;path=/sub;Domain=10.0.3.150", "a=1;path=/mycompany/sub"],
    ["a=1; Path=/mycompany/x", "a=1; Path=/mycompany/x"],
    ["a=1; Path=nonsense", "a=1; Path=/mycompany/"],
    ["a=path=/x; Path=/", "a=path=/x; Path=/mycompany/"],
    ["a=1; Domain=h.test; Secure", "a=1; Secure"],
    ["__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/"],
  ]);
  check("set-cookie", own, [["a=1; Path=/; Domain=h.test", "a=1; Path=/"]]);
  check("set-cookie", kept, [
    ["a=1; Path=/mycompany/x", "a=1; Path=/mycompany/x"],
    ["a=1; Path=/", "a=1; Path=/mycompany/"],
    ["a=1; Path=/other", "a=1; Path=/mycompany/"],
  ]);
  check("set-cookie", based, [["a=1; Path=/app", "a=1; Path=/mycompany/"]]);
  check("set-cookie", { ...kept, isTop: true }, [
    ["a=1; Secure", "a=1; Secure; Path=/mycompany/"],
    ["a=1; Path", "a=1; Path=/mycompany/"],
    ["a=1; Path=/mycompany/x", "a=1; Path=/mycompany/x"],
  ]);
});

test("no value takes long to look at, whatever an instance writes", () => {
  const blanks = `${"\xa0".repeat(60_000)}x`;
  const before = performance.now();
  for (const name of ["location", "content-location", "link", "refresh", "set-cookie"]) {
    for (const value of [
      blanks,
      `0${" ".repeat(60_000)}`,
      `a;${blanks}`,
      `<${blanks}`,
      ";=".repeat(30_000),
    ]) {
      rewriteValue(name, value, shared);
    }
  }
  expect(performance.now() - before).toBeLessThan(1000);
});

test("other lines are left alone", () => {
  check("x-url", shared, [["http://10.0.3.150:8080/x", "http://10.0.3.150:8080/x"]]);
});
