/**
 * XMPP for desktop and mobile clients: one port of the zone serves all instances. Owns the clients, their
 * limits and what is told of them; what one client does is in xmpp-client.ts.
 */
import type { ProxyConfig } from "../config/config.ts";
import { sourceOf } from "../config/source.ts";
import type {
  ByteStream,
  Endpoint,
  Identity,
  Log,
  StreamListener,
  Timer,
  World,
} from "../io/types.ts";
import { ALPN } from "../xmpp/names.ts";
import type { Admission } from "./admission.ts";
import { type Entrance, onEach } from "./entrance.ts";
import type { Instance, Instances } from "./instances.ts";
import { Listeners, type Opened } from "./listeners.ts";
import { XmppClient, type XmppClientOptions } from "./xmpp-client.ts";
import type { Traffic } from "./xmpp-splice.ts";

export type XmppOptions = {
  readonly world: World;
  readonly log: Log;
  readonly instances: Instances;
  readonly admission: Pick<Admission, "connects" | "isTrusted">;
  settings(): ProxyConfig;
  identity(): Identity;
  count(reason: string): void;
};

const SWEEP_MS = 30_000;

export class Xmpp implements Entrance {
  readonly traffic: Traffic = { fromClients: 0, toClients: 0 };
  readonly #o: XmppOptions;
  readonly #clients = new Set<XmppClient>();
  readonly #perSource = new Map<string, number>();
  /** Instances whose XMPP server did not answer last time, by name, with what was told of it. */
  readonly #failed = new Map<string, string>();
  readonly #listeners: Listeners<StreamListener>;
  readonly #forClients: XmppClientOptions;
  #sweep: Timer | null = null;

  constructor(o: XmppOptions) {
    this.#o = o;
    this.#listeners = new Listeners({ listen: (at, config) => this.#listen(at, config) });
    this.#forClients = {
      ...o,
      traffic: this.traffic,
      limits: () => o.settings().limits,
      fqdn: () => o.settings().fqdn,
      hasRoom: (instance) => this.#hasRoom(instance),
      found: (instance, problem) => this.#found(instance.name, problem),
      closed: (client) => this.#forget(client),
    };
  }

  /** Switched off, it serves nobody any more; another port takes none of its clients away. */
  async open(config: ProxyConfig, addresses: readonly string[]): Promise<Opened> {
    const wanted = config.allowXmpp ? onEach(addresses, config.ports.xmpp) : [];
    const { keep, undo } = await this.#listeners.open(wanted, config);
    const keepOrEnd = (): void => {
      keep();
      if (!config.allowXmpp) this.#endAll();
    };
    return { keep: keepOrEnd, undo };
  }

  setIdentity(identity: Identity): void {
    for (const listener of this.#listeners.all) listener.setIdentity(identity);
  }

  get listening(): Readonly<Record<string, Endpoint>> {
    return this.#listeners.named("xmpp");
  }

  /** A client stays for days: a drain waits for none. */
  get pending(): number {
    return 0;
  }

  /** Those included that do not talk with an instance yet. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Those that talk with their instance. */
  get clients(): number {
    return this.#spliced().length;
  }

  /** Of each instance that has any. */
  get perInstance(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { instance } of this.#spliced()) {
      const name = instance?.name ?? "";
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  closeFrom(source: string): void {
    for (const client of this.#clients) if (client.source === source) client.close();
  }

  endOthers(instances: ReadonlySet<string>): void {
    for (const name of this.#failed.keys()) if (!instances.has(name)) this.#failed.delete(name);
    for (const client of this.#clients) {
      const { instance } = client;
      if (instance !== null && !instances.has(instance.name)) client.end("host-unknown");
    }
  }

  /** Who has not reached an instance yet is told to come again. */
  stopListening(): void {
    this.#listeners.stop();
    for (const client of this.#clients) if (!client.isSpliced) client.end("system-shutdown");
  }

  close(): void {
    this.#listeners.close();
    this.#sweep?.cancel();
    this.#endAll();
  }

  #endAll(): void {
    for (const client of this.#clients) client.end("system-shutdown");
  }

  #spliced(): readonly XmppClient[] {
    return [...this.#clients].filter(({ isSpliced }) => isSpliced);
  }

  #listen(local: Endpoint, config: ProxyConfig): Promise<StreamListener> {
    return this.#o.world.listenByteStreams({
      local,
      identity: this.#o.identity(),
      protocol: ALPN,
      handshakeTimeoutMs: config.limits.handshakeTimeout * 1000,
      admits: ({ address }) => this.#o.admission.connects(address) && this.#hasPlace(address),
      accept: (stream) => this.#accept(stream),
    });
  }

  #hasPlace(address: string): boolean {
    const { xmppClients, xmppClientsPerAddress } = this.#o.settings().limits;
    if (this.#clients.size >= xmppClients) {
      this.#o.count("xmpp-clients");
      return false;
    }
    const siblings = this.#perSource.get(sourceOf(address)) ?? 0;
    if (siblings < xmppClientsPerAddress || this.#o.admission.isTrusted(address)) return true;
    this.#o.count("xmpp-clients-per-address");
    return false;
  }

  #accept(stream: ByteStream): void {
    const client = new XmppClient(this.#forClients, stream);
    this.#clients.add(client);
    this.#perSource.set(client.source, (this.#perSource.get(client.source) ?? 0) + 1);
    this.#scheduleSweep();
  }

  /** Itself not counted. */
  #hasRoom(instance: Instance): boolean {
    let others = 0;
    for (const client of this.#clients) if (client.instance === instance) others++;
    return others <= this.#o.settings().limits.xmppClientsPerInstance;
  }

  /** Told when it changes: a server that is down has a hundred clients that come again and again. */
  #found(instance: string, problem: string | null): void {
    const before = this.#failed.get(instance) ?? null;
    if (before === problem) return;
    if (problem === null) {
      this.#failed.delete(instance);
      this.#o.log.info("xmpp-instance-answers", { instance });
    } else {
      this.#failed.set(instance, problem);
      this.#o.log.warn("xmpp-instance-failed", { instance, reason: problem });
    }
  }

  #forget(client: XmppClient): void {
    if (!this.#clients.delete(client)) return;
    const left = (this.#perSource.get(client.source) ?? 1) - 1;
    if (left === 0) this.#perSource.delete(client.source);
    else this.#perSource.set(client.source, left);
  }

  /** One timer for all that are silent. */
  #scheduleSweep(): void {
    this.#sweep ??= this.#o.world.clock.after(SWEEP_MS, () => {
      this.#sweep = null;
      for (const client of this.#clients) client.age(SWEEP_MS);
      if (this.#clients.size > 0) this.#scheduleSweep();
    });
  }
}
