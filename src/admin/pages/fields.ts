/**
 * The fields of the configuration as forms see them, read from its JSON Schema: so no field can be missing
 * on a page, and hint, default, choices and bounds have one source. Paths are relative to the object, with
 * `[]` for the entries of a list of objects: `network.gateway`, `inside[].netmask`.
 */
import { jsonSchema } from "../../config/json-schema.ts";
import { member } from "../../config/parts.ts";

export type ObjectKind = "proxy" | "instance" | "appliance";

export type FieldKind =
  | "text"
  | "number"
  | "yes-no"
  | "choice"
  | "lines"
  | "pem"
  | "secret"
  | "instances"
  | "rows"
  | "routes";

export type Field = {
  readonly of: ObjectKind;
  readonly path: string;
  readonly kind: FieldKind;
  /** Of a choice, or of the lines of a list that has a fixed set. */
  readonly options: readonly string[];
  readonly isRequired: boolean;
  readonly isNullable: boolean;
  readonly least: number | null;
  readonly most: number | null;
  readonly isWhole: boolean;
  /** From the schema, English. */
  readonly description: string;
  readonly standard: unknown;
  /** The field exists only while the field at that path has that value. */
  readonly when: { readonly path: string; readonly value: string } | null;
  /** Fields of one row; only of kind `rows`. */
  readonly columns: readonly Field[];
};

type Schema = unknown;

const SECRETS = new Set(["proxy.certificateKey", "proxy.provisioningKey"]);

function schemaOf(kind: ObjectKind): Schema {
  const properties = member(jsonSchema(), "properties");
  if (kind === "appliance") return member(properties, "appliance");
  return member(member(properties, kind === "proxy" ? "proxies" : "instances"), "items");
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const numberOf = (value: unknown): number | null => (typeof value === "number" ? value : null);
const branches = (schema: Schema): readonly Schema[] =>
  [...listOf(member(schema, "anyOf")), ...listOf(member(schema, "oneOf"))].flatMap((branch) => [
    branch,
    ...branches(branch),
  ]);
const hasType = (schema: Schema, type: string): boolean =>
  [schema, ...branches(schema)].some((one) => member(one, "type") === type);
const hasConst = (schema: Schema, value: string): boolean =>
  branches(schema).some((one) => member(one, "const") === value);

function kindOf(key: string, path: string, of: ObjectKind, schema: Schema): FieldKind {
  if (SECRETS.has(`${of}.${path}`)) return "secret";
  if (hasConst(schema, "all")) return "instances";
  if (member(schema, "enum") !== undefined) return "choice";
  if (hasType(schema, "array")) {
    const entry = member(member(schema, "items"), "properties");
    if (entry === undefined) return "lines";
    return member(entry, "via") === undefined ? "rows" : "routes";
  }
  if (hasType(schema, "boolean")) return "yes-no";
  if (hasType(schema, "integer") || hasType(schema, "number")) return "number";
  return /Pem$/.test(key) ? "pem" : "text";
}

type Place = {
  readonly of: ObjectKind;
  readonly prefix: string;
  readonly required: readonly unknown[];
  readonly when: Field["when"];
};

function readField(key: string, schema: Schema, place: Place): Field {
  const { of, prefix, when } = place;
  const path = `${prefix}${key}`;
  const options = listOf(member(schema, "enum") ?? member(member(schema, "items"), "enum"));
  const kind = kindOf(key, path, of, schema);
  const items = member(schema, "items");
  const entry = {
    of,
    prefix: `${path}[].`,
    required: listOf(member(items, "required")),
    when: null,
  };
  return {
    of,
    path,
    kind,
    when,
    options: options.map(String),
    isRequired: place.required.includes(key),
    isNullable: hasType(schema, "null"),
    least: numberOf(member(schema, "minimum")),
    most: numberOf(member(schema, "maximum")),
    isWhole: hasType(schema, "integer"),
    description: textOf(member(schema, "description")),
    standard: member(schema, "default"),
    columns: kind === "rows" ? readObject(items, entry) : [],
  };
}

/** Objects that come in two kinds by their `mode`: the mode as a choice, then the fields of each kind. */
function readUnion(key: string, schema: Schema, place: Place): Field[] {
  const { of } = place;
  const prefix = `${place.prefix}${key}.`;
  const kinds = listOf(member(schema, "oneOf"));
  const modeOf = (kind: Schema) =>
    textOf(member(member(member(kind, "properties"), "mode"), "const"));
  const mode: Field = {
    ...readField("mode", member(member(kinds[0], "properties"), "mode"), { ...place, prefix }),
    kind: "choice",
    options: kinds.map(modeOf),
    description: textOf(member(schema, "description")),
  };
  const rest = kinds.flatMap((kind) => {
    const when = { path: mode.path, value: modeOf(kind) };
    const required = listOf(member(kind, "required"));
    return readObject(kind, { of, prefix, required, when }).filter(
      ({ path }) => path !== mode.path,
    );
  });
  return [mode, ...rest];
}

function readObject(schema: Schema, place: Place): Field[] {
  const properties = Object.entries(member(schema, "properties") ?? {});
  return properties.flatMap(([key, property]: [string, Schema]) => {
    if (member(property, "oneOf") !== undefined) return readUnion(key, property, place);
    if (member(property, "type") !== "object") return [readField(key, property, place)];
    const required = listOf(member(property, "required"));
    return readObject(property, { ...place, prefix: `${place.prefix}${key}.`, required });
  });
}

function readFields(of: ObjectKind): readonly Field[] {
  const schema = schemaOf(of);
  return readObject(schema, {
    of,
    prefix: "",
    required: listOf(member(schema, "required")),
    when: null,
  });
}

const FIELDS: Readonly<Record<ObjectKind, readonly Field[]>> = {
  proxy: readFields("proxy"),
  instance: readFields("instance"),
  appliance: readFields("appliance"),
};

/** Every field of that kind of object, in the order of the schema. */
export function fieldsOf(kind: ObjectKind): readonly Field[] {
  return FIELDS[kind];
}

/** Those fields, in the order asked for; asking for one that does not exist is our mistake and throws. */
export function pickFields(kind: ObjectKind, paths: readonly string[]): readonly Field[] {
  return paths.map((path) => {
    const field = fieldsOf(kind).find((one) => one.path === path);
    if (field === undefined) throw new Error(`there is no field ${kind}.${path}`);
    return field;
  });
}
