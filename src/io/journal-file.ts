/**
 * A file that grows line by line and is written anew now and then: mode 0600, every step on the disk before it
 * counts, never in the way of the event loop. What the lines mean is the caller's.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

export type JournalFile = {
  /** Everything, "" when there is none. Other errors reject. */
  read(): Promise<string>;
  /** Resolves when it is on the disk. A power cut may leave a part of it. */
  append(text: string): Promise<void>;
  /** Puts the pieces in place of all there was: a power cut leaves the old or the new. */
  replace(pieces: Iterable<string>): Promise<void>;
};

/** Set for a file that was there before, too: it says who calls whom. */
const MODE = 0o600;

/** Not while another append() or replace() of the same file is under way. */
export function journalFile(path: string): JournalFile {
  const temporary = `${path}.new`;
  const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, O_NOFOLLOW } = constants;
  return {
    async read() {
      try {
        return await readFile(path, "utf8");
      } catch (error) {
        if ((error as { code?: string }).code === "ENOENT") return "";
        throw error;
      }
    },
    async append(text) {
      await using(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, async (file) => {
        await file.chmod(MODE);
        await file.writeFile(text);
        await file.datasync();
      });
    },
    async replace(pieces) {
      await using(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, async (file) => {
        await file.chmod(MODE);
        for (const piece of pieces) await file.writeFile(piece);
        await file.sync();
      });
      await rename(temporary, path);
      await using(dirname(path), constants.O_RDONLY, (folder) => folder.sync());
    },
  };
}

async function using(
  path: string,
  flags: number,
  work: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, MODE);
  try {
    await work(file);
  } finally {
    await file.close();
  }
}
