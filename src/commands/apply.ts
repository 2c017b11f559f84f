/** `pequod apply [--data DIR] [--dry-run]`: makes the network like the active configuration, or shows it. */
import { applyPlan, NetworkError } from "../network/apply.ts";
import { formatPlan, hostNames, planNetwork } from "../network/plan.ts";
import { DocumentError } from "../network/revision-files.ts";
import { InputError, parseArguments } from "./arguments.ts";
import {
  DEFAULT_DATA,
  letNetworkdRead,
  realSystem,
  resolveNames,
  revisionFiles,
} from "./network.ts";

export async function applyCommand(given: readonly string[]): Promise<number> {
  const { options, flags } = parseArguments(given, {
    options: ["data"],
    flags: ["dry-run"],
    words: { least: 0, most: 0 },
  });
  const config = activeConfig(options.get("data") ?? DEFAULT_DATA);
  const plan = planNetwork(config, await resolveNames(hostNames(config)));
  for (const name of plan.unresolved) console.error(`${name} has no address: it cannot call in`);
  if (flags.has("dry-run")) {
    console.log(formatPlan(plan));
    return 0;
  }
  letNetworkdRead();
  try {
    const isChanged = await applyPlan(realSystem, plan);
    console.log(isChanged ? "the network is as the configuration wants it now" : "nothing to do");
    return 0;
  } catch (error) {
    if (error instanceof NetworkError) throw new InputError(error.message);
    throw error;
  }
}

function activeConfig(folder: string): ReturnType<ReturnType<typeof revisionFiles>["active"]> {
  try {
    return revisionFiles(folder).active();
  } catch (error) {
    if (error instanceof DocumentError) throw new InputError(error.message);
    throw error;
  }
}
