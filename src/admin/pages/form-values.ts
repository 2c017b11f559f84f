/**
 * Between an object of the configuration and what stands typed in a form. Reading a form starts from the
 * stored entry, so a field that is not on the form stays as it is; what cannot be understood is handed on as
 * typed, for the check of the configuration to tell what is wrong with it.
 */
import { member, type Problem } from "../../config/parts.ts";
import type { Field } from "./fields.ts";

/** By the name of an input: every value sent under it. */
export type Typed = ReadonlyMap<string, readonly string[]>;

type Members = { [key: string]: unknown };

const YES = "on";
/** Inputs that stand beside a field of the same name. */
const CHOICE = ".choice";
const RENEW = ".renew";

export const choiceName = (field: Field): string => `${field.path}${CHOICE}`;
export const renewName = (field: Field): string => `${field.path}${RENEW}`;
/** The input of a column in a row of a list of objects. */
export const columnName = (column: Field, row: number): string =>
  column.path.replace("[]", `[${row}]`);

export const typedText = (typed: Typed, name: string): string => typed.get(name)?.[0] ?? "";

function asMembers(value: unknown): Members {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? { ...value } : {};
}

export function valueAt(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => member(value, key), object);
}

/** A copy with the value set, or taken out when it is undefined. */
function withValue(
  object: unknown,
  [key = "", ...rest]: readonly string[],
  value: unknown,
): Members {
  const members = asMembers(object);
  if (value === undefined && members[key] === undefined) return members;
  const next = rest.length === 0 ? value : withValue(members[key], rest, value);
  if (next === undefined) delete members[key];
  else members[key] = next;
  return members;
}

const normalLines = (text: string): string => text.replace(/\r\n?/g, "\n");

function linesOf(text: string): string[] {
  return normalLines(text)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** `10.0.4.0/24 via 10.0.3.254`, a route a line; "via" may be left out. */
function routesOf(text: string): unknown[] {
  return linesOf(text).map((line) => {
    const [to = "", ...rest] = line.split(/\s+/);
    return { to, via: rest.filter((word) => word !== "via").join(" ") };
  });
}

function numberOf(text: string): unknown {
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
}

/** A PEM text comes back with other line ends than it was sent with; then it is still the same. */
function pemOf(text: string, stored: unknown): string {
  const plain = normalLines(text).trim();
  if (typeof stored === "string" && stored.trim() === plain) return stored;
  return `${plain}\n`;
}

function readRows(field: Field, typed: Typed): unknown[] {
  const rows: unknown[] = [];
  for (let row = 0; field.columns.some((column) => typed.has(columnName(column, row))); row += 1) {
    const filled = field.columns.filter(
      (column) => typedText(typed, columnName(column, row)).trim() !== "",
    );
    if (filled.length === 0) continue;
    const members = filled.map((column) => {
      const key = column.path.slice(column.path.lastIndexOf(".") + 1);
      return [key, readText(column, typedText(typed, columnName(column, row)), undefined)];
    });
    rows.push(Object.fromEntries(members));
  }
  return rows;
}

/** undefined = the field is left out of the object: its default holds, or it is missing. */
function readText(field: Field, text: string, stored: unknown): unknown {
  if (field.kind === "lines") return linesOf(text);
  if (field.kind === "routes") return routesOf(text);
  const trimmed = text.trim();
  if (trimmed === "") return field.isNullable ? null : undefined;
  if (field.kind === "number") return numberOf(trimmed);
  return field.kind === "pem" || field.kind === "secret" ? pemOrKey(field, text, stored) : trimmed;
}

function pemOrKey(field: Field, text: string, stored: unknown): string {
  return /key$/i.test(field.path) && !text.includes("-----") ? text.trim() : pemOf(text, stored);
}

/** A secret that is left empty is kept: it is then not in the object at all. */
function readSecret(field: Field, typed: Typed): unknown {
  if (typed.has(renewName(field))) return null;
  const text = typedText(typed, field.path);
  return text.trim() === "" ? undefined : pemOrKey(field, text, undefined);
}

function readField(field: Field, typed: Typed, object: unknown): unknown {
  const stored = valueAt(object, field.path);
  if (field.kind === "yes-no") return typedText(typed, field.path) === YES;
  if (field.kind === "rows") return readRows(field, typed);
  if (field.kind === "secret") return readSecret(field, typed);
  if (field.kind === "instances") {
    if (typedText(typed, choiceName(field)) === "") return stored;
    return typedText(typed, choiceName(field)) === "all"
      ? "all"
      : [...(typed.get(field.path) ?? [])];
  }
  return typed.has(field.path) ? readText(field, typedText(typed, field.path), stored) : stored;
}

/** Another mode is another kind of object: nothing of the old one may stay in it. */
function withMode(object: Members, field: Field, mode: unknown): Members {
  const [key = ""] = field.path.split(".");
  if (valueAt(object, field.path) === mode) return object;
  return { ...object, [key]: { mode } };
}

/** `fields` are those on the form. */
export function objectOf(fields: readonly Field[], typed: Typed, stored: unknown): Members {
  return fields.reduce<Members>((object, field) => {
    if (field.when !== null && valueAt(object, field.when.path) !== field.when.value) return object;
    const value = readField(field, typed, object);
    if (field.path.endsWith(".mode")) return withMode(object, field, value);
    return withValue(object, field.path.split("."), value);
  }, asMembers(stored));
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}

function textsOf(field: Field, value: unknown): readonly string[] {
  switch (field.kind) {
    case "yes-no":
      return value === true ? [YES] : [];
    case "lines":
      return [Array.isArray(value) ? value.map(textOf).join("\n") : ""];
    case "routes":
      return [
        Array.isArray(value)
          ? value.map((one) => `${textOf(one?.to)} via ${textOf(one?.via)}`).join("\n")
          : "",
      ];
    case "secret":
      return [];
    case "instances":
      return Array.isArray(value) ? value.map(textOf) : [];
    default:
      return [textOf(value)];
  }
}

/** What a form shows for an object. A secret is never in it. */
export function typedOf(fields: readonly Field[], object: unknown): Typed {
  const typed = new Map<string, readonly string[]>();
  for (const field of fields) {
    const stored = valueAt(object, field.path);
    const value = stored === undefined ? field.standard : stored;
    if (field.kind === "rows") {
      const rows = Array.isArray(value) ? value : [];
      for (const [row, entry] of rows.entries()) {
        for (const column of field.columns) {
          const key = column.path.slice(column.path.lastIndexOf(".") + 1);
          typed.set(columnName(column, row), textsOf(column, member(entry, key)));
        }
      }
      continue;
    }
    if (field.kind === "instances")
      typed.set(choiceName(field), [value === "all" ? "all" : "named"]);
    const texts = textsOf(field, value);
    if (texts.length > 0 || field.kind === "instances") typed.set(field.path, texts);
  }
  return typed;
}

/**
 * What was typed with the rows of the lists of objects numbered as objectOf() numbers them: empty rows are
 * gone, so that a problem of a row finds it.
 */
export function withoutEmptyRows(fields: readonly Field[], typed: Typed): Typed {
  const rows = fields.filter(({ kind }) => kind === "rows");
  const isRow = (name: string) => rows.some(({ path }) => name.startsWith(`${path}[`));
  const kept = new Map([...typed].filter(([name]) => !isRow(name)));
  for (const [name, texts] of typedOf(rows, objectOf(rows, typed, {}))) kept.set(name, texts);
  return kept;
}

/** The name of the input that a problem belongs to; null = none of these fields. */
export function inputOf(fields: readonly Field[], { path }: Problem): string | null {
  const names = fields.flatMap((field) => {
    if (field.kind !== "rows") return [field.path];
    const row = Number(/\[([0-9]+)\]/.exec(path)?.[1] ?? 0);
    return [field.path, ...field.columns.map((column) => columnName(column, row))];
  });
  const owners = names.filter(
    (name) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`),
  );
  const nearest = owners.sort((a, b) => b.length - a.length)[0];
  return nearest ?? names.find((name) => path !== "" && name.startsWith(`${path}.`)) ?? null;
}
