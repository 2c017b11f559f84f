/**
 * Builds the parts of one proxy and ties them together; opens nothing. Everything that may change by a
 * reload is asked for through functions (`Present`), so that no part keeps an old configuration.
 */
import type { ProxyConfig } from "../config/config.ts";
import type { Identity, Log, World } from "../io/types.ts";
import { MediaSessions } from "../media/media-sessions.ts";
import { NativeEngine } from "../media/native-engine.ts";
import { FlowTokens, type TokenKey } from "../sip/flow-token.ts";
import { TransactionTable } from "../sip/transaction-table.ts";
import { advertisedTo, facing } from "./addresses.ts";
import { Bindings } from "./bindings.ts";
import { Calls } from "./calls.ts";
import type { Core } from "./core.ts";
import { InnerSide } from "./inner-side.ts";
import type { Instances } from "./instances.ts";
import { mediaOptions, relayOptions } from "./media-options.ts";
import { OuterSide } from "./outer-side.ts";
import { Receiver } from "./receive.ts";
import { Router } from "./router.ts";
import { SdpBodies } from "./sdp-bodies.ts";
import type { SideOptions } from "./side.ts";
import { StreamFlow } from "./stream-flow.ts";

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
  count(reason: string): void;
  /** A call whose media is silent both ways. */
  silent(callId: string): void;
};

export function assembleMedia(o: Parts): MediaSessions {
  const { clock, openDatagrams, random } = o.world;
  const config = o.present.config();
  return new MediaSessions({
    engine: new NativeEngine({ openDatagrams, clock, relay: relayOptions(config) }),
    clock,
    random,
    log: o.log,
    count: o.count,
    options: mediaOptions(config, o.present.bindAddresses()),
    onSilent: (session) => o.silent(session.request.callId),
  });
}

export function assemble(o: Parts, media: MediaSessions): Core {
  const { present, log, count, instances } = o;
  const { clock, random } = o.world;
  const limits = (): ProxyConfig["limits"] => present.config().limits;
  const bindings = new Bindings({ clock, count, maximum: () => limits().bindings });
  const calls = new Calls({ clock, log, media, maximum: () => limits().dialogs });
  const side = sideOptions(o, bindings, () => table);
  const table: TransactionTable = new TransactionTable({
    clock,
    maxTransactions: limits().transactions,
    randomId: () => Buffer.from(random(12)).toString("hex"),
    request: (transaction) => router.request(transaction),
    ack: (request, flow) => router.ack(request, flow),
    strayResponse: () => count("stray-response"),
    // To a forged source nothing is repeated.
    isProven: (flow) =>
      flow.side === "inner" || flow.transport !== "udp" || side.isRegistered(flow),
    count,
  });
  const core: Core = {
    clock,
    log,
    table,
    tokens: new FlowTokens(o.tokenKeys),
    bindings,
    instances,
    outer: new OuterSide(side),
    inner: new InnerSide(side, instances),
    calls,
    sdpBodies: new SdpBodies(calls, log),
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

function sideOptions(o: Parts, bindings: Bindings, table: () => TransactionTable): SideOptions {
  const { world, log, present, count } = o;
  const sizes = () => {
    const { headerBytes: headBytes, messageBytes, headerLines } = present.config().limits;
    return { headBytes, messageBytes, headerLines };
  };
  const receiver = new Receiver({ table, log, count, limits: sizes });
  return {
    world,
    log,
    count,
    settings: present.config,
    identity: present.identity,
    advertised: (peer) =>
      advertisedTo(peer, present.config(), facing(present.bindAddresses(), peer)),
    isRegistered: (flow) => bindings.onFlow(flow.id).length > 0,
    receive: (bytes, flow) => receiver.message(bytes, flow),
    makeStreamFlow: (side, advertised, closed) =>
      makeStreamFlow(o, { receiver, table, side, advertised, closed }),
  };
}

type StreamParts = {
  readonly receiver: Receiver;
  readonly table: () => TransactionTable;
  readonly side: "outer" | "inner";
  readonly advertised: string;
  readonly closed: () => void;
};

function makeStreamFlow(o: Parts, parts: StreamParts): StreamFlow {
  const { receiver, table, side, advertised, closed } = parts;
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
    message: (bytes, flow) => receiver.message(bytes, flow),
    broken: (reason, partial, flow) => receiver.broken(reason, partial, flow),
    closed: (flow, reason) => {
      closed();
      o.log.debug("connection-closed", { remote: flow.remote.address, side, reason });
      table().flowClosed(flow);
    },
    count: o.count,
  });
}
