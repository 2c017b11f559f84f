/**
 * Files of a folder that belongs to another user, as root reads and writes them: no link is followed, nothing
 * large is read, and what is written belongs to the folder's owner again.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { removeFile } from "./files.ts";

const MOST_BYTES = 64 << 20;
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;

const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

/** The text of a plain file, or null when there is none. Throws when it is something else, or too large. */
export function readPlain(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
  try {
    const { size } = checkPlain(file, path);
    const bytes = Buffer.alloc(size);
    let at = 0;
    for (let read = 1; read > 0 && at < size; at += read)
      read = readSync(file, bytes, at, size - at, at);
    return bytes.subarray(0, at).toString();
  } finally {
    closeSync(file);
  }
}

function checkPlain(file: number, path: string): { readonly size: number } {
  const state = fstatSync(file);
  if (!state.isFile() || state.nlink !== 1) throw new Error(`${path} is no plain file`);
  if (state.size > MOST_BYTES) throw new Error(`${path} is too large`);
  return state;
}

/** Names in a folder; none when there is no such folder. */
export function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Whole or not at all and on the disk when it returns, mode 0600, for the owner of `folder`. */
export function writeOwned(folder: string, name: string, text: string): void {
  const owner = statSync(folder);
  const path = join(folder, name);
  const parent = dirname(path);
  makeOwned(parent, owner);
  const temporary = `${path}.root`;
  removeFile(temporary);
  const file = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fchownSync(file, owner.uid, owner.gid);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const opened = openSync(parent, O_RDONLY | O_DIRECTORY);
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

function makeOwned(path: string, owner: { readonly uid: number; readonly gid: number }): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    throw error;
  }
  const made = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    fchownSync(made, owner.uid, owner.gid);
  } finally {
    closeSync(made);
  }
}
