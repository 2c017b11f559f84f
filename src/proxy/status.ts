/** Puts together what a proxy says of itself: everything is observed here and now. */
import { certificateWarnings, type JudgedCertificate } from "../config/certificate-facts.ts";
import type {
  Ban,
  ConfigStatus,
  InstanceStatus,
  ProxyState,
  ProxyStatus,
  TargetStatus,
  Warning,
} from "../health/status.ts";
import type { MediaSessions } from "../media/media-sessions.ts";
import { formatEndpoint } from "./addresses.ts";
import type { CallFigures } from "./calls.ts";
import type { Core } from "./core.ts";
import type { Counters } from "./counters.ts";
import type { Entrance } from "./entrance.ts";
import type { Instance } from "./instances.ts";
import type { LimitWatch } from "./limit-watch.ts";
import type { Target } from "./targets.ts";
import type { Warnings } from "./warnings.ts";

type Sources = {
  readonly media: MediaSessions;
  readonly counters: Counters;
  readonly warnings: Warnings;
  readonly limits: LimitWatch;
  readonly config: ConfigStatus;
  readonly state: ProxyState;
  readonly sinceMs: number;
  readonly certificate: JudgedCertificate | null;
};

/** Looked at once for all instances, of which there may be many. */
type Figures = {
  readonly flows: ReadonlyMap<string, number>;
  readonly calls: ReadonlyMap<string, CallFigures>;
  readonly bans: ReadonlyMap<string, number>;
  readonly xmppClients: ReadonlyMap<string, number>;
};

function instanceStatus(core: Core, instance: Instance, figures: Figures): InstanceStatus {
  const { reachable, reason, routing, routingReason, name } = instance;
  return {
    reachable,
    reason,
    targets: instance.targets.preferred.map((target) => targetStatus(core, target)),
    dns: instance.lookUpError,
    routing,
    routingReason,
    flows: figures.flows.get(name) ?? 0,
    sessions: figures.calls.get(name)?.sessions ?? 0,
    requests: core.requests.of(name),
    dialogs: figures.calls.get(name)?.dialogs ?? 0,
    bans: figures.bans.get(name) ?? 0,
    xmppClients: figures.xmppClients.get(name) ?? 0,
  };
}

/** Of each instance that has any: a ban's user is user@instance. */
function bannedUsers(bans: readonly Ban[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { user } of bans) {
    if (user === null) continue;
    const instance = user.slice(user.lastIndexOf("@") + 1);
    counts.set(instance, (counts.get(instance) ?? 0) + 1);
  }
  return counts;
}

function targetStatus(core: Core, target: Target): TargetStatus {
  const { priority, weight, reachable, reason, restUntilMs } = target;
  const isResting = restUntilMs > core.clock.now();
  return {
    at: formatEndpoint(target),
    priority,
    weight,
    reachable,
    reason: target.insideAddress === null ? "no route" : reason,
    restsUntil: isResting ? new Date(restUntilMs).toISOString() : null,
  };
}

function warningsOf(core: Core, sources: Sources): readonly Warning[] {
  const since = new Date(sources.sinceMs).toISOString();
  const unreachable = core.instances.all
    .filter((instance) => instance.reachable === false)
    .map(({ name, reason, reachableSinceMs }) => ({
      code: "instance-unreachable",
      text: `${name}: ${reason ?? "no answer"}`,
      since: new Date(reachableSinceMs).toISOString(),
    }));
  return [
    ...sources.warnings.all,
    ...sources.limits.warnings,
    ...unreachable,
    ...tls10Warning(core, since),
    ...certificateWarningsOf(sources.certificate, core.clock.now(), since),
  ];
}

/** Where what is old may come: XMPP clients are never that old. */
const OLD_TLS_PORT = /^(?:sipTls|provisioningHttps|web)6?$/;

/** TLS 1.0 and 1.1 (RFC 8996 forbids both) are in the operator's sight for as long as they are allowed. */
function tls10Warning(core: Core, since: string): readonly Warning[] {
  if (!core.settings().allowTls10) return [];
  const open = core.entrances.flatMap(({ listening }) => Object.keys(listening));
  if (!open.some((name) => OLD_TLS_PORT.test(name))) return [];
  return [{ code: "tls-1.0", text: "phones may use TLS 1.0 and 1.1, which are broken", since }];
}

function certificateWarningsOf(
  certificate: JudgedCertificate | null,
  nowMs: number,
  since: string,
): readonly Warning[] {
  if (certificate === null) return [];
  return certificateWarnings(certificate, nowMs).map(({ code, message }) => ({
    code,
    text: message,
    since,
  }));
}

function openPorts({ listening }: Entrance): [string, string][] {
  return Object.entries(listening).map(([name, at]) => [name, formatEndpoint(at)]);
}

export function statusOf(core: Core, sources: Sources): ProxyStatus {
  const { drops, ...media } = sources.media.status;
  const { bans } = core.admission;
  const bansOf = bannedUsers(bans);
  const flows = core.bindings.flows;
  const calls = core.calls.figures;
  const xmppClients = core.xmpp.perInstance;
  return {
    proxy: core.settings().name,
    state: sources.state,
    since: new Date(sources.sinceMs).toISOString(),
    config: sources.config,
    listening: {
      ...Object.fromEntries(core.entrances.flatMap(openPorts)),
      sipInside: core.inner.listening.map(formatEndpoint),
    },
    sip: {
      connections: core.outer.connections,
      flows: flows.all,
      flowsDead: core.keepAlive.dead,
      keepAlives: { ...core.keepAlive.sent, stun: core.outer.stunRequests },
      transactions: core.table.size,
      dialogs: [...calls.values()].reduce((sum, { dialogs }) => sum + dialogs, 0),
    },
    media: { ...media, offloaded: 0 },
    xmpp: { clients: core.xmpp.clients, ...core.xmpp.traffic },
    http: { requests: core.web.requests + core.provisioning.requests },
    calls: { ended: core.calls.history.counts },
    drops: { ...sources.counters.all, ...drops },
    bans,
    instances: Object.fromEntries(
      core.instances.all.map((instance) => [
        instance.name,
        instanceStatus(core, instance, { flows: flows.of, calls, bans: bansOf, xmppClients }),
      ]),
    ),
    warnings: warningsOf(core, sources),
  };
}
