import { expect, test } from "bun:test";
import { jsonSchema } from "./json-schema.ts";

type Node = {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly additionalProperties?: boolean;
};

type Field = { readonly path: string; readonly node: Node; readonly isRequired: boolean };

/** Every object of the schema with its path. */
function objectsOf(node: Node, path: string): { path: string; node: Node }[] {
  const inner = [...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap((part) =>
    objectsOf(part, path),
  );
  const items = node.items === undefined ? [] : objectsOf(node.items, `${path}[]`);
  const own = node.properties === undefined ? [] : [{ path, node }];
  const below = Object.entries(node.properties ?? {}).flatMap(([key, field]) =>
    objectsOf(field, path === "" ? key : `${path}.${key}`),
  );
  return [...own, ...inner, ...items, ...below];
}

const root = jsonSchema() as Node;
const objects = objectsOf(root, "");
const fields: Field[] = objects.flatMap(({ path, node }) =>
  Object.entries(node.properties ?? {}).map(([key, field]) => ({
    path: path === "" ? key : `${path}.${key}`,
    node: field,
    isRequired: node.required?.includes(key) ?? false,
  })),
);
const fieldAt = (path: string) => fields.find((field) => field.path === path);

test("it is of draft 2020-12 and can be written as JSON", () => {
  expect(jsonSchema().$schema).toBe("https://json-schema.org/draft/2020-12/schema");
  expect(JSON.parse(JSON.stringify(root))).toEqual(root);
});

test("no object allows an unknown key", () => {
  expect(objects.length).toBeGreaterThan(20);
  expect(objects.filter(({ node }) => node.additionalProperties !== false)).toEqual([]);
});

test("the required fields are these", () => {
  expect(fields.filter(({ isRequired }) => isRequired).map(({ path }) => path)).toEqual([
    "version",
    "appliance.eth0.mode",
    "appliance.eth0.address",
    "appliance.eth0.netmask",
    "appliance.eth0.gateway",
    "appliance.inside[].interface",
    "appliance.inside[].address",
    "appliance.inside[].netmask",
    "appliance.inside[].routes[].to",
    "appliance.inside[].routes[].via",
    "instances[].name",
    "instances[].address",
    "proxies[].name",
    "proxies[].fqdn",
    "proxies[].network.mode",
    "proxies[].network.interface",
    "proxies[].network.address",
    "proxies[].network.netmask",
  ]);
});

test("every field has one line that describes it", () => {
  const bad = fields.filter(({ node }) => !/^[A-Z][^\n]{8,109}[.]$/.test(node.description ?? ""));
  expect(bad.map(({ path }) => path)).toEqual([]);
});

test("every field that is no object of its own says its default, or that it is required", () => {
  const silent = fields.filter(
    ({ node }) => node.properties === undefined && !/Default|Required/.test(node.description ?? ""),
  );
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test("the default in the words is the default of the schema", () => {
  const simple = fields.filter(({ node }) => ["number", "string"].includes(typeof node.default));
  const wrong = simple.filter(
    ({ node }) => !new RegExp(`Default "?${node.default}\\b`).test(node.description ?? ""),
  );
  expect(simple.length).toBeGreaterThan(50);
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("numbers carry their bounds", () => {
  expect(fieldAt("proxies[].ports.sipTls")?.node).toEqual({
    type: "integer",
    minimum: 0,
    maximum: 65535,
    default: 5061,
    description: "SIP over TLS (TCP); 0 = any free port. Default 5061.",
  } as Node);
});
