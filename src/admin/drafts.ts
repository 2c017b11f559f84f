/**
 * Changing one object of the candidate: the change is tried on the whole document, so that every rule of
 * config/check.ts is met, and its problems are told relative to the object that was sent in.
 */
import { checkConfig, type Problem } from "../config/check.ts";
import { type ConfigDocument, configSchema } from "../config/config.ts";
import { done, type Outcome, refused } from "./outcome.ts";

export type Fields = Readonly<Record<string, unknown>>;
export type CollectionName = "proxies" | "instances";

/** The place of an object by its name; names are compared without case. -1 = there is none. */
export function placeOf(
  document: ConfigDocument,
  collection: CollectionName,
  name: string,
): number {
  const wanted = name.toLowerCase();
  return document[collection].findIndex((one) => one.name.toLowerCase() === wanted);
}

/** An object as JSON value, or the refusal of anything else. */
export function readFields(input: unknown): Outcome<Fields> {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) {
    return done(input as Fields);
  }
  return refused("invalid", { problems: [{ path: "", message: "must be an object" }] });
}

/** `path` is that of the object in the document, e.g. `proxies[0]`; "" = the document itself. */
export function checkDraft(draft: unknown, path: string): Outcome<ConfigDocument> {
  const { config, problems } = checkConfig(draft);
  if (config !== null) return done(configSchema.parse(draft));
  return refused("invalid", { problems: problems.map((problem) => relativeTo(path, problem)) });
}

/** A problem elsewhere (a later proxy that now conflicts) keeps its path in the document. */
function relativeTo(path: string, problem: Problem): Problem {
  if (path === "") return problem;
  if (problem.path === path) return { ...problem, path: "" };
  if (!problem.path.startsWith(`${path}.`)) return problem;
  return { ...problem, path: problem.path.slice(path.length + 1) };
}

/** The document with one object replaced, or appended where `index` is the length; not checked. */
export function withObject(
  document: ConfigDocument,
  collection: CollectionName,
  index: number,
  fields: Fields,
): unknown {
  const objects: unknown[] = [...document[collection]];
  objects[index] = fields;
  return { ...document, [collection]: objects };
}

export function withoutObject(
  document: ConfigDocument,
  collection: CollectionName,
  index: number,
): ConfigDocument {
  return { ...document, [collection]: document[collection].toSpliced(index, 1) };
}

/** The name of an object cannot be changed; left out it is taken from the address. */
export function nameProblems(fields: Fields, name: string): readonly Problem[] {
  const sent = fields["name"];
  if (sent === undefined || sent === name) return [];
  return [{ path: "name", message: `cannot be changed (it is ${JSON.stringify(name)})` }];
}
