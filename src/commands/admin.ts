/**
 * `pequod admin [--data DIR] [--listen ADDR:PORT] [--no-systemd]`: the appliance. Also
 * `pequod admin export|import [--data DIR] [FILE]`, see admin-documents.ts.
 */
import { isIP, isIPv6 } from "node:net";
import type { Hono } from "hono";
import type { AdminEnv } from "../admin/api/problem.ts";
import { makeApp } from "../admin/app.ts";
import { helperSupervisor } from "../admin/helper.ts";
import type { Admin } from "../admin/open.ts";
import type { Operations } from "../admin/operations.ts";
import { pages } from "../admin/pages/pages.tsx";
import type { TextStore } from "../admin/revisions.ts";
import { ChildSupervisor } from "../admin/supervisor.ts";
import { UsersError } from "../admin/users.ts";
import { type HttpsServer, serveHttps } from "../io/https-server.ts";
import { listInterfaces } from "../io/interfaces.ts";
import { type Endpoint, type Identity, ListenError, type Log } from "../io/types.ts";
import { realWorld } from "../io/world.ts";
import { exportCommand, importCommand, serveImports } from "./admin-documents.ts";
import {
  adminIdentity,
  askHelper,
  endOrphans,
  hasSystemd,
  isInDate,
  lockFolder,
  openParts,
  spawnProxy,
  textStore,
} from "./admin-parts.ts";
import { InputError, parseArguments, UsageError } from "./arguments.ts";
import { interfaceAddress, logToStderr, surviveMistakes } from "./proxy.ts";
import { untilStopped } from "./until-stopped.ts";

const DEFAULT_DATA = "/var/lib/pequod";
const MANAGEMENT_INTERFACE = "eth0";
/** How often it is looked whether DHCP has given eth0 another address. */
const ADDRESS_CHECK_MS = 5000;
const EVENTS = "/api/v1/events";
const CLOSE_PATIENCE_MS = 15_000;
/** Above the largest body of the API, which answers with a problem of its own. */
const LONGEST_BODY_BYTES = 8_388_608;

function parseListen(text: string): Endpoint {
  const [, inner, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = inner ?? plain ?? "";
  if (isIP(address) === 0 || Number(port) > 65_535) {
    throw new UsageError("--listen wants ADDRESS:PORT, e.g. 10.0.0.10:8443 or [::1]:8443");
  }
  return { address, port: Number(port) };
}

function formatEndpoint({ address, port }: Endpoint): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Where to listen now; null = eth0 has no address yet. */
function endpointNow(given: Endpoint | null, operations: Operations): Endpoint | null {
  if (given !== null) return given;
  const { port } = operations.appliance.get("active").value.admin;
  const hasInterface = listInterfaces().some(({ name }) => name === MANAGEMENT_INTERFACE);
  const address = hasInterface ? interfaceAddress(MANAGEMENT_INTERFACE) : "127.0.0.1";
  return address === null ? null : { address, port };
}

type Site = {
  readonly given: Endpoint | null;
  readonly admin: Admin;
  readonly store: TextStore;
  readonly app: Hono<AdminEnv>;
  readonly log: Log;
};

function listenAt(site: Site, local: Endpoint, identity: Identity): HttpsServer {
  return serveHttps({
    local,
    identity,
    longestBodyBytes: LONGEST_BODY_BYTES,
    isStream: ({ method, url }) => method === "GET" && url.endsWith(EVENTS),
    answer: (request, address) => site.app.fetch(request, { address }),
  });
}

/**
 * Listens where it shall, and again when that is another place or the certificate has to be another one.
 * `ready` is called the first time; rejects when that fails.
 */
async function keepListening(
  site: Site,
  ready: (local: Endpoint) => void,
): Promise<{ close(): void }> {
  let server: HttpsServer | null = null;
  let identity: Identity | null = null;
  let wanted = "";
  const look = async (): Promise<void> => {
    const endpoint = endpointNow(site.given, site.admin.operations);
    if (endpoint === null) return;
    const isElsewhere = formatEndpoint(endpoint) !== wanted;
    if (!isElsewhere && identity !== null && isInDate(identity)) return;
    identity = await adminIdentity(site.store, endpoint.address);
    if (!isElsewhere) server?.close();
    const next = listenAt(site, endpoint, identity);
    wanted = formatEndpoint(endpoint);
    const isFirst = server === null;
    if (isElsewhere) server?.close();
    server = next;
    site.log.info("listening", { admin: formatEndpoint(next.local) });
    if (isFirst) ready(next.local);
  };
  await look();
  let timer = realWorld.clock.after(ADDRESS_CHECK_MS, again);
  let isClosed = false;
  function again(): void {
    look()
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        site.log.error("not-listening", { reason });
      })
      .finally(() => {
        if (isClosed) server?.close();
        else timer = realWorld.clock.after(ADDRESS_CHECK_MS, again);
      });
  }
  return {
    close() {
      isClosed = true;
      timer.cancel();
      server?.close();
    },
  };
}

function sayReady(admin: Admin, local: Endpoint): void {
  const { setupCode } = admin;
  const listening = { admin: formatEndpoint(local) };
  const code = setupCode === null ? {} : { setupCode };
  console.log(JSON.stringify({ ready: true, listening, ...code }));
}

async function run(folder: string, given: Endpoint | null, isSystemd: boolean): Promise<void> {
  const log = logToStderr();
  const { clock } = realWorld;
  const stopped = untilStopped();
  lockFolder(folder);
  if (!isSystemd) await endOrphans(folder, log);
  const supervisor = isSystemd
    ? helperSupervisor(askHelper)
    : new ChildSupervisor({ spawn: spawnProxy(folder), clock, log });
  const admin = openParts(folder, supervisor, { isSystemd, log });
  const { operations } = admin;
  const app = makeApp({
    operations,
    log,
    pages: pages({ operations, clock: realWorld.clock, log }),
  });
  const imports = serveImports(folder, admin);
  const site = { given, admin, store: textStore(folder), app, log };
  const listening = await keepListening(site, (local) => sayReady(admin, local));
  surviveMistakes(log);
  void admin.resume();
  await stopped;
  listening.close();
  imports.close();
  admin.close();
  await supervisor.close(CLOSE_PATIENCE_MS);
  log.info("stopped", {});
}

export async function adminCommand(given: readonly string[]): Promise<number> {
  const { words, options, flags } = parseArguments(given, {
    options: ["data", "listen"],
    flags: ["no-systemd"],
    words: { least: 0, most: 2 },
  });
  const folder = options.get("data") ?? DEFAULT_DATA;
  const [verb, file] = words;
  if (verb === "export") return exportCommand(folder, file ?? null);
  if (verb === "import") return importCommand(folder, file ?? null);
  if (verb !== undefined) throw new UsageError(`unknown: admin ${verb}`);
  const listen = options.get("listen");
  const endpoint = listen === undefined ? null : parseListen(listen);
  try {
    await run(folder, endpoint, !flags.has("no-systemd") && hasSystemd());
    return 0;
  } catch (error) {
    if (error instanceof ListenError || error instanceof UsersError) {
      throw new InputError(error.message);
    }
    throw error;
  }
}
