/**
 * The machine as the network part sees it: commands as argument lists, and small files. Passed in, so that
 * the tests run every step on a machine of their own making.
 */
import type { RunCommand } from "../io/command.ts";

export type NetworkSystem = {
  readonly run: RunCommand;
  /** null = there is none. */
  read(path: string): string | null;
  /** Whole or not at all, mode 0600; makes the folder. */
  write(path: string, text: string): void;
  /** No error when there is none. */
  remove(path: string): void;
};

/** Where our netplan file is: under /run, so that a boot starts from the configuration alone. */
export const NETPLAN_FILE = "/run/netplan/90-pequod.yaml";

/** Ours alone, root's: candidates are tried here before anything is touched. */
const OWN_FOLDER = "/run/pequod-network";
export const SCRATCH_ROOT = `${OWN_FOLDER}/scratch`;
/** What is given to nft: the table and the bans it shall hold. */
export const FIREWALL_LOAD = `${OWN_FOLDER}/load.nft`;
/** The table that was loaded last, without bans: what an undo loads again. */
export const FIREWALL_LOADED = `${OWN_FOLDER}/loaded.nft`;

/** While an apply waits: its revision. Gone after a boot, which starts from active.json anyway. */
export const WAITING = `${OWN_FOLDER}/waiting.json`;

/** netplan's generator, the C program; netplan itself (python) is not needed. */
export const GENERATE = "/usr/libexec/netplan/generate";

/** One thing done to the machine. */
export type Step =
  | { readonly run: readonly string[] }
  | { readonly write: string; readonly text: string }
  | { readonly remove: string };

/** Throws what the step throws; a command rejects with CommandError. */
export async function doStep(system: NetworkSystem, step: Step): Promise<void> {
  if ("run" in step) await system.run(step.run);
  else if ("write" in step) system.write(step.write, step.text);
  else system.remove(step.remove);
}
