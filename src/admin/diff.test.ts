import { expect, test } from "bun:test";
import { differences } from "./diff.ts";

function check(before: unknown, after: unknown, expected: unknown): void {
  expect(differences(before, after)).toEqual(expected as ReturnType<typeof differences>);
}

test("equal values do not differ, in whatever order their keys stand", () => {
  check({ a: 1, b: [1] }, { b: [1], a: 1 }, []);
  check({ a: undefined }, {}, []);
});

test("fields are told one by one, with the name of the object they stand in", () => {
  const proxy = (name: string, more: object = {}) => ({ name, inside: { sipPort: 1 }, ...more });
  check(
    { proxies: [proxy("dmz"), proxy("lan")] },
    { proxies: [proxy("lan", { inside: { sipPort: 2 } }), proxy("dmz")] },
    [{ path: "proxies[lan].inside.sipPort", before: 1, after: 2 }],
  );
});

test("objects that came or went are told whole, plain lists too", () => {
  check({ instances: [{ name: "a" }] }, { instances: [{ name: "b" }] }, [
    { path: "instances[a]", before: { name: "a" }, after: undefined },
    { path: "instances[b]", before: undefined, after: { name: "b" } },
  ]);
  check({ dns: ["10.0.0.1"] }, { dns: [] }, [{ path: "dns", before: ["10.0.0.1"], after: [] }]);
});

test("secrets are named and never shown, alone or within a whole object", () => {
  check(
    { proxies: [{ name: "d", certificateKey: "A" }] },
    { proxies: [{ name: "d", certificateKey: "B" }] },
    [{ path: "proxies[d].certificateKey", before: "(secret)", after: "(secret)" }],
  );
  check({ provisioningKey: null }, { provisioningKey: "B" }, [
    { path: "provisioningKey", before: null, after: "(secret)" },
  ]);
  check({ proxies: [] }, { proxies: [{ name: "d", provisioningKey: "B", certificateKey: null }] }, [
    {
      path: "proxies[d]",
      before: undefined,
      after: { name: "d", provisioningKey: "(secret)", certificateKey: null },
    },
  ]);
});
