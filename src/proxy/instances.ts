/**
 * The instances this proxy may reach, as they run: resolved addresses, our address towards each, and how
 * each finds phones again (Path or Contact). Chosen by SIP domain where a request enters from outside, by
 * source address where it enters from inside; nothing else ever names an instance.
 */
import { canonicalAddress } from "../config/address-class.ts";
import type { InstanceConfig } from "../config/config.ts";
import type { Endpoint, Log, World } from "../io/types.ts";
import { instanceTag } from "../sip/flow-token.ts";
import { DEFAULT_SIP_PORT } from "../sip/locate.ts";

export type Routing = "path" | "contact";

export type Instance = {
  readonly name: string;
  readonly tag: string;
  config: InstanceConfig;
  /** Resolved, preferred first; empty while its name cannot be resolved. */
  addresses: readonly string[];
  /** Our address towards it; null = no route. */
  insideAddress: string | null;
  /** What REGISTER does now. With `auto` it starts as path and falls to contact by itself. */
  routing: Routing;
  /** When `routing` was found, or last put to the test. */
  routingSinceMs: number;
  /** Why `routing` is what it is, for the status. */
  routingReason: string;
  /** null = not known yet. */
  reachable: boolean | null;
  reason: string | null;
};

type Options = {
  readonly world: Pick<World, "resolve" | "sourceAddressFor">;
  readonly log: Log;
  /** inside.address of the proxy; null = ask the routing table for each instance. */
  readonly insideAddress: string | null;
  readonly configs: readonly InstanceConfig[];
};

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
  readonly #log: Log;
  #insideAddress: string | null;
  #all = new Map<string, Instance>();
  #byDomain = new Map<string, Instance>();
  #byTag = new Map<string, Instance>();
  #byAddress = new Map<string, Instance[]>();

  private constructor(o: Options) {
    this.#world = o.world;
    this.#log = o.log;
    this.#insideAddress = o.insideAddress;
  }

  static async create(o: Options): Promise<Instances> {
    const instances = new Instances(o);
    await instances.reload(o.configs, o.insideAddress);
    return instances;
  }

  get all(): readonly Instance[] {
    return [...this.#all.values()];
  }

  get configs(): readonly InstanceConfig[] {
    return this.all.map((instance) => instance.config);
  }

  /** Name or alias, without case; undefined also for one that is switched off. */
  byDomain(host: string): Instance | undefined {
    return this.#byDomain.get(host.toLowerCase());
  }

  byTag(tag: string): Instance | undefined {
    return this.#byTag.get(tag);
  }

  /**
   * Who may speak from this address inside. With UDP the port decides too, so that several instances can
   * share an address; with TCP and TLS the port is any, and the token decides among those returned. A UDP
   * instance may send a large request by TCP (RFC 3261 §18.1.1).
   */
  bySource(source: Endpoint, transport: "udp" | "tcp" | "tls"): readonly Instance[] {
    const here = this.#byAddress.get(source.address) ?? [];
    const fits = (instance: Instance): boolean =>
      transport !== "udp" ||
      (instance.config.sip.transport === "udp" &&
        (instance.config.sip.port ?? DEFAULT_SIP_PORT) === source.port);
    return here.filter(fits);
  }

  /** Somebody we know may speak from there; who exactly, bySource() says. */
  hasAddress(address: string): boolean {
    return this.#byAddress.has(address);
  }

  /** It sent something. */
  seen(source: Endpoint, transport: "udp" | "tcp" | "tls"): void {
    for (const instance of this.bySource(source, transport)) {
      if (instance.reachable === true) continue;
      instance.reachable = true;
      instance.reason = null;
      this.#log.info("instance-reachable", { instance: instance.name });
    }
  }

  /** A request to it came to nothing. */
  failed(name: string, reason: string): void {
    const instance = this.#all.get(name.toLowerCase());
    if (instance === undefined) return;
    if (instance.reachable !== false) {
      this.#log.warn("instance-unreachable", { instance: name, reason });
    }
    this.#unreachable(instance, reason);
  }

  /** Running state of an instance that stays is kept; lookups use the new set from now on. */
  async reload(configs: readonly InstanceConfig[], insideAddress: string | null): Promise<void> {
    this.#insideAddress = insideAddress;
    const next = new Map<string, Instance>();
    for (const config of configs) {
      const known = this.#all.get(config.name.toLowerCase());
      const instance: Instance = known ?? {
        name: config.name,
        tag: instanceTag(config.name),
        config,
        addresses: [],
        insideAddress: null,
        reachable: null,
        reason: null,
        ...startRouting(config),
      };
      if (known !== undefined && isRoutedAnew(known.config, config)) {
        Object.assign(known, startRouting(config));
      }
      instance.config = config;
      next.set(config.name.toLowerCase(), instance);
    }
    this.#all = next;
    await this.refresh();
  }

  /** Asks DNS and the routing table again. */
  async refresh(): Promise<void> {
    await Promise.all(this.all.map((instance) => this.#locate(instance)));
    this.#index();
  }

  async #locate(instance: Instance): Promise<void> {
    const host = instance.config.address;
    try {
      // As sources of packets are written: an IPv6 address can be configured in many spellings.
      const addresses = (await this.#world.resolve(host)).addresses.map(canonicalAddress);
      instance.addresses = addresses;
      const first = addresses[0];
      instance.insideAddress =
        this.#insideAddress ??
        (first === undefined ? null : await this.#world.sourceAddressFor(first));
      if (instance.insideAddress === null) this.#unreachable(instance, `no route to ${host}`);
      else if (instance.reason === "not resolved" || instance.reason?.startsWith("no route")) {
        instance.reachable = null;
        instance.reason = null;
      }
    } catch (error) {
      // The last known addresses stay in use: a DNS that is down costs no call.
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn("instance-not-resolved", { instance: instance.name, host, reason });
      if (instance.addresses.length === 0) this.#unreachable(instance, "not resolved");
    }
  }

  #unreachable(instance: Instance, reason: string): void {
    instance.reachable = false;
    instance.reason = reason;
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
