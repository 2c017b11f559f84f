/**
 * One process a folder: flock(2) on a file of it, which the kernel gives up when the process ends, however it
 * ends. Bun has no call for it, so it is made by bun:ffi.
 */
import { dlopen, FFIType } from "bun:ffi";
import { openSync } from "node:fs";

const LOCK_EXCLUSIVE_NOW = 2 | 4;

/** Holds the lock until this process ends. false = another process has it. Throws without the C library. */
export function lockFile(path: string): boolean {
  const { i32 } = FFIType;
  const { symbols } = dlopen("libc.so.6", { flock: { args: [i32, i32], returns: i32 } });
  // Close-on-exec is set by Bun: no child keeps the lock alive.
  return symbols.flock(openSync(path, "a", 0o600), LOCK_EXCLUSIVE_NOW) === 0;
}
