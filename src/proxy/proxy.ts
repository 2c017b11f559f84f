/**
 * One running proxy: builds the parts, opens their ports, reloads, drains, closes, and says what it does.
 * The one place that joins SIP and media to the outside world, which comes in as values.
 *
 * What survives a reload: listeners that did not change, connections, bindings, transactions, calls with
 * their media. What does not: the certificate (new handshakes get the new one), limits and lookups (from
 * the next request on), the media options (from the next call on).
 */
import type { ProxyConfig, ProxySlice } from "../config/config.ts";
import type { ConfigStatus, ProxyState, ProxyStatus } from "../health/status.ts";
import { type Identity, ListenError, type Log, type Timer, type World } from "../io/types.ts";
import { MediaSessions } from "../media/media-sessions.ts";
import { NativeEngine } from "../media/native-engine.ts";
import { FlowTokens } from "../sip/flow-token.ts";
import { TransactionTable } from "../sip/transaction-table.ts";
import { advertisedTo } from "./addresses.ts";
import { Bindings } from "./bindings.ts";
import { Calls } from "./calls.ts";
import type { Core } from "./core.ts";
import { Counters } from "./counters.ts";
import { InnerSide } from "./inner-side.ts";
import { Instances } from "./instances.ts";
import { mediaOptions, relayOptions } from "./media-options.ts";
import { OuterSide } from "./outer-side.ts";
import { Receiver } from "./receive.ts";
import { Router } from "./router.ts";
import { SdpBodies } from "./sdp-bodies.ts";
import type { SideOptions } from "./side.ts";
import { flowKeys, identityOf, type StateStore } from "./state.ts";
import { statusOf } from "./status.ts";
import { StreamFlow } from "./stream-flow.ts";
import { Warnings } from "./warnings.ts";

export type ProxyOptions = {
  readonly world: World;
  readonly log: Log;
  readonly slice: ProxySlice;
  readonly state: StateStore;
  /** Address of an interface, for network mode auto (eth0); null = it has none. */
  interfaceAddress(name: string): string | null;
  readonly config: ConfigStatus;
};

const SWEEP_MS = 60_000;
const DRAIN_STEP_MS = 50;

/** Where the proxy listens towards phones. Throws with one clear line when there is no such address. */
function bindAddressOf(config: ProxyConfig, o: Pick<ProxyOptions, "interfaceAddress">): string {
  if (config.bindAddress !== null) return config.bindAddress;
  if (config.network.mode === "manual") return config.network.address;
  const address = o.interfaceAddress("eth0");
  if (address === null) throw new ListenError("eth0 has no address (network mode auto)");
  return address;
}

/** Opens every port and takes traffic. Rejects with one clear line, everything closed again. */
export async function startProxy(o: ProxyOptions): Promise<RunningProxy> {
  const identity = await identityOf(o.slice.proxy, o.state, {
    random: o.world.random,
    nowMs: o.world.clock.now(),
  });
  const log = o.log.with({ proxy: o.slice.proxy.name });
  const instances = await Instances.create({
    world: o.world,
    log,
    insideAddress: o.slice.proxy.inside.address,
    configs: o.slice.instances,
  });
  const proxy = new RunningProxy(
    { ...o, log },
    identity,
    instances,
    bindAddressOf(o.slice.proxy, o),
  );
  await proxy.open();
  return proxy;
}

export class RunningProxy {
  readonly #o: ProxyOptions;
  readonly #instances: Instances;
  readonly #counters = new Counters();
  readonly #warnings: Warnings;
  readonly #media: MediaSessions;
  readonly #core: Core;
  #config: ProxyConfig;
  #identity: Identity;
  #bindAddress: string;
  #configStatus: ConfigStatus;
  #state: ProxyState = "starting";
  #sinceMs: number;
  #sweep: Timer | null = null;

  constructor(o: ProxyOptions, identity: Identity, instances: Instances, bindAddress: string) {
    this.#o = o;
    this.#config = o.slice.proxy;
    this.#identity = identity;
    this.#instances = instances;
    this.#bindAddress = bindAddress;
    this.#configStatus = o.config;
    this.#sinceMs = o.world.clock.now();
    this.#warnings = new Warnings(o.world.clock);
    this.#media = this.#makeMedia();
    this.#core = this.#makeCore();
  }

  async open(): Promise<void> {
    try {
      await this.#core.inner.open(this.#config);
      await this.#core.outer.open(this.#config, this.#bindAddress);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#setState("running");
    this.#scheduleSweep();
  }

  get status(): ProxyStatus {
    return statusOf(this.#core, {
      media: this.#media,
      counters: this.#counters,
      warnings: this.#warnings,
      config: this.#configStatus,
      state: this.#state,
      sinceMs: this.#sinceMs,
    });
  }

  /**
   * Goes on with another configuration, calls untouched. Rejects with one clear line when its ports cannot
   * be had; then everything stays as it was.
   */
  async reload(slice: ProxySlice, config: ConfigStatus): Promise<void> {
    const { world, state } = this.#o;
    const before = { config: this.#config, instances: this.#instances.configs };
    const random = { random: world.random, nowMs: world.clock.now() };
    const identity = await identityOf(slice.proxy, state, random);
    const bindAddress = bindAddressOf(slice.proxy, this.#o);
    await this.#instances.reload(slice.instances, slice.proxy.inside.address);
    try {
      await this.#core.inner.open(slice.proxy);
      await this.#core.outer.open(slice.proxy, bindAddress);
    } catch (error) {
      await this.#instances.reload(before.instances, before.config.inside.address);
      await this.#core.inner.open(before.config);
      throw error;
    }
    this.#forgetRemoved();
    this.#config = slice.proxy;
    this.#bindAddress = bindAddress;
    this.#identity = identity;
    this.#core.outer.setIdentity(identity);
    this.#core.inner.setIdentity(identity);
    this.#media.reload(mediaOptions(slice.proxy, bindAddress));
    this.#configStatus = config;
    this.#o.log.info("reloaded", { sha256: config.sha256.slice(0, 12) });
  }

  /** Nothing of an instance that was taken away goes on. */
  #forgetRemoved(): void {
    const names = new Set(this.#instances.all.map((instance) => instance.name));
    this.#core.calls.endOthers(names);
    this.#core.bindings.removeOthers(names);
  }

  /** The file as it stands cannot be used; what runs goes on. */
  refuseConfig(error: string): void {
    this.#configStatus = { ...this.#configStatus, error };
  }

  /** No new calls; resolves when every transaction has ended, or after limits.closeTimeout. */
  async drain(): Promise<void> {
    this.#setState("draining");
    this.#core.outer.stopListening();
    const { clock } = this.#o.world;
    const deadline = clock.now() + this.#config.limits.closeTimeout * 1000;
    while (this.#core.table.pending > 0 && clock.now() < deadline) {
      await new Promise<void>((resolve) => void clock.after(DRAIN_STEP_MS, resolve));
    }
  }

  close(): void {
    this.#sweep?.cancel();
    this.#core.calls.endAll("closing");
    this.#media.close();
    this.#core.outer.close();
    this.#core.inner.close();
    this.#setState("stopped");
  }

  #setState(state: ProxyState): void {
    this.#state = state;
    this.#sinceMs = this.#o.world.clock.now();
  }

  #scheduleSweep(): void {
    this.#sweep = this.#o.world.clock.after(SWEEP_MS, () => {
      this.#core.bindings.sweep();
      this.#core.calls.sweep();
      void this.#refreshInstances();
      this.#scheduleSweep();
    });
  }

  /** Names inside may have moved; a route may have come. */
  async #refreshInstances(): Promise<void> {
    await this.#instances.refresh();
    if (this.#state !== "running") return;
    try {
      await this.#core.inner.open(this.#config);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#warnings.raise("inside-port", text);
    }
  }

  #makeMedia(): MediaSessions {
    const { world, log } = this.#o;
    const { clock, openDatagrams } = world;
    const options = mediaOptions(this.#config, this.#bindAddress);
    return new MediaSessions({
      engine: new NativeEngine({ openDatagrams, clock, relay: relayOptions(this.#config) }),
      clock,
      random: world.random,
      log,
      count: (reason) => this.#counters.count(reason),
      options,
      onSilent: (session) =>
        this.#warnings.raise(
          "media-silent",
          `call ${session.request.callId}: no packet either way`,
        ),
    });
  }

  #makeCore(): Core {
    const { world, log } = this.#o;
    const { clock } = world;
    const count = (reason: string): void => this.#counters.count(reason);
    const settings = (): ProxyConfig => this.#config;
    const side = this.#sideOptions();
    const bindings = new Bindings({ clock, count, maximum: () => this.#config.limits.bindings });
    const maximum = (): number => this.#config.limits.dialogs;
    const calls = new Calls({ clock, log, media: this.#media, maximum });
    const table: TransactionTable = new TransactionTable({
      clock,
      maxTransactions: this.#config.limits.transactions,
      randomId: () => Buffer.from(world.random(12)).toString("hex"),
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
      tokens: new FlowTokens(flowKeys(this.#o.state, world.random)),
      bindings,
      instances: this.#instances,
      outer: new OuterSide(side),
      inner: new InnerSide(side, this.#instances),
      calls,
      sdpBodies: new SdpBodies(calls, log),
      settings,
      limits: () => this.#config.limits,
      bindAddress: () => this.#bindAddress,
      advertised: side.advertised,
      isDraining: () => this.#state === "draining",
      count,
    };
    const router = new Router(core);
    return core;
  }

  #sideOptions(): SideOptions {
    const { world, log } = this.#o;
    const count = (reason: string): void => this.#counters.count(reason);
    const receiver = new Receiver({
      table: () => this.#core.table,
      log,
      count,
      limits: () => {
        const { headerBytes: headBytes, messageBytes, headerLines } = this.#config.limits;
        return { headBytes, messageBytes, headerLines };
      },
    });
    return {
      world,
      log,
      count,
      settings: () => this.#config,
      identity: () => this.#identity,
      advertised: (peer) => advertisedTo(peer, this.#config, this.#bindAddress),
      isRegistered: (flow) => this.#core.bindings.onFlow(flow.id).length > 0,
      receive: (bytes, flow) => receiver.message(bytes, flow),
      makeStreamFlow: (name, advertised, closed) =>
        this.#makeStreamFlow(receiver, name, advertised, closed),
    };
  }

  #makeStreamFlow(
    receiver: Receiver,
    side: "outer" | "inner",
    advertised: string,
    closed: () => void,
  ): StreamFlow {
    const { limits } = this.#config;
    return new StreamFlow({
      id: Buffer.from(this.#o.world.random(8)).toString("hex"),
      side,
      advertised,
      clock: this.#o.world.clock,
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
        this.#o.log.debug("connection-closed", { remote: flow.remote.address, side, reason });
        this.#core.table.flowClosed(flow);
      },
      count: (reason) => this.#counters.count(reason),
    });
  }
}
