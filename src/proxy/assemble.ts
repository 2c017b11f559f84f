/**
 * Builds the parts of one proxy and ties them together; opens nothing. Everything that may change by a
 * reload is asked for through functions (`Present`), so that no part keeps an old configuration.
 */
import type { ProxyConfig } from "../config/config.ts";
import type { Identity, Log, World } from "../io/types.ts";
import type { MediaEngine } from "../media/engine.ts";
import { MediaSessions } from "../media/media-sessions.ts";
import type { Flow } from "../sip/flow.ts";
import { FlowTokens, type TokenKey } from "../sip/flow-token.ts";
import type { SipRequest } from "../sip/message.ts";
import { replyEndpoint } from "../sip/reply-port.ts";
import { SealedTexts } from "../sip/sealed-text.ts";
import { TransactionTable } from "../sip/transaction-table.ts";
import { advertisedTo, facing } from "./addresses.ts";
import { Admission } from "./admission.ts";
import { Bindings } from "./bindings.ts";
import { Border } from "./border.ts";
import { CallHistory } from "./call-history.ts";
import { CallLimits } from "./call-limits.ts";
import { Calls } from "./calls.ts";
import type { Core } from "./core.ts";
import { HealthChecks } from "./health-checks.ts";
import { HttpClients } from "./http-clients.ts";
import { HttpForward } from "./http-forward.ts";
import { HttpInside } from "./http-inside.ts";
import { InnerSide } from "./inner-side.ts";
import { InstanceRequests } from "./instance-requests.ts";
import type { Instances } from "./instances.ts";
import { KeepAlive } from "./keep-alive.ts";
import { mediaOptions } from "./media-options.ts";
import { OuterSide } from "./outer-side.ts";
import { phoneQuestion } from "./phone-question.ts";
import { Provisioning } from "./provisioning.ts";
import { Receiver } from "./receive.ts";
import { JOURNAL, Remembered } from "./remembered.ts";
import { Router } from "./router.ts";
import { SdpBodies } from "./sdp-bodies.ts";
import type { SideOptions } from "./side.ts";
import { provisioningKey, type StateStore } from "./state.ts";
import { StreamFlow } from "./stream-flow.ts";
import { Web } from "./web.ts";
import { Xmpp } from "./xmpp.ts";

/** What is so now and may be otherwise after a reload. */
export type Present = {
  config(): ProxyConfig;
  identity(): Identity;
  bindAddresses(): readonly string[];
  isDraining(): boolean;
};

export type Parts = {
  readonly world: World;
  readonly log: Log;
  readonly present: Present;
  readonly instances: Instances;
  readonly tokenKeys: readonly TokenKey[];
  readonly state: StateStore;
  count(reason: string): void;
  /** A call whose media is silent both ways. */
  silent(callId: string): void;
  /** The state folder takes nothing for this reason; null = it does again. */
  unwritable(reason: string | null): void;
};

export function assembleMedia(o: Parts, engine: MediaEngine): MediaSessions {
  const { clock, random } = o.world;
  const config = o.present.config();
  return new MediaSessions({
    engine,
    clock,
    random,
    log: o.log,
    count: o.count,
    options: mediaOptions(config, o.present.bindAddresses(), o.instances.all.length),
    onSilent: (session) => o.silent(session.request.callId),
  });
}

export function assemble(o: Parts, media: MediaSessions): Core {
  const { present, log, count, instances } = o;
  const { clock, random } = o.world;
  const limits = (): ProxyConfig["limits"] => present.config().limits;
  const bindings: Bindings = new Bindings({
    clock,
    count,
    maximum: () => limits().bindings,
    attached: (flow) => keepAlive.watch(flow),
    moved: (address, by) => admission.bindingsChanged(address, by),
    changed: (id) => remembered.bindingChanged(id),
  });
  const admission = makeAdmission(o, bindings, () => core);
  const callLimits = new CallLimits(clock, limits);
  const keepAlive: KeepAlive = makeKeepAlive(o, bindings, () => core);
  const calls = makeCalls(o, media, () => core);
  const remembered = makeRemembered(o, () => core);
  const side = sideOptions(o, admission, () => core);
  const table = makeTable(o, admission, () => router);
  const tokens = new FlowTokens(o.tokenKeys);
  const outer = new OuterSide(side);
  const xmpp = new Xmpp({ ...o, ...side });
  const http = makeHttp(o, side);
  const web = new Web({ ...o, ...side, ...http, random });
  const provisioning = new Provisioning({
    ...o,
    ...side,
    ...http,
    clock,
    random,
    key: (config) => provisioningKey(config, o.state, random),
  });
  const core: Core = {
    clock,
    log,
    table,
    tokens,
    border: new Border(() => core, tokens, new SealedTexts(o.tokenKeys)),
    bindings,
    admission,
    callLimits,
    requests: new InstanceRequests(() => limits().instanceRequests),
    keepAlive,
    remembered,
    instances,
    outer,
    xmpp,
    web,
    provisioning,
    entrances: [outer, xmpp, web, provisioning],
    inner: new InnerSide(side, instances),
    calls,
    sdpBodies: new SdpBodies(calls, log),
    health: new HealthChecks(() => core, random),
    settings: present.config,
    limits,
    bindAddresses: present.bindAddresses,
    advertised: side.advertised,
    isDraining: present.isDraining,
    count,
  };
  const router = new Router(core);
  return core;
}

function makeCalls(o: Parts, media: MediaSessions, core: () => Core): Calls {
  const { clock } = o.world;
  const limits = (): ProxyConfig["limits"] => o.present.config().limits;
  return new Calls({
    clock,
    log: o.log,
    media,
    history: new CallHistory({ clock, limit: () => limits().callHistory }),
    maximum: () => limits().dialogs,
    ended: (call) => core().callLimits.ended(call),
    changed: (call) => core().remembered.callChanged(call),
  });
}

function makeTable(
  { world, present, count }: Parts,
  admission: Admission,
  router: () => Router,
): TransactionTable {
  return new TransactionTable({
    clock: world.clock,
    maxTransactions: present.config().limits.transactions,
    randomId: () => Buffer.from(world.random(12)).toString("base64url"),
    request: (transaction) => router().request(transaction),
    ack: (request, flow) => router().ack(request, flow),
    strayResponse: () => count("stray-response"),
    // To a forged source nothing is repeated.
    isProven: (flow) => admission.isProven(flow),
    count,
  });
}

/** What management and provisioning have in common: who is connected, and the way to the instances. */
function makeHttp(
  { world, count }: Parts,
  side: SideOptions,
): { readonly clients: HttpClients; readonly inside: HttpInside; readonly forward: HttpForward } {
  const inside = new HttpInside({ world, settings: side.settings });
  const responseMs = (): number => side.settings().limits.httpResponseTimeout * 1000;
  const forward = new HttpForward({ clock: world.clock, inside, responseMs, count });
  return { clients: new HttpClients({ ...side, world, count }), inside, forward };
}

function makeRemembered(o: Parts, core: () => Core): Remembered {
  const file = o.state.journal(JOURNAL);
  return new Remembered({ core, file, clock: o.world.clock, failed: o.unwritable });
}

function makeAdmission(o: Parts, bindings: Bindings, core: () => Core): Admission {
  return new Admission({
    clock: o.world.clock,
    log: o.log,
    count: o.count,
    store: o.state,
    settings: o.present.config,
    isRegistered: (flow) => bindings.isOnFlow(flow.id),
    closeFrom: (source) => {
      for (const entrance of core().entrances) entrance.closeFrom(source);
    },
  });
}

function makeKeepAlive(o: Parts, bindings: Bindings, core: () => Core): KeepAlive {
  const { clock, random } = o.world;
  return new KeepAlive({
    clock,
    log: o.log,
    bindings,
    table: () => core().table,
    limits: () => o.present.config().limits,
    present: ({ id, remote, transport }) =>
      transport === "udp"
        ? core().outer.datagramFlow(remote)
        : (core().outer.connection(id) ?? null),
    question: (binding, flow) => phoneQuestion(core(), binding, flow),
    close: ({ id }) => core().outer.connection(id)?.destroy(),
    random: () => (random(1)[0] ?? 0) / 255,
    count: o.count,
  });
}

function sideOptions(o: Parts, admission: Admission, core: () => Core): SideOptions {
  const { world, log, present, count } = o;
  const table = (): TransactionTable => core().table;
  const sizes = () => {
    const { headerBytes: headBytes, messageBytes, headerLines } = present.config().limits;
    return { headBytes, messageBytes, headerLines };
  };
  const replyFlow = (request: SipRequest, flow: Flow): Flow => flowForReply(core(), request, flow);
  const receiver = new Receiver({ table, log, count, limits: sizes, replyFlow, admission });
  return {
    world,
    log,
    count,
    settings: present.config,
    identity: present.identity,
    advertised: (peer) =>
      advertisedTo(peer, present.config(), facing(present.bindAddresses(), peer)),
    isRegistered: (flow) => core().bindings.isOnFlow(flow.id),
    admission,
    heard: (flow) => core().keepAlive.heard(flow),
    receive: (bytes, flow) => receiver.message(bytes, flow),
    makeStreamFlow: (side, advertised, closed) =>
      makeStreamFlow(o, { receiver, core, side, advertised, closed }),
  };
}

/** A phone that listens elsewhere is one flow, the one it listens on: heard there, registered there. */
function flowForReply(core: Core, request: SipRequest, flow: Flow): Flow {
  if (flow.transport !== "udp" || flow.side !== "outer") return flow;
  const reply = replyEndpoint(request, flow.remote);
  const elsewhere = reply === flow.remote ? null : core.outer.datagramFlow(reply);
  if (elsewhere === null) return flow;
  elsewhere.answersLike(flow);
  core.keepAlive.heard(elsewhere);
  return elsewhere;
}

type StreamParts = {
  readonly receiver: Receiver;
  readonly core: () => Core;
  readonly side: "outer" | "inner";
  readonly advertised: () => string;
  readonly closed: () => void;
};

function makeStreamFlow(o: Parts, parts: StreamParts): StreamFlow {
  const { receiver, core, side, advertised, closed } = parts;
  const { limits } = o.present.config();
  return new StreamFlow({
    id: Buffer.from(o.world.random(8)).toString("hex"),
    side,
    advertised,
    clock: o.world.clock,
    limits: {
      headBytes: limits.headerBytes,
      messageBytes: limits.messageBytes,
      pendingBytes: limits.connectionPendingBytes,
      firstByteMs: limits.firstByteTimeout * 1000,
      messageMs: limits.messageTimeout * 1000,
    },
    heard: (flow) => core().keepAlive.heard(flow),
    message: (bytes, flow) => receiver.message(bytes, flow),
    broken: (reason, partial, flow) => receiver.broken(reason, partial, flow),
    closed: (flow, reason) => {
      closed();
      o.log.debug("connection-closed", { remote: flow.remote.address, side, reason });
      core().table.flowClosed(flow);
    },
    count: o.count,
  });
}
