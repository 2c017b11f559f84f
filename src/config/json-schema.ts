/**
 * The JSON Schema (draft 2020-12) of the configuration document, for `pequod schema`, editors and the API.
 * Cross-field rules cannot be said in it; check.ts has the last word.
 */
import { z } from "zod";
import { configSchema } from "./config.ts";

/** The schema of what an operator may write: only required fields are required, defaults are told. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-2020-12" });
  return { title: "Pequod configuration", ...schema };
}
