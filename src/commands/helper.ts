/**
 * `pequod helper [--socket PATH] [--data DIR] [--boot]`: root's part, behind a socket that
 * systemd opens. Ends when nobody has asked for a while, unless an apply waits for its confirmation.
 */
import { systemClock } from "../io/clock.ts";
import { readText } from "../io/files.ts";
import { listenFd } from "../io/socket-activation.ts";
import type { Log, Timer } from "../io/types.ts";
import { serveLines } from "../io/unix-lines.ts";
import { enforcePlan } from "../network/apply.ts";
import { activeOrFirst, ConfirmedApply } from "../network/confirmed-apply.ts";
import { Helper } from "../network/helper.ts";
import { LONGEST_REQUEST_BYTES } from "../network/helper-request.ts";
import { planNetwork } from "../network/plan.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import {
  DEFAULT_DATA,
  hasProxyFolder,
  letNetworkdRead,
  realSystem,
  resolveNames,
  revisionFiles,
} from "./network.ts";
import { logToStderr } from "./proxy.ts";

const ADMIN_USER = "pequod-admin";
const IDLE_MS = 30_000;
const MOST_CONNECTIONS = 16;

export async function helperCommand(given: readonly string[]): Promise<number> {
  const { options, flags } = parseArguments(given, {
    options: ["socket", "data"],
    flags: ["boot"],
    words: { least: 0, most: 0 },
  });
  const folder = options.get("data") ?? DEFAULT_DATA;
  const log = logToStderr();
  letNetworkdRead();
  if (flags.has("boot")) return boot(folder, log);
  const path = options.get("socket");
  const fd = listenFd(process.env, process.pid);
  if (path === undefined && fd === null) {
    throw new UsageError("systemd passed no socket, and --socket PATH is missing");
  }
  await serve(path === undefined ? { fd: fd ?? -1 } : { path }, folder, log);
  return 0;
}

/** Before networkd: there is no DNS yet, so instances with a name come in when their proxies start. */
async function boot(folder: string, log: Log): Promise<number> {
  const files = revisionFiles(folder);
  const plan = planNetwork(activeOrFirst(files, log), new Map());
  const failures = await enforcePlan(realSystem, plan, { isBoot: true });
  for (const reason of failures) log.error("network-step-failed", { reason });
  const waiting = files.pending();
  if (waiting === null) files.clearPending();
  else {
    const time = new Date().toISOString();
    files.setUndone(waiting, time, "the appliance started anew before the confirmation");
    log.warn("undone", { revision: waiting });
  }
  return failures.length === 0 ? 0 : 70;
}

/** Resolves when there is nothing left to do and nobody asks. */
async function serve(
  at: { readonly fd: number } | { readonly path: string },
  folder: string,
  log: Log,
): Promise<void> {
  const files = revisionFiles(folder);
  const apply = new ConfirmedApply({
    system: realSystem,
    files,
    clock: systemClock,
    log,
    resolve: resolveNames,
  });
  const helper = new Helper({
    system: realSystem,
    files,
    apply,
    log,
    allowedUids: allowedUids(),
    hasProxyFolder: (name) => hasProxyFolder(folder, name),
  });
  await apply.recover();
  const hardly = { ok: false, code: "bad-request", error: "the request is too long" } as const;
  await new Promise<void>((resolve) => {
    const idle = idleTimer(
      () => helper.isBusy,
      () => {
        server.close();
        resolve();
      },
    );
    const server = serveLines({
      at,
      longestLineBytes: LONGEST_REQUEST_BYTES,
      mostConnections: MOST_CONNECTIONS,
      refusal: (peer) => {
        const refused = helper.refusal(peer);
        return refused === null ? null : JSON.stringify(refused);
      },
      answer: async (line) => JSON.stringify(await helper.answer(line)),
      tooLong: () => {
        log.warn("refused", { code: hardly.code, reason: hardly.error });
        return JSON.stringify(hardly);
      },
      idle: (isIdle) => (isIdle ? idle.start() : idle.stop()),
    });
    idle.start();
    process.on("SIGTERM", () => idle.end());
    process.on("SIGINT", () => idle.end());
  });
}

/** Runs out only when nothing is under way; then it looks again later. */
function idleTimer(
  isBusy: () => boolean,
  end: () => void,
): { start(): void; stop(): void; end(): void } {
  let timer: Timer | null = null;
  const start = (): void => {
    timer?.cancel();
    timer = systemClock.after(IDLE_MS, () => (isBusy() ? start() : end()));
  };
  return { start, stop: () => timer?.cancel(), end };
}

/** Root and the admin. Started by hand by an ordinary user (a trial) that user too, who can do all of it anyway. */
function allowedUids(): ReadonlySet<number> {
  const own = process.getuid?.() ?? 0;
  const admin = uidOf(ADMIN_USER, readText("/etc/passwd") ?? "");
  return new Set([0, own, ...(admin === null ? [] : [admin])]);
}

function uidOf(user: string, passwd: string): number | null {
  const fields = passwd
    .split("\n")
    .find((line) => line.startsWith(`${user}:`))
    ?.split(":");
  const uid = Number(fields?.[2]);
  return fields === undefined || !Number.isInteger(uid) ? null : uid;
}
