/** `pequod status [NAME] [--data DIR] [--json]`: asks each running proxy; nothing is read from files. */
import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { ProxyStatus } from "../health/status.ts";
import { askUnix } from "../io/unix-http.ts";
import { InputError, parseArguments } from "./arguments.ts";

const DEFAULT_DATA = "/var/lib/pequod";
const UNIT_FOLDER = "/run/pequod/proxy";
const SOCKET = "status.sock";

/** Where proxies started by hand have theirs, and those of an admin. */
const places = (folder: string): readonly string[] => [folder, join(folder, "proxies")];

/** In the folder itself or in a folder of it, one a proxy; none where we may not look. */
function socketsIn(folder: string): readonly string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    if (!entry.isDirectory()) return entry.name.endsWith(".sock") ? [join(folder, entry.name)] : [];
    const inner = join(folder, entry.name, SOCKET);
    return existsSync(inner) ? [inner] : [];
  });
}

/** Status sockets of the proxies that keep their files in `folder`; the units' lie in `unitFolder`. */
export function statusSockets(folder: string, unitFolder: string): readonly string[] {
  const units = folder === DEFAULT_DATA ? [unitFolder] : [];
  return [...places(folder), ...units].flatMap(socketsIn).sort();
}

async function ask(socket: string): Promise<ProxyStatus | null> {
  try {
    return JSON.parse(await askUnix(socket, "/status")) as ProxyStatus;
  } catch {
    return null; // left by a process that is gone
  }
}

/** The rest is in --json. */
const BANS_SHOWN = 20;

function formatBan({ address, user, reason, until }: ProxyStatus["bans"][number]): string {
  const who = user === null ? address : `${user} from ${address === "*" ? "everywhere" : address}`;
  return `  banned until ${until}: ${who} (${reason})`;
}

export function formatStatus(status: ProxyStatus): string {
  const { sip, media, http, xmpp } = status;
  const ports = Object.entries(status.listening).map(([name, at]) => `${name} ${at}`);
  const instances = Object.entries(status.instances).map(([name, one]) => {
    const reach = one.reachable === null ? "not tried yet" : one.reachable ? "reachable" : "DOWN";
    const why = one.reason === null ? "" : ` (${one.reason})`;
    return `  instance ${name}: ${reach}${why}, ${one.flows} phones, ${one.sessions} calls, ${one.dialogs} dialogs, ${one.requests} open requests, ${one.xmppClients} XMPP clients, ${one.bans} banned users, ${one.routing} mode (${one.routingReason})`;
  });
  const ended = Object.entries(status.calls.ended).map(([code, count]) => `${code} ${count}`);
  const drops = Object.entries(status.drops).map(([reason, count]) => `${reason} ${count}`);
  return [
    `${status.proxy}: ${status.state} since ${status.since}`,
    `  listening: ${ports.join(", ")}`,
    `  sip: ${sip.connections} connections, ${sip.flows} registered, ${sip.dialogs} dialogs, ${sip.transactions} transactions`,
    `  media: ${media.sessions} sessions, ports ${media.portsInUse} in use, ${media.portsResting} resting, ${media.portsTotal} in all`,
    `  xmpp: ${xmpp.clients} clients, ${xmpp.fromClients} bytes from clients, ${xmpp.toClients} to them`,
    `  http: ${http.requests} requests (provisioning, web, REST)`,
    ...instances,
    ...status.bans.slice(0, BANS_SHOWN).map(formatBan),
    ...(status.bans.length > BANS_SHOWN
      ? [`  and ${status.bans.length - BANS_SHOWN} more bans`]
      : []),
    ...(ended.length === 0 ? [] : [`  ended calls: ${ended.join(", ")} (each in GET /calls)`]),
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
  const answers = await Promise.all(statusSockets(folder, UNIT_FOLDER).map(ask));
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
