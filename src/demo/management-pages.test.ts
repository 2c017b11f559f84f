import { expect, test } from "bun:test";
import { managementPages } from "./management-pages.ts";

test("the page and its JSON say who is registered; there is nothing else", () => {
  const find = managementPages({
    domain: "demo",
    users: ["100", "101"],
    registered: () => ["101"],
    calls: () => 1,
  });
  expect(find("/")?.body).toContain("<td>101<td>registered");
  expect(find("/")?.body).toContain("<td>100<td>not registered");
  expect(JSON.parse(find("/services/users")?.body ?? "")).toEqual({
    calls: 1,
    users: [
      { user: "100", registered: false },
      { user: "101", registered: true },
    ],
  });
  expect(find("/services")).toBeNull();
});
