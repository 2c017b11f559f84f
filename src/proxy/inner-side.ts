/**
 * The side of the instances: for each of our inside addresses UDP and TCP on sipPort and TLS on the next
 * port, and the way to each target of an instance.
 */
import { canonicalAddress } from "../config/address-class.ts";
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
import { DatagramFlow } from "./datagram-flow.ts";
import { InnerConnections, type Wanted } from "./inner-connections.ts";
import type { Instance, Instances } from "./instances.ts";
import type { SideOptions } from "./side.ts";
import type { Target } from "./targets.ts";

/** Above it a datagram may be cut into fragments, which get lost (RFC 3261 §18.1.1). */
const LARGE_BYTES = 1300;

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
  readonly #connections: InnerConnections;

  constructor(o: SideOptions, instances: Instances) {
    this.#o = o;
    this.#instances = instances;
    this.#connections = new InnerConnections(o);
  }

  /**
   * Opens ports on inside addresses that came, closes those nobody needs any more. Rejects with
   * ListenError, what is open staying open.
   */
  async open(config: ProxyConfig): Promise<void> {
    const { sipPort } = config.inside;
    const wanted = new Set(this.#instances.insideAddresses);
    if (config.inside.address !== null) wanted.add(canonicalAddress(config.inside.address));
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
    return this.#places.has(canonicalAddress(address));
  }

  /** The way to a target, for so many bytes; rejects with one clear line when there is none. */
  async flowTo(instance: Instance, target: Target, bytes = 0): Promise<Flow> {
    const { insideAddress, address, port } = target;
    const { transport, largeOverTcp } = instance.config.sip;
    if (insideAddress === null) throw new Error(`no route to ${address}`);
    if (transport !== "udp") {
      return this.#connections.to(this.#wanted(instance, target, transport, insideAddress));
    }
    if (largeOverTcp && bytes > LARGE_BYTES) {
      const open = this.#connections.openTo(this.#wanted(instance, target, "tcp", insideAddress));
      if (open !== null) return open;
    }
    const place = this.#places.get(insideAddress);
    if (place === undefined) throw new Error(`no port on ${insideAddress}`);
    return new DatagramFlow("inner", place.udp, { address, port }, insideAddress);
  }

  close(): void {
    for (const place of this.#places.values()) closePlace(place);
    this.#places.clear();
    this.#connections.close();
  }

  #wanted(instance: Instance, target: Target, transport: "tcp" | "tls", address: string): Wanted {
    return { instance, target, transport, inside: { address, port: this.portFor(transport) } };
  }

  async #openPlace(address: string, config: ProxyConfig): Promise<Place> {
    const { world } = this.#o;
    const port = config.inside.sipPort;
    const trafficClass = config.sipDscp << 2;
    const udp = await world.openDatagrams({
      local: { address, port },
      trafficClass,
      receiveBufferBytes: 4 << 20,
      receive: (bytes, from, fromPort) => this.#datagram(address, bytes, from, fromPort),
    });
    const handshakeTimeoutMs = config.limits.handshakeTimeout * 1000;
    const listen = (transport: "tcp" | "tls"): Promise<StreamListener> =>
      world.listenStream({
        local: { address, port: transport === "tls" ? port + 1 : port },
        ...(transport === "tls" ? { identity: this.#o.identity() } : {}),
        handshakeTimeoutMs,
        trafficClass,
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
    const flow = new DatagramFlow("inner", place.udp, { address, port }, inside);
    this.#o.receive(bytes, flow);
  }

  #accept(connection: Connection, inside: string): ConnectionEvents {
    const flow = this.#o.makeStreamFlow(
      "inner",
      () => inside,
      () => {},
    );
    flow.listenPort = this.portFor(connection.transport);
    const events = flow.attach(connection, false);
    // Nobody but an instance has business here.
    if (!this.#instances.hasAddress(connection.remote.address)) {
      this.#o.count("inside-stranger");
      flow.destroy();
    }
    return events;
  }
}

function closePlace(place: Place): void {
  place.udp.close();
  place.tcp.close();
  place.tls.close();
}
