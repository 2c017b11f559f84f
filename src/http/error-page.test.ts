import { expect, test } from "bun:test";
import { errorPage, redirection, rootPage } from "./error-page.ts";

test("a page says what is wrong and which request it was, and nothing else of us", () => {
  for (const status of [400, 404, 405, 421, 429, 502, 503, 504, 599]) {
    const { body, headers } = errorPage(status, "a1b2c3");
    expect(body).toContain("a1b2c3");
    expect(`${body}${headers.join()}`).not.toMatch(/pequod|bun|node|\d+\.\d+\.\d+/i);
  }
  expect(rootPage().body).not.toMatch(/pequod|mycompany/i);
});

test("a redirection is not kept by whoever follows it", () => {
  expect(redirection(308, "/a/").headers).toEqual(["Location", "/a/", "Cache-Control", "no-store"]);
  expect(redirection(302, "https://a.test/").status).toBe(302);
});
