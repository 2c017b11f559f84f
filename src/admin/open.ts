/**
 * Puts the admin together: from the outside world and a store to the operations. Nothing is listened on
 * here; `resume` makes the proxies as the last confirmed revision wants them.
 */
import { resolveConfig } from "../config/config.ts";
import type { Log, World } from "../io/types.ts";
import { accessOperations, type Passwords } from "./access.ts";
import { applianceOperations } from "./appliance.ts";
import { type AskBans, BanExport } from "./ban-export.ts";
import { banOperations, type LiftBan } from "./bans.ts";
import { type AskCalls, callOperations } from "./calls.ts";
import { Candidate } from "./candidate.ts";
import { copies, type ProxyStates } from "./copies.ts";
import { Deployment } from "./deployment.ts";
import { placeOf } from "./drafts.ts";
import { Events } from "./events.ts";
import { Fleet } from "./fleet.ts";
import type { Firewall, Network } from "./helper.ts";
import { changeOperations } from "./history.ts";
import { importDocument } from "./import.ts";
import { instanceKind, proxyKind } from "./kinds.ts";
import { type ListInterfaces, machineOperations } from "./machine.ts";
import { objectOperations } from "./objects.ts";
import type {
  Actor,
  Applied,
  InstanceOperations,
  ObservedProxy,
  Operations,
  ProxyOperations,
} from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import { type AskStatus, ProxyObserver } from "./proxies-status.ts";
import { reachInstance } from "./reach.ts";
import { Revisions, type TextStore } from "./revisions.ts";
import { Sessions } from "./sessions.ts";
import type { Supervisor } from "./supervisor.ts";
import { switching } from "./switching.ts";
import { Users } from "./users.ts";

const WATCH_MS = 2000;

export type AdminOptions = {
  readonly world: World;
  readonly log: Log;
  readonly store: TextStore;
  readonly passwords: Passwords;
  readonly supervisor: Supervisor;
  /** null = no network is planned. */
  readonly network: Network | null;
  readonly askStatus: AskStatus;
  readonly askBans: AskBans;
  readonly liftBan: LiftBan;
  readonly askCalls: AskCalls;
  /** null = there is no helper: bans act in the proxies only. */
  readonly firewall: Firewall | null;
  readonly states: ProxyStates;
  readonly interfaces: ListInterfaces;
  readonly version: string;
};

export type Admin = {
  readonly operations: Operations;
  /** null = it is set up. */
  readonly setupCode: string | null;
  /** Makes the proxies run as wanted. */
  resume(): Promise<void>;
  /** Checks and applies a whole document. */
  importDocument(actor: Actor, input: unknown): Promise<Outcome<Applied>>;
  /** Stops looking and waiting; the proxies are the supervisor's. */
  close(): void;
};

function instanceOperations(candidate: Candidate, world: World): InstanceOperations {
  return {
    ...objectOperations(instanceKind, candidate),
    async check(name) {
      const document = candidate.document("candidate");
      const place = placeOf(document, "instances", name);
      const instance = resolveConfig(document).instances[place];
      return instance === undefined
        ? refused("not-found")
        : done(await reachInstance(world, instance));
    },
  };
}

/** Only where a helper can do something about them. */
function exportBans(o: AdminOptions, names: () => readonly string[]): BanExport | null {
  const { firewall, askBans: ask, log } = o;
  if (firewall === null) return null;
  const bans = new BanExport({ firewall, ask, clock: o.world.clock, log, names });
  bans.start(WATCH_MS);
  return bans;
}

/** Throws when the files of the store cannot be trusted (users.json is damaged). */
export function openAdmin(o: AdminOptions): Admin {
  const { world, log, store } = o;
  const { clock, random } = world;
  const events = new Events();
  const revisions = new Revisions({ store, clock });
  for (const what of revisions.damage) log.error("configuration-damaged", { what });
  const users = new Users({ store, random });
  const candidate = new Candidate({ revisions, events, log });
  const shallRun = (name: string): boolean => {
    const { proxies } = deployment.wanted;
    return proxies.find((proxy) => proxy.name === name)?.enabled === true;
  };
  const { askStatus: ask, supervisor } = o;
  const observer = new ProxyObserver({ ask, supervisor, clock, events, shallRun });
  const fleet = new Fleet({ store, supervisor, observer, log });
  const deployment = new Deployment({ revisions, fleet, events, clock, log, network: o.network });
  const outside = { random, nowMs: () => clock.now() };

  const proxyNames = (): readonly string[] => {
    const documents = [revisions.candidate, revisions.active];
    return [...new Set(documents.flatMap(({ proxies }) => proxies.map((proxy) => proxy.name)))];
  };
  const statuses = (): Promise<readonly ObservedProxy[]> =>
    Promise.all(proxyNames().map((name) => observer.observe(name)));
  const status = async (name: string): Promise<Outcome<ObservedProxy>> =>
    proxyNames().includes(name) ? done(await observer.observe(name)) : refused("not-found");
  const stopWatching = observer.watch(proxyNames, WATCH_MS);
  const kind = proxyKind(outside, () => revisions.active);
  const proxies: ProxyOperations = {
    ...objectOperations(kind, candidate),
    ...switching({ candidate, deployment, observer }),
    ...copies({ candidate, deployment, observer, states: o.states, clock, random }),
    ...banOperations({ log, lift: o.liftBan, status }),
    ...callOperations({ ask: o.askCalls, status }),
    statuses,
    status,
  };
  const banExport = exportBans(o, proxyNames);
  const instances = instanceOperations(candidate, world);
  const sessions = new Sessions({ clock, random });
  const operations: Operations = {
    access: accessOperations({ users, sessions, passwords: o.passwords, clock, log }),
    proxies,
    instances,
    appliance: applianceOperations(candidate),
    changes: changeOperations({ revisions, candidate, deployment }),
    machine: machineOperations({
      candidate,
      events,
      version: o.version,
      plansNetwork: o.network !== null,
      interfaces: o.interfaces,
      statuses,
    }),
  };
  return {
    operations,
    get setupCode() {
      return users.setupCode;
    },
    resume: () => deployment.resume(),
    importDocument: (actor, input) =>
      importDocument({ candidate, deployment, outside }, actor, input),
    close() {
      stopWatching();
      banExport?.close();
      deployment.close();
    },
  };
}
