/** What `pequod admin` gives its parts of the outside world: files of DIR, processes, the helper. */
import { existsSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { AskBans } from "../admin/ban-export.ts";
import type { LiftBan } from "../admin/bans.ts";
import type { AskCalls } from "../admin/calls.ts";
import type { ProxyStates } from "../admin/copies.ts";
import { type AskHelper, helperFirewall, helperNetwork } from "../admin/helper.ts";
import { type Admin, openAdmin } from "../admin/open.ts";
import type { AskStatus } from "../admin/proxies-status.ts";
import type { TextStore } from "../admin/revisions.ts";
import type { SpawnProxy, Supervisor } from "../admin/supervisor.ts";
import { pairProblems } from "../config/certificate.ts";
import { certificateFacts, coversName, dateWarnings } from "../config/certificate-facts.ts";
import type { CallsReport } from "../health/calls.ts";
import type { Ban, ProxyStatus } from "../health/status.ts";
import { askLine } from "../io/ask-line.ts";
import { spawnChild } from "../io/child.ts";
import { makeFolder, readText, removeFile, writeAtomically } from "../io/files.ts";
import { listInterfaces } from "../io/interfaces.ts";
import { lockFile } from "../io/lock.ts";
import { endListener } from "../io/orphans.ts";
import { hashPassword, verifyPassword } from "../io/password.ts";
import type { Identity, Log } from "../io/types.ts";
import { askUnix, deleteUnix } from "../io/unix-http.ts";
import { realWorld } from "../io/world.ts";
import { selfSignedServerIdentity } from "../tls/self-signed.ts";
import { InputError } from "./arguments.ts";
import { versionText } from "./version.ts";

const HELPER_SOCKET = "/run/pequod/helper.sock";
const SYSTEMD_FOLDER = "/run/systemd/system";
const SYSTEMD_STATUS_FOLDER = "/run/pequod/proxy";
/** A unit that starts may take 100 s at the helper. */
const HELPER_TIMEOUT_MS = 110_000;
const ORPHAN_PATIENCE_MS = 10_000;
const CERTIFICATE = "admin/certificate.pem";
const CERTIFICATE_KEY = "admin/certificate-key.pem";
const CERTIFICATE_DAYS = 3650;
const DAY_MS = 86_400_000;
const ANY_ADDRESS = ["0.0.0.0", "::"];

/** Whether proxies are units and the helper is there to be asked. */
export function hasSystemd(): boolean {
  return existsSync(SYSTEMD_FOLDER) && existsSync(HELPER_SOCKET);
}

/** Texts below `folder`, folders made as needed. */
export function textStore(folder: string): TextStore {
  return {
    read: (path) => readText(join(folder, path)),
    write(path, text) {
      const full = join(folder, path);
      makeFolder(dirname(full));
      writeAtomically(full, text);
    },
    remove: (path) => removeFile(join(folder, path)),
    list(path) {
      const full = join(folder, path);
      return existsSync(full) ? readdirSync(full) : [];
    },
  };
}

const stateFolder = (folder: string, proxy: string): string =>
  join(folder, "proxies", proxy, "state");

export function proxyStates(folder: string): ProxyStates {
  return {
    read(proxy, names) {
      const found: Record<string, string> = {};
      for (const name of names) {
        const text = readText(join(stateFolder(folder, proxy), name));
        if (text !== null) found[name] = text;
      }
      return found;
    },
    write(proxy, texts) {
      makeFolder(stateFolder(folder, proxy));
      for (const [name, text] of Object.entries(texts)) {
        writeAtomically(join(stateFolder(folder, proxy), name), text);
      }
    },
  };
}

export function statusSocket(folder: string, proxy: string, isSystemd: boolean): string {
  const parent = isSystemd ? SYSTEMD_STATUS_FOLDER : join(folder, "proxies");
  return join(parent, proxy, "status.sock");
}

/** What a proxy answers at a path of its status socket; null = it does not. */
async function askProxy<T>(socket: string, path: string): Promise<T | null> {
  if (!existsSync(socket)) return null;
  try {
    return JSON.parse(await askUnix(socket, path)) as T;
  } catch {
    return null; // left by a process that is gone
  }
}

export function askStatus(folder: string, isSystemd: boolean): AskStatus {
  return (proxy) => askProxy<ProxyStatus>(statusSocket(folder, proxy, isSystemd), "/status");
}

export function askBans(folder: string, isSystemd: boolean): AskBans {
  return (proxy) => askProxy<readonly Ban[]>(statusSocket(folder, proxy, isSystemd), "/bans");
}

export function askCalls(folder: string, isSystemd: boolean): AskCalls {
  return (proxy, wanted) => {
    const path = `/calls?q=${encodeURIComponent(wanted)}`;
    return askProxy<CallsReport>(statusSocket(folder, proxy, isSystemd), path);
  };
}

export function liftBan(folder: string, isSystemd: boolean): LiftBan {
  return (proxy, address, user) => {
    const query = user === null ? "" : `?user=${encodeURIComponent(user)}`;
    const path = `/bans/${encodeURIComponent(address)}${query}`;
    return deleteUnix(statusSocket(folder, proxy, isSystemd), path);
  };
}

export const askHelper: AskHelper = async (request) =>
  JSON.parse(await askLine(HELPER_SOCKET, JSON.stringify(request), HELPER_TIMEOUT_MS));

/** This very program: the compiled file, or Bun with the script when run from the sources. */
export function ownCommand(): readonly string[] {
  const [, script = ""] = process.argv;
  return script.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, script];
}

/** Proxies as children; what they log is passed on. */
export function spawnProxy(folder: string): SpawnProxy {
  return (name, line) => {
    const own = join(folder, "proxies", name);
    makeFolder(join(own, "state"));
    const argv = [
      ...ownCommand(),
      ...["proxy", name, "--config", join(own, "config.json")],
      ...["--state", join(own, "state"), "--status", statusSocket(folder, name, false)],
    ];
    return spawnChild(argv, (text) => {
      process.stderr.write(`${text}\n`);
      line(text);
    });
  };
}

/** Proxies that an admin left behind when it was killed still hold their ports. */
export async function endOrphans(folder: string, log: Log): Promise<void> {
  const parent = join(folder, "proxies");
  const names = existsSync(parent) ? readdirSync(parent) : [];
  const ended = names.map(async (name) => {
    const socket = statusSocket(folder, name, false);
    if (!existsSync(socket)) return;
    const pid = await endListener(socket, ORPHAN_PATIENCE_MS);
    if (pid !== null) log.warn("orphan-ended", { proxy: name, pid });
  });
  await Promise.all(ended);
}

/** Whether it is valid, and for some time still; whatever names it has. */
export function isInDate({ certificatePem, keyPem }: Identity): boolean {
  if (pairProblems(certificatePem, keyPem).length > 0) return false;
  const facts = certificateFacts(certificatePem);
  return facts !== null && dateWarnings(facts, Date.now()).length === 0;
}

/** An address with a zone (fe80::1%eth0) has no place in a certificate. */
const isPlace = (address: string): boolean =>
  address !== "" && !ANY_ADDRESS.includes(address) && !address.includes("%");

/**
 * The stored certificate of the admin. Where there is none that is good for this address, one is made for
 * all names and addresses of the machine; so DHCP may give another address, and nothing ever expires.
 */
export async function adminIdentity(store: TextStore, address: string): Promise<Identity> {
  const stored = {
    certificatePem: store.read(CERTIFICATE) ?? "",
    keyPem: store.read(CERTIFICATE_KEY) ?? "",
  };
  const isNamed = !isPlace(address) || coversName(stored.certificatePem, address);
  if (isNamed && isInDate(stored)) return stored;
  const addresses = listInterfaces().flatMap((one) => one.addresses);
  // A link-local address means nothing without its interface.
  const plain = addresses.flatMap((cidr) => cidr.split("/")[0] ?? []);
  const names = [hostname(), "localhost", address, ...plain.filter((one) => !/^fe80:/i.test(one))];
  const made = await selfSignedServerIdentity({
    names: [...new Set(names.filter(isPlace))],
    notBefore: new Date(Date.now() - DAY_MS),
    days: CERTIFICATE_DAYS,
    serial: realWorld.random(16),
  });
  store.write(CERTIFICATE_KEY, made.keyPem);
  store.write(CERTIFICATE, made.certificatePem);
  return made;
}

/** Throws InputError when another admin uses the folder. */
export function lockFolder(folder: string): void {
  makeFolder(join(folder, "admin"));
  if (!lockFile(join(folder, "admin", "lock"))) {
    throw new InputError(`another pequod admin uses ${folder}`);
  }
}

/** The admin on the files of `folder`. */
export function openParts(
  folder: string,
  supervisor: Supervisor,
  o: { readonly isSystemd: boolean; readonly log: Log },
): Admin {
  return openAdmin({
    world: realWorld,
    log: o.log,
    store: textStore(folder),
    passwords: { hash: hashPassword, verify: verifyPassword },
    supervisor,
    network: o.isSystemd ? helperNetwork(askHelper) : null,
    askStatus: askStatus(folder, o.isSystemd),
    askBans: askBans(folder, o.isSystemd),
    askCalls: askCalls(folder, o.isSystemd),
    liftBan: liftBan(folder, o.isSystemd),
    firewall: o.isSystemd ? helperFirewall(askHelper) : null,
    states: proxyStates(folder),
    interfaces: listInterfaces,
    version: versionText(),
  });
}
