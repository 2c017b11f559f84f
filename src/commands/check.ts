/** `pequod check FILE` and `pequod schema`. */
import { checkConfig, formatProblem } from "../config/check.ts";
import { jsonSchema } from "../config/json-schema.ts";
import { parseArguments } from "./arguments.ts";
import { readConfigurationText } from "./configuration.ts";

/** Prints all problems at once, one a line; 1 when there is one. */
export function checkCommand(given: readonly string[]): number {
  const { words } = parseArguments(given, { words: { least: 1, most: 1 } });
  const path = words[0]!;
  const { problems } = checkConfig(readConfigurationText(path));
  for (const problem of problems) console.log(formatProblem(problem));
  if (problems.length === 0) console.log(`${path}: no problems`);
  return problems.length === 0 ? 0 : 1;
}

/** Prints the JSON Schema of the configuration document. */
export function schemaCommand(given: readonly string[]): number {
  parseArguments(given, { words: { least: 0, most: 0 } });
  console.log(JSON.stringify(jsonSchema(), null, 2));
  return 0;
}
