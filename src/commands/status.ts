/** `pequod status [NAME] [--data DIR] [--json]`: asks each running proxy; nothing is read from files. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { ProxyStatus } from "../health/status.ts";
import { askUnix } from "../io/unix-http.ts";
import { InputError, parseArguments } from "./arguments.ts";

const DEFAULT_DATA = "/var/lib/pequod";
const SOCKET = "status.sock";

/** Status sockets lie in DIR itself or in a folder of it, one a proxy. */
function socketsBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      const inner = join(folder, entry.name, SOCKET);
      if (existsSync(inner)) found.push(inner);
    } else if (entry.name.endsWith(".sock")) found.push(join(folder, entry.name));
  }
  return found.sort();
}

async function ask(socket: string): Promise<ProxyStatus | null> {
  try {
    return JSON.parse(await askUnix(socket, "/status")) as ProxyStatus;
  } catch {
    return null; // left by a process that is gone
  }
}

function formatStatus(status: ProxyStatus): string {
  const { sip, media } = status;
  const ports = Object.entries(status.listening).map(([name, at]) => `${name} ${at}`);
  const instances = Object.entries(status.instances).map(([name, one]) => {
    const reach = one.reachable === null ? "not tried yet" : one.reachable ? "reachable" : "DOWN";
    const why = one.reason === null ? "" : ` (${one.reason})`;
    return `  instance ${name}: ${reach}${why}, ${one.flows} phones, ${one.sessions} calls, ${one.routing} mode`;
  });
  const drops = Object.entries(status.drops).map(([reason, count]) => `${reason} ${count}`);
  return [
    `${status.proxy}: ${status.state} since ${status.since}`,
    `  listening: ${ports.join(", ")}`,
    `  sip: ${sip.connections} connections, ${sip.flows} registered, ${sip.dialogs} calls, ${sip.transactions} transactions`,
    `  media: ${media.sessions} sessions, ports ${media.portsInUse} in use, ${media.portsResting} resting, ${media.portsTotal} in all`,
    ...instances,
    ...(drops.length === 0 ? [] : [`  drops: ${drops.join(", ")}`]),
    ...status.warnings.map((warning) => `  WARNING ${warning.code}: ${warning.text}`),
    ...(status.config.error === null ? [] : [`  CONFIG REFUSED: ${status.config.error}`]),
  ].join("\n");
}

export async function statusCommand(given: readonly string[]): Promise<number> {
  const { words, options, flags } = parseArguments(given, {
    options: ["data"],
    flags: ["json"],
    words: { least: 0, most: 1 },
  });
  const folder = options.get("data") ?? DEFAULT_DATA;
  const answers = await Promise.all(socketsBelow(folder).map(ask));
  const running = answers.filter((one): one is ProxyStatus => one !== null);
  const name = words[0];
  const wanted = name === undefined ? running : running.filter((one) => one.proxy === name);
  if (wanted.length === 0) {
    throw new InputError(
      name === undefined ? `no proxy runs in ${folder}` : `proxy ${name} does not run in ${folder}`,
    );
  }
  if (flags.has("json")) console.log(JSON.stringify(name === undefined ? wanted : wanted[0]));
  else console.log(wanted.map(formatStatus).join("\n"));
  return 0;
}
