/**
 * What the routing parts of one proxy share: its tables, its two sides, its configuration as it stands
 * now. Built once by proxy.ts; every part owns its own state.
 */

import type { ProxyConfig } from "../config/config.ts";
import type { Limits } from "../config/limits.ts";
import type { Clock, Log } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget, FlowTokens } from "../sip/flow-token.ts";
import { makeResponse } from "../sip/make-message.ts";
import type { SipRequest } from "../sip/message.ts";
import type { ServerTransaction, TransactionTable } from "../sip/transaction-table.ts";
import { facing } from "./addresses.ts";
import type { Admission } from "./admission.ts";
import type { Bindings } from "./bindings.ts";
import type { Border } from "./border.ts";
import type { CallLimits } from "./call-limits.ts";
import type { Calls } from "./calls.ts";
import type { Entrance } from "./entrance.ts";
import type { HealthChecks } from "./health-checks.ts";
import type { InnerSide } from "./inner-side.ts";
import type { InstanceRequests } from "./instance-requests.ts";
import type { Instance, Instances } from "./instances.ts";
import type { KeepAlive } from "./keep-alive.ts";
import type { OuterSide } from "./outer-side.ts";
import type { Provisioning } from "./provisioning.ts";
import { aorOf } from "./registration.ts";
import type { Remembered } from "./remembered.ts";
import type { Place } from "./routes.ts";
import type { SdpBodies } from "./sdp-bodies.ts";
import type { Web } from "./web.ts";
import type { Xmpp } from "./xmpp.ts";

export type Core = {
  readonly clock: Clock;
  readonly log: Log;
  readonly table: TransactionTable;
  readonly tokens: FlowTokens;
  readonly border: Border;
  readonly bindings: Bindings;
  readonly admission: Admission;
  readonly callLimits: CallLimits;
  readonly requests: InstanceRequests;
  readonly keepAlive: KeepAlive;
  readonly remembered: Remembered;
  readonly instances: Instances;
  readonly outer: OuterSide;
  /** Every side that listens towards phones and clients, `outer` first. */
  readonly xmpp: Xmpp;
  readonly web: Web;
  readonly provisioning: Provisioning;
  readonly entrances: readonly Entrance[];
  readonly inner: InnerSide;
  readonly calls: Calls;
  readonly sdpBodies: SdpBodies;
  readonly health: HealthChecks;
  settings(): ProxyConfig;
  limits(): Limits;
  /** The zone's addresses: one, or one of each family. */
  bindAddresses(): readonly string[];
  /** The address a phone there shall find us at. */
  advertised(peer: string): string;
  /** After SIGTERM: what is open goes on, nothing new begins. */
  isDraining(): boolean;
  count(reason: string): void;
};

/** A connection that never registered has no id a token could name. */
const NO_ID = "0000000000000000";

/** Answers with a response of our own. */
export function reply(
  core: Pick<Core, "table">,
  transaction: ServerTransaction,
  status: number,
  more: readonly (readonly [string, string])[] = [],
): void {
  const response = makeResponse(transaction.request, status, undefined, core.table.newTag());
  for (const [name, value] of more) response.headers.append(name, value);
  transaction.respond(response);
}

/** Our own mistake with one message: said loudly, and everybody else goes on. */
export function internalError(core: Core, request: SipRequest, error: unknown): void {
  const stack = error instanceof Error ? error.stack : String(error);
  core.count("internal-error");
  const callId = request.headers.get("call-id");
  core.log.error("internal-error", { method: request.method, callId, stack });
}

/** The phone that a token means, as it can be reached now; null = its flow is gone (RFC 5626 §5.3). */
export function flowToPhone(core: Core, target: FlowTarget): Flow | null {
  if (target.kind === "binding") {
    const flow = core.bindings.get(target.id)?.flow;
    if (flow !== undefined && flow.transport !== "udp") {
      return core.outer.connection(flow.id) ?? null;
    }
    if (flow !== undefined && core.keepAlive.isDead(flow)) return null;
    const remote = flow?.remote ?? target.udp;
    return remote === null ? null : core.outer.datagramFlow(remote);
  }
  if (target.udp !== null) return core.outer.datagramFlow(target.udp);
  return core.outer.connection(target.id) ?? null;
}

/**
 * Whom a request from outside comes from, for our tokens: the binding of its user on this flow, so that
 * the phone is found again after it reconnects, else the flow itself.
 */
export function phoneTarget(
  core: Core,
  instance: Instance,
  flow: Flow,
  request: SipRequest,
): FlowTarget {
  const udp = flow.transport === "udp" ? flow.remote : null;
  const aor = aorOf(request.headers.get("from") ?? "");
  const mine = core.bindings.onFlow(flow.id).filter((one) => one.instance === instance.name);
  const binding = mine.find((one) => one.aor === aor) ?? mine[0];
  if (binding !== undefined) {
    return { instanceTag: instance.tag, kind: "binding", id: binding.id, udp };
  }
  const id = udp === null ? flow.id : NO_ID;
  return { instanceTag: instance.tag, kind: "flow", id, udp };
}

/** Where phones reach us, by the flow of one of them. */
export function outerPlace(core: Core, flow: Flow): Place {
  const port = core.outer.portTowards(flow.remote.address, flow.transport) ?? flow.local.port;
  return { address: core.advertised(flow.remote.address), port, transport: flow.transport };
}

/** Where an instance reaches us. */
export function innerPlace(
  core: Core,
  instance: Instance,
  insideAddress: string | null = instance.insideAddress,
): Place {
  const { transport } = instance.config.sip;
  return {
    address: insideAddress ?? facing(core.bindAddresses(), ""),
    port: core.inner.portFor(transport),
    transport,
  };
}
