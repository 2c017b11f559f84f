/**
 * The instances this proxy may reach, as they run: their targets (SRV, A and AAAA), our address towards
 * each, and how each finds phones again (Path or Contact). Chosen by SIP domain where a request enters from
 * outside, by source address where it enters from inside; nothing else ever names an instance.
 */
import { isIPv6 } from "node:net";
import { canonicalAddress } from "../config/address-class.ts";
import type { InstanceConfig } from "../config/config.ts";
import type { Clock, Endpoint, Log, World } from "../io/types.ts";
import { instanceTag } from "../sip/flow-token.ts";
import { inOrder, type Located, locate } from "../sip/locate.ts";
import { type Target, Targets } from "./targets.ts";

export type Routing = "path" | "contact";

export type Instance = {
  readonly name: string;
  readonly tag: string;
  config: InstanceConfig;
  readonly targets: Targets;
  /** Of all targets; empty while its name cannot be resolved. */
  addresses: readonly string[];
  /** Our address towards the first target; null = no route. */
  insideAddress: string | null;
  /** What REGISTER does now. With `auto` it starts as path and falls to contact by itself. */
  routing: Routing;
  /** When `routing` was found, or last put to the test. */
  routingSinceMs: number;
  /** Why `routing` is what it is, for the status. */
  routingReason: string;
  /** One target is; null = not known yet. */
  reachable: boolean | null;
  /** When `reachable` became what it is. */
  reachableSinceMs: number;
  reason: string | null;
  /** SRV records named its targets last time. */
  isService: boolean;
  lookedUpAtMs: number;
  lookUpAtMs: number;
  /** Why DNS gave no answer last time; what it said before stays in use. */
  lookUpError: string | null;
  /** What the log was told last, and when. */
  told: boolean | null;
  toldAtMs: number;
};

/** The limits that count here, in seconds. */
export type InstanceLimits = {
  readonly targets: number;
  readonly targetRest: number;
  readonly targetRestMax: number;
  readonly dnsInterval: number;
};

type Options = {
  readonly world: Pick<World, "resolve" | "resolveService" | "sourceAddressFor" | "clock">;
  readonly log: Log;
  /** inside.address of the proxy; null = ask the routing table for each target. */
  readonly insideAddress: string | null;
  readonly configs: readonly InstanceConfig[];
  readonly limits: InstanceLimits;
};

/** However short a time to live, or however often a target fails. */
const LOOK_UP_LEAST_MS = 5000;
/** A target that comes and goes is told of no more often. */
const TOLD_LEAST_MS = 60_000;

function startRouting(
  config: InstanceConfig,
): Pick<Instance, "routing" | "routingSinceMs" | "routingReason"> {
  const { routing } = config.sip;
  return routing === "auto"
    ? { routing: "path", routingSinceMs: 0, routingReason: "not tried yet" }
    : { routing, routingSinceMs: 0, routingReason: "configured" };
}

/** Another address may be another system: what was learnt of the old one says nothing of it. */
function isRoutedAnew(before: InstanceConfig, now: InstanceConfig): boolean {
  return before.sip.routing !== now.sip.routing || before.address !== now.address;
}

export class Instances {
  readonly #world: Options["world"];
  readonly #clock: Clock;
  readonly #log: Log;
  #insideAddress: string | null;
  #limits: InstanceLimits;
  #all = new Map<string, Instance>();
  #byDomain = new Map<string, Instance>();
  #byTag = new Map<string, Instance>();
  #byAddress = new Map<string, Instance[]>();

  private constructor(o: Options) {
    this.#world = o.world;
    this.#clock = o.world.clock;
    this.#log = o.log;
    this.#insideAddress = o.insideAddress;
    this.#limits = o.limits;
  }

  static async create(o: Options): Promise<Instances> {
    const instances = new Instances(o);
    await instances.reload(o.configs, o.insideAddress, o.limits);
    return instances;
  }

  get all(): readonly Instance[] {
    return [...this.#all.values()];
  }

  get configs(): readonly InstanceConfig[] {
    return this.all.map((instance) => instance.config);
  }

  /** Every address of ours that faces one of them. */
  get insideAddresses(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const { targets } of this.#all.values()) {
      for (const { insideAddress } of targets.all) {
        if (insideAddress !== null) found.add(insideAddress);
      }
    }
    return found;
  }

  /** Name or alias, without case; undefined also for one that is switched off. */
  byDomain(host: string): Instance | undefined {
    return this.#byDomain.get(host.toLowerCase());
  }

  /** Without case, and no alias. */
  byName(name: string): Instance | undefined {
    return this.#all.get(name.toLowerCase());
  }

  byTag(tag: string): Instance | undefined {
    return this.#byTag.get(tag);
  }

  /**
   * Who may speak from this address inside: any target of an instance. With UDP the port decides too, so
   * that several instances can share an address; with TCP and TLS the port is any, and the token decides
   * among those returned. A UDP instance may send a large request by TCP (RFC 3261 §18.1.1).
   */
  bySource(source: Endpoint, transport: "udp" | "tcp" | "tls"): readonly Instance[] {
    const here = this.#byAddress.get(source.address) ?? [];
    if (transport !== "udp") return here;
    return here.filter(
      ({ config, targets }) =>
        config.sip.transport === "udp" &&
        targets.at(source.address, source.port)?.port === source.port,
    );
  }

  /** Somebody we know may speak from there; who exactly, bySource() says. */
  hasAddress(address: string): boolean {
    return this.#byAddress.has(address);
  }

  /** It answered: whatever it said, it lives. What it sends by itself proves no way to it. */
  answered(instance: Instance, target: Target): void {
    target.reachable = true;
    target.reason = null;
    this.#summarize(instance);
  }

  /** It asked to be left alone (503, RFC 3261 §21.5.4); null = it did not say for how long. */
  busy(target: Target, retryAfterSeconds: number | null): void {
    const { targetRest, targetRestMax } = this.#limits;
    const seconds = Math.min(retryAfterSeconds ?? targetRest, targetRestMax);
    target.restUntilMs = this.#clock.now() + seconds * 1000;
  }

  /** A request to it came to nothing. It rests, is asked for life at once, and its name is looked up soon. */
  failed(instance: Instance, target: Target, reason: string): void {
    const now = this.#clock.now();
    if (target.reachable !== false) target.checkAtMs = now;
    target.reachable = false;
    target.reason = reason;
    target.restUntilMs = Math.max(target.restUntilMs, now + this.#limits.targetRest * 1000);
    const soonMs = instance.lookedUpAtMs + LOOK_UP_LEAST_MS;
    instance.lookUpAtMs = Math.min(instance.lookUpAtMs, soonMs);
    this.#summarize(instance);
  }

  /** Running state of an instance that stays is kept; lookups use the new set from now on. */
  async reload(
    configs: readonly InstanceConfig[],
    insideAddress: string | null,
    limits: InstanceLimits,
  ): Promise<void> {
    this.#insideAddress = insideAddress;
    this.#limits = limits;
    const next = new Map<string, Instance>();
    for (const config of configs) {
      const known = this.#all.get(config.name.toLowerCase());
      const instance = known ?? this.#newInstance(config);
      if (known !== undefined && isRoutedAnew(known.config, config)) {
        Object.assign(known, startRouting(config));
      }
      instance.config = config;
      instance.targets.isChecked = config.sip.healthCheck;
      next.set(config.name.toLowerCase(), instance);
    }
    this.#all = next;
    await this.#lookUp(this.all);
  }

  /** Some shall be looked up again. */
  get isDue(): boolean {
    return this.#due().length > 0;
  }

  /** Asks DNS and the routing table again for those whose time has come. */
  async refresh(): Promise<void> {
    await this.#lookUp(this.#due());
  }

  #due(): Instance[] {
    const now = this.#clock.now();
    return this.all.filter(({ lookUpAtMs }) => lookUpAtMs <= now);
  }

  async #lookUp(instances: readonly Instance[]): Promise<void> {
    await Promise.all(instances.map((instance) => this.#locate(instance)));
    this.#index();
  }

  #newInstance(config: InstanceConfig): Instance {
    return {
      name: config.name,
      tag: instanceTag(config.name),
      config,
      targets: new Targets(this.#clock),
      addresses: [],
      insideAddress: null,
      reachable: null,
      reachableSinceMs: this.#clock.now(),
      reason: null,
      isService: false,
      lookedUpAtMs: 0,
      lookUpAtMs: 0,
      lookUpError: null,
      told: null,
      toldAtMs: 0,
      ...startRouting(config),
    };
  }

  async #locate(instance: Instance): Promise<void> {
    const { address: host, sip } = instance.config;
    const asked = { host, port: sip.port, transport: sip.transport };
    instance.lookedUpAtMs = this.#clock.now();
    let seconds = 0;
    try {
      const located = await locate(this.#world, asked, instance.isService);
      await this.#setTargets(instance, located);
      const { dnsInterval } = this.#limits;
      seconds = Math.min(located.ttlSeconds ?? dnsInterval, dnsInterval);
      instance.isService = located.isService;
      instance.lookUpError = null;
    } catch (error) {
      // The last known addresses stay in use: a DNS that is down costs no call.
      const reason = error instanceof Error ? error.message : String(error);
      const isNew = instance.lookUpError !== reason;
      instance.lookUpError = reason;
      if (isNew) this.#log.warn("instance-not-resolved", { instance: instance.name, host, reason });
    }
    instance.lookUpAtMs = instance.lookedUpAtMs + Math.max(LOOK_UP_LEAST_MS, seconds * 1000);
    this.#summarize(instance);
  }

  async #setTargets(instance: Instance, { locations }: Located): Promise<void> {
    // The seed is of no matter: which are kept of too many is the same each time.
    const kept = inOrder(locations, instance.name).slice(0, this.#limits.targets);
    const placed = kept.map(async (one) => {
      // As sources of packets are written: an IPv6 address can be configured in many spellings.
      const address = canonicalAddress(one.address);
      return { ...one, address, insideAddress: await this.#insideTowards(address) };
    });
    instance.targets.update(await Promise.all(placed));
    const { listed, all } = instance.targets;
    instance.addresses = [...new Set(all.map(({ address }) => address))];
    const first = listed.find(({ insideAddress }) => insideAddress !== null);
    instance.insideAddress = first?.insideAddress ?? null;
  }

  /** The configured one faces its own family only. */
  async #insideTowards(address: string): Promise<string | null> {
    const own = this.#insideAddress;
    if (own !== null && isIPv6(own) === isIPv6(address)) return canonicalAddress(own);
    return await this.#world.sourceAddressFor(address);
  }

  /** What of the targets is true of the instance. */
  #summarize(instance: Instance): void {
    const { listed } = instance.targets;
    const usable = listed.filter(({ insideAddress }) => insideAddress !== null);
    if (listed.length === 0) this.#state(instance, false, "not resolved");
    else if (usable.length === 0) {
      this.#state(instance, false, `no route to ${instance.config.address}`);
    } else if (usable.some(({ reachable }) => reachable === true)) {
      this.#state(instance, true, null);
    } else if (usable.some(({ reachable }) => reachable === null))
      this.#state(instance, null, null);
    else this.#state(instance, false, usable[0]!.reason);
  }

  /** One that comes and goes does not fill the log: what it is told is what has lasted. */
  #state(instance: Instance, reachable: boolean | null, reason: string | null): void {
    const now = this.#clock.now();
    if (instance.reachable !== reachable) instance.reachableSinceMs = now;
    instance.reachable = reachable;
    instance.reason = reason;
    if (reachable === null || reachable === instance.told) return;
    if (instance.told !== null && now - instance.toldAtMs < TOLD_LEAST_MS) return;
    instance.told = reachable;
    instance.toldAtMs = now;
    const { name } = instance;
    if (reachable) this.#log.info("instance-reachable", { instance: name });
    else this.#log.warn("instance-unreachable", { instance: name, reason });
  }

  #index(): void {
    this.#byDomain = new Map();
    this.#byTag = new Map();
    this.#byAddress = new Map();
    for (const instance of this.#all.values()) {
      for (const domain of [instance.name, ...instance.config.aliases]) {
        this.#byDomain.set(domain.toLowerCase(), instance);
      }
      this.#byTag.set(instance.tag, instance);
      for (const address of instance.addresses) {
        const here = this.#byAddress.get(address);
        if (here === undefined) this.#byAddress.set(address, [instance]);
        else here.push(instance);
      }
    }
  }
}
