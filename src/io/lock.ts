/**
 * One process a folder: flock(2) on a file of it, which the kernel gives up when the process ends, however it
 * ends. Bun has no call for it, so it is made by bun:ffi.
 */
import { openSync } from "node:fs";
import { libc } from "./libc.ts";

const LOCK_EXCLUSIVE_NOW = 2 | 4;

/** Holds the lock until this process ends. false = another process has it. Throws without the C library. */
export function lockFile(path: string): boolean {
  // Close-on-exec is set by Bun: no child keeps the lock alive.
  return libc().flock(openSync(path, "a", 0o600), LOCK_EXCLUSIVE_NOW) === 0;
}
