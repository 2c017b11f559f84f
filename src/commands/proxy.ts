/** `pequod proxy NAME --config FILE [--state DIR] [--status SOCKET]`: one proxy in the foreground. */
import { accessSync, constants } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { formatMetrics } from "../health/metrics.ts";
import type { ConfigStatus } from "../health/status.ts";
import { makeFolder, readText, writeAtomically } from "../io/files.ts";
import { journalFile } from "../io/journal-file.ts";
import { makeLog } from "../io/log.ts";
import { notify, watchdogIntervalMs } from "../io/systemd-notify.ts";
import { ListenError, type Log, type Timer } from "../io/types.ts";
import { serveUnix } from "../io/unix-http.ts";
import { realWorld } from "../io/world.ts";
import { type RunningProxy, startProxy } from "../proxy/proxy.ts";
import { StateError, type StateStore } from "../proxy/state.ts";
import { InputError, parseArguments, UsageError } from "./arguments.ts";
import { loadSlice } from "./configuration.ts";
import { startMediaEngine } from "./media-engine.ts";
import { untilStopped } from "./until-stopped.ts";

export function logToStderr(): Log {
  return makeLog({
    write: (line) => void process.stderr.write(line),
    minimum: "info",
    journal: process.env["JOURNAL_STREAM"] !== undefined,
  });
}

/** Files of one folder, made when it is not there. */
export function folderStore(folder: string): StateStore {
  makeFolder(folder);
  return {
    read: (name) => readText(join(folder, name)),
    write: (name, text) => writeAtomically(join(folder, name), text),
    journal: (name) => journalFile(join(folder, name)),
  };
}

export function interfaceAddress(name: string): string | null {
  const found = networkInterfaces()[name]?.find((entry) => entry.family === "IPv4");
  return found?.address ?? null;
}

function configStatus(sha256: string): ConfigStatus {
  return { sha256, loadedAt: new Date().toISOString(), error: null };
}

/** SIGHUP reads the file again; an unusable one changes nothing and is told. */
async function reload(proxy: RunningProxy, path: string, name: string, log: Log): Promise<void> {
  try {
    const { slice, sha256 } = loadSlice(path, name);
    await proxy.reload(slice, configStatus(sha256));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    proxy.refuseConfig(reason);
    log.error("config-refused", { reason });
  }
}

/** One call's mistake must not end everybody else's: it is said loudly and the rest goes on. */
export function surviveMistakes(log: Log): void {
  const say = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : String(error);
    log.error("internal-error", { stack });
  };
  process.on("uncaughtException", say);
  process.on("unhandledRejection", say);
}

async function start(name: string, path: string, folder: string, log: Log): Promise<RunningProxy> {
  const { slice, sha256 } = loadSlice(path, name);
  const state = openFolder(folder);
  try {
    return await startProxy({
      world: realWorld,
      log,
      slice,
      state,
      interfaceAddress,
      startEngine: startMediaEngine,
      config: configStatus(sha256),
    });
  } catch (error) {
    if (error instanceof ListenError) throw new InputError(error.message);
    if (error instanceof StateError) throw new InputError(`${folder}: ${error.message}`);
    throw error;
  }
}

/** A folder that cannot be written is the operator's to mend, and better known now than later. */
export function openFolder(folder: string): StateStore {
  try {
    const store = folderStore(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return store;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`cannot use the state folder ${folder}: ${reason}`);
  }
}

export async function proxyCommand(given: readonly string[]): Promise<number> {
  const { words, options } = parseArguments(given, {
    options: ["config", "state", "status"],
    words: { least: 1, most: 1 },
  });
  const name = words[0]!;
  const path = options.get("config");
  if (path === undefined) throw new UsageError("--config FILE is missing");
  const folder = options.get("state") ?? process.env["STATE_DIRECTORY"] ?? `${path}.state`;
  const log = logToStderr();
  // Before the ports are open there is nothing to read again, and the signal would end us.
  const early = (): void => {};
  process.on("SIGHUP", early);
  const proxy = await start(name, path, folder, log);
  surviveMistakes(log);
  const stopped = untilStopped();
  const socket = await openStatus(options.get("status") ?? join(folder, "status.sock"), proxy);
  process.on("SIGHUP", () => void reload(proxy, path, name, log));
  process.off("SIGHUP", early);
  console.log(JSON.stringify({ ready: true, listening: proxy.status.listening }));
  log.info("ready", { proxy: name });
  const watchdog = keepSystemdInformed(proxy);
  await stopped;
  notify({ STOPPING: "1", STATUS: "no new calls; open requests get their answers" });
  await proxy.drain();
  watchdog.cancel();
  proxy.close();
  socket.close();
  log.info("stopped", { proxy: name });
  return 0;
}

/** READY, and while the event loop turns a sign of life with one line of status. */
function keepSystemdInformed(proxy: RunningProxy): Timer {
  const intervalMs = watchdogIntervalMs();
  const status = (): string => {
    const { sip, media } = proxy.status;
    return `${sip.flows} phones registered, ${sip.dialogs} calls, ${media.portsInUse} of ${media.portsTotal} ports`;
  };
  notify({ READY: "1", STATUS: status() });
  if (intervalMs === null) return { cancel() {} };
  let timer: Timer;
  const alive = (): void => {
    notify({ WATCHDOG: "1", STATUS: status() });
    timer = realWorld.clock.after(intervalMs, alive);
  };
  timer = realWorld.clock.after(intervalMs, alive);
  return { cancel: () => timer.cancel() };
}

function answerOf(proxy: RunningProxy, target: string, query: URLSearchParams): object | null {
  if (target === "/status") return proxy.status;
  if (target === "/bans") return proxy.bans;
  return target === "/calls" ? proxy.calls(query.get("q") ?? "") : null;
}

async function openStatus(path: string, proxy: RunningProxy): Promise<{ close(): void }> {
  try {
    return await serveUnix(path, {
      get(target, query) {
        if (target === "/metrics") {
          return { type: "text/plain; version=0.0.4", body: formatMetrics(proxy.status) };
        }
        const answer = answerOf(proxy, target, query);
        if (answer === null) return null;
        return { type: "application/json", body: JSON.stringify(answer) };
      },
      remove(target, query) {
        const address = /^\/bans\/(.+)$/.exec(target)?.[1];
        return address !== undefined && proxy.unban(address, query.get("user"));
      },
    });
  } catch (error) {
    proxy.close();
    throw error instanceof ListenError ? new InputError(error.message) : error;
  }
}
