/**
 * `pequod admin export|import`: the active document out, a checked one in as the next revision. Where an
 * admin runs, the import goes through it (a socket in its folder), so that there is one writer.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Admin } from "../admin/open.ts";
import type { Applied } from "../admin/operations.ts";
import { type Outcome, refused } from "../admin/outcome.ts";
import { Revisions } from "../admin/revisions.ts";
import type { Supervisor } from "../admin/supervisor.ts";
import { formatProblem } from "../config/check.ts";
import { askLine } from "../io/ask-line.ts";
import { systemClock } from "../io/clock.ts";
import { makeFolder, writeAtomically } from "../io/files.ts";
import { lockFile } from "../io/lock.ts";
import { serveLines } from "../io/unix-lines.ts";
import { openParts, textStore } from "./admin-parts.ts";
import { InputError } from "./arguments.ts";
import { readConfigurationText } from "./configuration.ts";
import { logToStderr } from "./proxy.ts";

const LONGEST_DOCUMENT_BYTES = 16_777_216;
const MOST_CONNECTIONS = 4;
const TIMEOUT_MS = 150_000;

/** Only files are written: no process is started or stopped by an import without an admin. */
const NO_PROCESSES: Supervisor = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  reload: () => Promise.resolve(),
  trouble: () => null,
  close: () => Promise.resolve(),
};

const socketOf = (folder: string): string => join(folder, "admin", "import.sock");

function openAlone(folder: string): Admin {
  return openParts(folder, NO_PROCESSES, { isSystemd: false, log: logToStderr() });
}

/** Takes imports of root and of the user that the admin runs as. */
export function serveImports(folder: string, admin: Admin): { close(): void } {
  const own = process.getuid?.() ?? 0;
  const tell = (outcome: Outcome<Applied>): string => JSON.stringify(outcome);
  return serveLines({
    at: { path: socketOf(folder) },
    longestLineBytes: LONGEST_DOCUMENT_BYTES,
    mostConnections: MOST_CONNECTIONS,
    refusal: (peer) =>
      peer?.uid === 0 || peer?.uid === own ? null : tell(refused("sign-in-required")),
    async answer(line) {
      try {
        return tell(await admin.importDocument({ user: "console" }, JSON.parse(line)));
      } catch {
        return tell(refused("internal"));
      }
    },
    tooLong: () => tell(refused("too-large")),
    idle: () => {},
  });
}

/** To stdout, or into a file that only its owner can read: it holds all secrets. */
export function exportCommand(folder: string, file: string | null): number {
  const { active } = new Revisions({ store: textStore(folder), clock: systemClock });
  const text = `${JSON.stringify(active, null, 2)}\n`;
  if (file === null) process.stdout.write(text);
  else writeAtomically(file, text);
  return 0;
}

/** Root imports as the owner of the folder, or the admin could not read what was written. */
function becomeOwner(folder: string): void {
  if (process.getuid?.() !== 0 || !existsSync(folder)) return;
  const { uid, gid } = statSync(folder);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

export async function importCommand(folder: string, file: string | null): Promise<number> {
  const text = file === null ? readFileSync(0, "utf8") : readConfigurationText(file);
  becomeOwner(folder);
  const applied = await importInto(folder, text);
  if (!applied.ok) {
    const { title, detail, problems } = applied.refusal;
    throw new InputError([...problems.map(formatProblem), detail ?? title].join("\n"));
  }
  const { revision, confirmBefore } = applied.value;
  console.log(`revision ${revision}`);
  if (confirmBefore !== null) console.log(`confirm it before ${confirmBefore}`);
  return 0;
}

async function importInto(folder: string, text: string): Promise<Outcome<Applied>> {
  makeFolder(join(folder, "admin"));
  if (!lockFile(join(folder, "admin", "lock"))) {
    const answer = await askLine(socketOf(folder), JSON.stringify(text), TIMEOUT_MS);
    return JSON.parse(answer) as Outcome<Applied>;
  }
  const admin = openAlone(folder);
  const applied = await admin.importDocument({ user: "console" }, text);
  admin.close();
  return applied;
}
