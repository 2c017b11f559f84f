/**
 * The side of the phones: one SIP port (TLS or UDP, as `voipSip` says) on each of the zone's addresses (IPv4
 * and IPv6), and every connection on them with its limits.
 */

import { canonicalAddress } from "../config/address-class.ts";
import type { ProxyConfig } from "../config/config.ts";
import { sourceOf } from "../config/source.ts";
import type {
  Connection,
  ConnectionEvents,
  Datagrams,
  Endpoint,
  Identity,
  StreamListener,
} from "../io/types.ts";
import { answerBinding, isStun } from "../sip/stun.ts";
import { DatagramFlow } from "./datagram-flow.ts";
import { type Entrance, onEach } from "./entrance.ts";
import { Listeners, type Opened, openBoth } from "./listeners.ts";
import type { SideOptions } from "./side.ts";
import type { StreamFlow } from "./stream-flow.ts";

export class OuterSide implements Entrance {
  readonly #o: SideOptions;
  readonly #connections = new Map<string, StreamFlow>();
  readonly #perSource = new Map<string, Set<StreamFlow>>();
  readonly #tls = new Listeners<StreamListener>({
    listen: (at, config) => this.#listenTls(at, config),
    closed: (listener) => this.#endConnectionsOf(listener),
  });
  readonly #udp = new Listeners<Datagrams>({ listen: (at) => this.#listenUdp(at) });

  /** Keep-alives by STUN since the start, for the status. */
  stunRequests = 0;

  constructor(o: SideOptions) {
    this.#o = o;
  }

  open(config: ProxyConfig, addresses: readonly string[]): Promise<Opened> {
    const { voipSip, ports } = config;
    const tls = voipSip === "tls" ? onEach(addresses, ports.sipTls) : [];
    const udp = voipSip === "udp" ? onEach(addresses, ports.sipUdp) : [];
    return openBoth(
      () => this.#tls.open(tls, config),
      () => this.#udp.open(udp, config),
    );
  }

  /** New handshakes get it; open connections stay. */
  setIdentity(identity: Identity): void {
    const { allowTls10 } = this.#o.settings();
    for (const listener of this.#tls.all) listener.setIdentity(identity, allowTls10);
  }

  get listening(): Readonly<Record<string, Endpoint>> {
    return { ...this.#tls.named("sipTls"), ...this.#udp.named("sipUdp") };
  }

  /** Of SIP the transactions are what a drain waits for. */
  get pending(): number {
    return 0;
  }

  /** The port at which a phone of that address finds us by that transport. */
  portTowards(peer: string, transport: "udp" | "tcp" | "tls"): number | undefined {
    const socket = transport === "udp" ? this.#udp.towards(peer) : this.#tls.towards(peer);
    return socket?.local.port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  connection(id: string): StreamFlow | undefined {
    return this.#connections.get(id);
  }

  /** The flow to a phone by UDP; null while UDP is off. */
  datagramFlow(remote: Endpoint): DatagramFlow | null {
    const socket = this.#udp.towards(remote.address);
    if (socket === undefined) return null;
    return new DatagramFlow("outer", socket, remote, this.#o.advertised(remote.address));
  }

  /** Ends the connections from a source that was banned. */
  closeFrom(source: string): void {
    for (const flow of this.#perSource.get(source) ?? []) flow.destroy();
  }

  /** Takes nothing new; what is open stays until close(). */
  stopListening(): void {
    this.#tls.stop();
  }

  close(): void {
    this.#tls.close();
    this.#udp.close();
  }

  #listenTls(local: Endpoint, config: ProxyConfig): Promise<StreamListener> {
    const { world, count, log } = this.#o;
    return world.listenStream({
      local,
      identity: this.#o.identity(),
      allowsTls10: config.allowTls10,
      trafficClass: config.sipDscp << 2,
      handshakeTimeoutMs: config.limits.handshakeTimeout * 1000,
      admits: ({ address }) => this.#o.admission.connects(address),
      accept: (connection) => this.#accept(connection),
      refused: (remote, reason) => {
        count("tls-handshake");
        log.debug("tls-handshake-failed", { remote: remote?.address, reason });
      },
    });
  }

  #listenUdp(local: Endpoint): Promise<Datagrams> {
    return this.#o.world.openDatagrams({
      local,
      trafficClass: this.#o.settings().sipDscp << 2,
      receiveBufferBytes: 4 << 20,
      receive: (bytes, address, port) => {
        const flow = this.datagramFlow({ address, port });
        if (flow !== null) this.#datagram(bytes, flow);
      },
    });
  }

  #datagram(bytes: Uint8Array, flow: DatagramFlow): void {
    const { admission } = this.#o;
    flow.answering(bytes.length, (...asked) => admission.mayAnswer(...asked));
    this.#o.heard(flow);
    if (isStun(bytes)) this.#stun(bytes, flow);
    else this.#o.receive(bytes, flow);
  }

  /** A keep-alive of RFC 5626 §5.4. */
  #stun(bytes: Uint8Array, flow: DatagramFlow): void {
    const answer = answerBinding(bytes, flow.remote);
    if (answer === null) return this.#o.count("stun-malformed");
    this.stunRequests++;
    flow.send(answer, true);
  }

  #accept(connection: Connection): ConnectionEvents {
    const { limits } = this.#o.settings();
    const { address } = connection.remote;
    const source = sourceOf(address);
    const siblings = this.#perSource.get(source) ?? new Set<StreamFlow>();
    const isFull =
      this.#connections.size >= limits.connections || siblings.size >= limits.connectionsPerAddress;
    const flow = this.#o.makeStreamFlow(
      "outer",
      () => this.#o.advertised(address),
      () => {
        this.#connections.delete(flow.id);
        siblings.delete(flow);
        if (siblings.size === 0) this.#perSource.delete(source);
      },
    );
    flow.listenPort = this.portTowards(address, "tls") ?? connection.local.port;
    const events = flow.attach(connection, true);
    if (isFull) {
      this.#o.count("connections-full");
      flow.destroy();
      return events;
    }
    siblings.add(flow);
    this.#perSource.set(source, siblings);
    this.#connections.set(flow.id, flow);
    this.#watchRegistration(flow, siblings, limits);
    return events;
  }

  /** Connections that never register are allowed in small numbers only; the oldest goes first. */
  #watchRegistration(
    flow: StreamFlow,
    siblings: ReadonlySet<StreamFlow>,
    limits: { registrationTimeout: number; connectionsUnregistered: number },
  ): void {
    this.#o.world.clock.after(limits.registrationTimeout * 1000, () => {
      if (!flow.isOpen || this.#o.isRegistered(flow)) return;
      flow.isUnregistered = true;
      const idle = [...siblings].filter((one) => one.isUnregistered && !this.#o.isRegistered(one));
      // An office whose instance is down for a while is no crowd of strangers.
      const phones = this.#o.admission.phones(flow.remote.address);
      if (idle.length <= limits.connectionsUnregistered + phones) return;
      this.#o.count("connections-unregistered");
      idle[0]?.destroy();
    });
  }

  #endConnectionsOf(listener: StreamListener): void {
    for (const flow of this.#connections.values()) {
      if (isSamePlace(flow.local, listener.local)) flow.destroy();
    }
  }
}

function isSamePlace(left: Endpoint, right: Endpoint): boolean {
  return (
    left.port === right.port && canonicalAddress(left.address) === canonicalAddress(right.address)
  );
}
