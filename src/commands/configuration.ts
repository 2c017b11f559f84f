/** Reads and checks a configuration file: what `check` prints and `proxy` starts from. */
import { createHash } from "node:crypto";
import { checkConfig, formatProblem } from "../config/check.ts";
import { type ProxySlice, sliceFor } from "../config/config.ts";
import { readText } from "../io/files.ts";
import { InputError } from "./arguments.ts";

/** Throws InputError when the file cannot be read. */
export function readConfigurationText(path: string): string {
  try {
    const text = readText(path);
    if (text !== null) return text;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`cannot read ${path}: ${reason}`);
  }
  throw new InputError(`cannot read ${path}: there is no such file`);
}

export type LoadedSlice = { readonly slice: ProxySlice; readonly sha256: string };

/** Throws InputError with every problem, one a line. */
export function loadSlice(path: string, proxyName: string): LoadedSlice {
  const text = readConfigurationText(path);
  const { config, problems } = checkConfig(text);
  if (config === null) throw new InputError(problems.map(formatProblem).join("\n"));
  const slice = sliceFor(config, proxyName);
  if (slice === null) throw new InputError(`${path} has no proxy "${proxyName}"`);
  return { slice, sha256: createHash("sha256").update(text).digest("hex") };
}
