/**
 * The side of the instances: for each of our inside addresses UDP and TCP on sipPort and TLS on the next
 * port, and one connection kept to each instance that wants TCP or TLS.
 */
import type { ProxyConfig } from "../config/config.ts";
import type {
  Connection,
  ConnectionEvents,
  Datagrams,
  Endpoint,
  Identity,
  StreamListener,
} from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { DEFAULT_SIP_PORT } from "../sip/locate.ts";
import { DatagramFlow } from "./datagram-flow.ts";
import type { Instance, Instances } from "./instances.ts";
import { SIP_TRAFFIC_CLASS } from "./outer-side.ts";
import type { SideOptions } from "./side.ts";
import type { StreamFlow } from "./stream-flow.ts";

/** Our ports on one inside address. */
type Place = {
  readonly udp: Datagrams;
  readonly tcp: StreamListener;
  readonly tls: StreamListener;
};

export class InnerSide {
  readonly #o: SideOptions;
  readonly #instances: Instances;
  readonly #places = new Map<string, Place>();
  readonly #connecting = new Map<string, Promise<StreamFlow>>();
  readonly #connected = new Map<string, StreamFlow>();

  constructor(o: SideOptions, instances: Instances) {
    this.#o = o;
    this.#instances = instances;
  }

  /**
   * Opens ports on inside addresses that came, closes those nobody needs any more. Rejects with
   * ListenError, what is open staying open.
   */
  async open(config: ProxyConfig): Promise<void> {
    const { sipPort } = config.inside;
    const wanted = new Set<string>();
    if (config.inside.address !== null) wanted.add(config.inside.address);
    for (const { insideAddress } of this.#instances.all) {
      if (insideAddress !== null) wanted.add(insideAddress);
    }
    for (const address of wanted) {
      const before = this.#places.get(address);
      if (before?.udp.local.port === sipPort) continue;
      this.#places.set(address, await this.#openPlace(address, config));
      if (before !== undefined) closePlace(before);
    }
    for (const [address, place] of this.#places) {
      if (wanted.has(address)) continue;
      this.#places.delete(address);
      closePlace(place);
    }
  }

  /** New handshakes get it; open connections stay. */
  setIdentity(identity: Identity): void {
    for (const place of this.#places.values()) place.tls.setIdentity(identity);
  }

  get listening(): readonly Endpoint[] {
    return [...this.#places.values()].map((place) => place.udp.local);
  }

  /** Our port for a transport, as it stands in Via, Path and Record-Route. */
  portFor(transport: "udp" | "tcp" | "tls"): number {
    const { sipPort } = this.#o.settings().inside;
    return transport === "tls" ? sipPort + 1 : sipPort;
  }

  /** True when this is one of our inside addresses. */
  isOurs(address: string): boolean {
    return this.#places.has(address);
  }

  /** The way to an instance; rejects with one clear line when there is none. */
  async flowTo(instance: Instance): Promise<Flow> {
    const { insideAddress, addresses, config } = instance;
    const address = addresses[0];
    if (insideAddress === null || address === undefined) {
      throw new Error(instance.reason ?? "no address");
    }
    const remote = { address, port: config.sip.port ?? DEFAULT_SIP_PORT };
    if (config.sip.transport !== "udp") return this.#connection(instance, insideAddress, remote);
    const place = this.#places.get(insideAddress);
    if (place === undefined) throw new Error(`no port on ${insideAddress}`);
    return new DatagramFlow("inner", place.udp, remote, insideAddress);
  }

  close(): void {
    for (const place of this.#places.values()) closePlace(place);
    this.#places.clear();
    for (const flow of this.#connected.values()) flow.destroy();
  }

  async #openPlace(address: string, config: ProxyConfig): Promise<Place> {
    const { world } = this.#o;
    const port = config.inside.sipPort;
    const udp = await world.openDatagrams({
      local: { address, port },
      trafficClass: SIP_TRAFFIC_CLASS,
      receiveBufferBytes: 4 << 20,
      receive: (bytes, from, fromPort) => this.#datagram(address, bytes, from, fromPort),
    });
    const handshakeTimeoutMs = config.limits.handshakeTimeout * 1000;
    const listen = (transport: "tcp" | "tls"): Promise<StreamListener> =>
      world.listenStream({
        local: { address, port: transport === "tls" ? port + 1 : port },
        ...(transport === "tls" ? { identity: this.#o.identity() } : {}),
        handshakeTimeoutMs,
        accept: (connection) => this.#accept(connection, address),
      });
    try {
      const tcp = await listen("tcp");
      try {
        return { udp, tcp, tls: await listen("tls") };
      } catch (error) {
        tcp.close();
        throw error;
      }
    } catch (error) {
      udp.close();
      throw error;
    }
  }

  #datagram(inside: string, bytes: Uint8Array, address: string, port: number): void {
    const place = this.#places.get(inside);
    if (place === undefined) return;
    if (!this.#instances.hasAddress(address)) return this.#o.count("inside-stranger");
    this.#instances.seen({ address, port }, "udp");
    const flow = new DatagramFlow("inner", place.udp, { address, port }, inside);
    this.#o.receive(bytes, flow);
  }

  #accept(connection: Connection, inside: string): ConnectionEvents {
    const flow = this.#o.makeStreamFlow("inner", inside, () => {});
    flow.listenPort = this.portFor(connection.transport);
    const events = flow.attach(connection, false);
    // Nobody but an instance has business here.
    if (this.#instances.hasAddress(connection.remote.address)) {
      this.#instances.seen(connection.remote, connection.transport);
    } else {
      this.#o.count("inside-stranger");
      flow.destroy();
    }
    return events;
  }

  #connection(instance: Instance, inside: string, remote: Endpoint): Promise<StreamFlow> {
    const key = `${instance.name.toLowerCase()} ${inside} ${remote.address} ${remote.port}`;
    const open = this.#connected.get(key);
    if (open?.isOpen === true) return Promise.resolve(open);
    const pending = this.#connecting.get(key);
    if (pending !== undefined) return pending;
    const fresh = this.#connect(instance, inside, remote, key);
    this.#connecting.set(key, fresh);
    const forget = (): void => void this.#connecting.delete(key);
    fresh.then(forget, forget);
    return fresh;
  }

  async #connect(
    instance: Instance,
    inside: string,
    remote: Endpoint,
    key: string,
  ): Promise<StreamFlow> {
    const { sip, address } = instance.config;
    const flow = this.#o.makeStreamFlow("inner", inside, () => {
      if (this.#connected.get(key) === flow) this.#connected.delete(key);
    });
    flow.listenPort = this.portFor(sip.transport);
    const connection = await this.#o.world.connectStream({
      local: { address: inside },
      remote,
      ...(sip.transport === "tls"
        ? { tls: { serverName: address, verify: sip.verifyTls, caPem: sip.caPem } }
        : {}),
      timeoutMs: this.#o.settings().limits.connectTimeout * 1000,
      events: flow.events,
    });
    flow.attach(connection, false);
    this.#instances.seen(remote, sip.transport);
    this.#connected.set(key, flow);
    return flow;
  }
}

function closePlace(place: Place): void {
  place.udp.close();
  place.tcp.close();
  place.tls.close();
}
