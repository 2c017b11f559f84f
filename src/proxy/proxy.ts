/**
 * One running proxy: opens the ports of its parts, reloads, drains, closes, and says what it does.
 *
 * What survives a reload: listeners that did not change, connections, bindings, transactions, calls with
 * their media. What does not: the certificate (new handshakes get the new one), limits and lookups (from
 * the next request on), the media options (from the next call on).
 */
import { canonicalAddress } from "../config/address-class.ts";
import { type JudgedCertificate, judgeCertificate } from "../config/certificate-facts.ts";
import type { ProxyConfig, ProxySlice } from "../config/config.ts";
import type { CallsReport } from "../health/calls.ts";
import type { Ban, ConfigStatus, ProxyState, ProxyStatus } from "../health/status.ts";
import { type Identity, ListenError, type Log, type Timer, type World } from "../io/types.ts";
import type { MediaEngine } from "../media/engine.ts";
import type { MediaSessions } from "../media/media-sessions.ts";
import { NativeEngine } from "../media/native-engine.ts";
import type { RelayOptions } from "../media/relay.ts";
import { assemble, assembleMedia, type Parts } from "./assemble.ts";
import type { Core } from "./core.ts";
import { Counters } from "./counters.ts";
import { openAll } from "./entrance.ts";
import { Instances } from "./instances.ts";
import { LimitWatch } from "./limit-watch.ts";
import type { Opened } from "./listeners.ts";
import { mediaOptions, relayOptions } from "./media-options.ts";
import { flowKeys, identityOf, type StateStore } from "./state.ts";
import { statusOf } from "./status.ts";
import { Warnings } from "./warnings.ts";

/** Rejects with one clear line when the configuration asks for what this machine has not. */
export type StartEngine = (o: {
  readonly config: ProxyConfig;
  readonly world: World;
  readonly log: Log;
  readonly relay: RelayOptions;
  count(reason: string): void;
}) => Promise<MediaEngine>;

export type ProxyOptions = {
  readonly world: World;
  readonly log: Log;
  readonly slice: ProxySlice;
  readonly state: StateStore;
  /** Address of an interface, for network mode auto (eth0); null = it has none. */
  interfaceAddress(name: string): string | null;
  /** Left out = the native engine, on the sockets of `world`. */
  readonly startEngine?: StartEngine;
  readonly config: ConfigStatus;
};

const SWEEP_MS = 60_000;
const DRAIN_STEP_MS = 50;
const LOOK_UP_STEP_MS = 5000;

/** Where the proxy listens towards phones. Throws with one clear line when there is no such address. */
function bindAddressesOf(
  config: ProxyConfig,
  o: Pick<ProxyOptions, "interfaceAddress">,
): readonly string[] {
  if (config.bindAddress !== null) return [config.bindAddress];
  if (config.network.mode === "manual") {
    const { address, address6 } = config.network;
    return address6 === null ? [address] : [address, canonicalAddress(address6)];
  }
  const address = o.interfaceAddress("eth0");
  if (address === null) throw new ListenError("eth0 has no address (network mode auto)");
  return [address];
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
    limits: o.slice.proxy.limits,
  });
  const counters = new Counters();
  const bindAddresses = bindAddressesOf(o.slice.proxy, o);
  const engine = await (o.startEngine ?? nativeEngine)({
    config: o.slice.proxy,
    world: o.world,
    log,
    relay: relayOptions(o.slice.proxy),
    count: (reason) => counters.count(reason),
  });
  const parts = { identity, instances, bindAddresses, counters, engine };
  const proxy = new RunningProxy({ ...o, log }, parts);
  await proxy.open();
  return proxy;
}

const nativeEngine: StartEngine = async ({ config, world, relay }) =>
  new NativeEngine({ ...world, relay, trafficClass: config.mediaDscp << 2 });

/** What startProxy() has made before it. */
type RunningParts = {
  readonly identity: Identity;
  readonly instances: Instances;
  readonly bindAddresses: readonly string[];
  readonly counters: Counters;
  readonly engine: MediaEngine;
};

export class RunningProxy {
  readonly #o: ProxyOptions;
  readonly #instances: Instances;
  readonly #counters: Counters;
  readonly #warnings: Warnings;
  readonly #limits = new LimitWatch();
  readonly #media: MediaSessions;
  readonly #core: Core;
  #config: ProxyConfig;
  #identity: Identity;
  /** Judged once: it is asked for with every status. */
  #certificate: JudgedCertificate | null;
  #bindAddresses: readonly string[];
  #configStatus: ConfigStatus;
  #state: ProxyState = "starting";
  #sinceMs: number;
  #sweep: Timer | null = null;
  #lookUp: Timer | null = null;
  /** Settles when no reload or refresh is under way. */
  #lastChange: Promise<void> = Promise.resolve();

  constructor(o: ProxyOptions, parts: RunningParts) {
    this.#o = o;
    this.#config = o.slice.proxy;
    this.#counters = parts.counters;
    this.#identity = parts.identity;
    this.#certificate = judgeCertificate(parts.identity.certificatePem, o.slice.proxy.fqdn);
    this.#instances = parts.instances;
    this.#bindAddresses = parts.bindAddresses;
    this.#configStatus = o.config;
    this.#sinceMs = o.world.clock.now();
    this.#warnings = new Warnings(o.world.clock);
    const wiring = this.#parts();
    this.#media = assembleMedia(wiring, parts.engine);
    this.#core = assemble(wiring, this.#media);
  }

  async open(): Promise<void> {
    try {
      await this.#core.remembered.load();
      await this.#core.inner.open(this.#config);
      (await openAll(this.#core.entrances, this.#config, this.#bindAddresses)).keep();
    } catch (error) {
      this.close();
      throw error;
    }
    this.#setState("running");
    this.#core.keepAlive.start();
    this.#scheduleSweep();
    this.#scheduleLookUp();
    this.#core.health.start();
  }

  get status(): ProxyStatus {
    return statusOf(this.#core, {
      media: this.#media,
      counters: this.#counters,
      warnings: this.#warnings,
      limits: this.#limits,
      config: this.#configStatus,
      state: this.#state,
      sinceMs: this.#sinceMs,
      certificate: this.#certificate,
    });
  }

  /** Without the rest of the status: asked for every few seconds. */
  get bans(): readonly Ban[] {
    return this.#core.admission.bans;
  }

  /** Running ones and the last that have ended; `wanted` as in CallHistory.report(). */
  calls(wanted: string): CallsReport {
    return this.#core.calls.history.report([...this.#core.calls.all], wanted);
  }

  /** Lets somebody in again; false = nobody was kept out by that. `user` null: the whole address. */
  unban(address: string, user: string | null): boolean {
    return this.#core.admission.unban(address, user);
  }

  /**
   * Goes on with another configuration, calls untouched. Rejects with one clear line when its ports cannot
   * be had; then everything stays as it was.
   */
  reload(slice: ProxySlice, config: ConfigStatus): Promise<void> {
    return this.#inTurn(() => this.#reload(slice, config));
  }

  async #reload(slice: ProxySlice, config: ConfigStatus): Promise<void> {
    if (this.#state !== "running") throw new Error("the proxy is being stopped");
    const { world, state } = this.#o;
    const before = { config: this.#config, instances: this.#instances.configs };
    const random = { random: world.random, nowMs: world.clock.now() };
    const identity = await identityOf(slice.proxy, state, random);
    const bindAddresses = bindAddressesOf(slice.proxy, this.#o);
    await this.#instances.reload(slice.instances, slice.proxy.inside.address, slice.proxy.limits);
    let opened: Opened;
    try {
      await this.#core.inner.open(slice.proxy);
      opened = await openAll(this.#core.entrances, slice.proxy, bindAddresses);
    } catch (error) {
      const { inside, limits } = before.config;
      await this.#instances.reload(before.instances, inside.address, limits);
      await this.#core.inner.open(before.config);
      throw error;
    }
    this.#config = slice.proxy;
    this.#bindAddresses = bindAddresses;
    this.#forgetRemoved();
    this.#identity = identity;
    this.#certificate = judgeCertificate(identity.certificatePem, slice.proxy.fqdn);
    opened.keep();
    for (const entrance of this.#core.entrances) entrance.setIdentity(identity);
    this.#core.inner.setIdentity(identity);
    this.#media.reload(mediaOptions(slice.proxy, bindAddresses, slice.instances.length));
    this.#core.health.start();
    this.#configStatus = config;
    this.#o.log.info("reloaded", { sha256: config.sha256.slice(0, 12) });
  }

  /** One change of ports at a time: two at once would find each other's ports in use. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#lastChange.then(change);
    this.#lastChange = done.catch(() => {});
    return done;
  }

  /** Nothing of an instance that was taken away goes on. */
  #forgetRemoved(): void {
    const names = new Set(this.#instances.all.map((instance) => instance.name));
    this.#core.calls.endOthers(names);
    this.#core.bindings.removeOthers(names);
    for (const entrance of this.#core.entrances) entrance.endOthers?.(names);
  }

  /** The file as it stands cannot be used; what runs goes on. */
  refuseConfig(error: string): void {
    this.#configStatus = { ...this.#configStatus, error };
  }

  /** No new calls or requests; resolves when every one under way has ended, or after limits.closeTimeout. */
  async drain(): Promise<void> {
    this.#setState("draining");
    for (const entrance of this.#core.entrances) entrance.stopListening();
    const { clock } = this.#o.world;
    const deadline = clock.now() + this.#config.limits.closeTimeout * 1000;
    while (this.#pending > 0 && clock.now() < deadline) {
      await new Promise<void>((resolve) => void clock.after(DRAIN_STEP_MS, resolve));
    }
    await this.#core.remembered.close();
  }

  /** Transactions and requests whose answers are still to come. */
  get #pending(): number {
    return this.#core.entrances.reduce(
      (sum, { pending }) => sum + pending,
      this.#core.table.pending,
    );
  }

  close(): void {
    void this.#core.remembered.close();
    this.#sweep?.cancel();
    this.#core.admission.save();
    this.#lookUp?.cancel();
    this.#core.health.stop();
    this.#core.keepAlive.stop();
    this.#core.calls.endAll("closing");
    this.#media.close();
    for (const entrance of this.#core.entrances) entrance.close();
    this.#core.inner.close();
    this.#setState("stopped");
  }

  /** A restart would forget what came since; what runs goes on. */
  #unwritable(reason: string | null): void {
    if (reason === null) return this.#warnings.lower("state-unwritable");
    this.#warnings.raise("state-unwritable", `phones and calls cannot be kept: ${reason}`);
    this.#o.log.warn("state-unwritable", { reason });
  }

  #setState(state: ProxyState): void {
    this.#state = state;
    this.#sinceMs = this.#o.world.clock.now();
  }

  #scheduleSweep(): void {
    this.#sweep = this.#o.world.clock.after(SWEEP_MS, () => {
      this.#core.bindings.sweep();
      this.#core.calls.sweep();
      this.#core.admission.save();
      this.#limits.look(this.status.drops, this.#o.world.clock.now());
      this.#scheduleSweep();
    });
  }

  /** DNS says how long its answers hold, a target that failed makes them old. */
  #scheduleLookUp(): void {
    this.#lookUp = this.#o.world.clock.after(LOOK_UP_STEP_MS, () => {
      if (this.#instances.isDue) void this.#inTurn(() => this.#refreshInstances());
      this.#scheduleLookUp();
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

  #parts(): Parts {
    const { world, log, state } = this.#o;
    return {
      world,
      log,
      instances: this.#instances,
      tokenKeys: flowKeys(state, world.random),
      state,
      present: {
        config: () => this.#config,
        identity: () => this.#identity,
        bindAddresses: () => this.#bindAddresses,
        isDraining: () => this.#state === "draining",
      },
      count: (reason) => this.#counters.count(reason),
      silent: (callId) =>
        this.#warnings.raise("media-silent", `call ${callId}: no packet either way`),
      unwritable: (reason) => this.#unwritable(reason),
    };
  }
}
