/**
 * The side of the phones: one SIP port (TLS or UDP, as `voipSip` says) on the zone's address, and every
 * connection on it with its limits.
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
import { DatagramFlow } from "./datagram-flow.ts";
import type { SideOptions } from "./side.ts";
import type { StreamFlow } from "./stream-flow.ts";

/** DSCP CS3 for signalling (RFC 4594 §2.3). */
export const SIP_TRAFFIC_CLASS = 0x60;

export class OuterSide {
  readonly #o: SideOptions;
  readonly #connections = new Map<string, StreamFlow>();
  readonly #perAddress = new Map<string, Set<StreamFlow>>();
  #tls: StreamListener | null = null;
  #udp: Datagrams | null = null;
  /** As configured: port 0 stays 0 here. */
  #tlsAt: Endpoint | null = null;
  #udpAt: Endpoint | null = null;

  constructor(o: SideOptions) {
    this.#o = o;
  }

  /**
   * Opens the port that `voipSip` asks for, then closes what is not wanted any more. A port that did not
   * change stays open with its connections. Rejects with ListenError, all as it was.
   */
  async open(config: ProxyConfig, address: string): Promise<void> {
    const { voipSip, ports } = config;
    const tlsAt = voipSip === "tls" ? { address, port: ports.sipTls } : null;
    const udpAt = voipSip === "udp" ? { address, port: ports.sipUdp } : null;
    const changesTls = !same(tlsAt, this.#tlsAt);
    const changesUdp = !same(udpAt, this.#udpAt);
    // At most one of the two is wanted, so there is nothing to close again when the other fails.
    const tls = changesTls && tlsAt !== null ? await this.#listenTls(tlsAt, config) : null;
    const udp = changesUdp && udpAt !== null ? await this.#listenUdp(udpAt) : null;
    if (changesTls) {
      this.#closeTls();
      this.#tls = tls;
      this.#tlsAt = tlsAt;
    }
    if (changesUdp) {
      this.#udp?.close();
      this.#udp = udp;
      this.#udpAt = udpAt;
    }
  }

  /** New handshakes get it; open connections stay. */
  setIdentity(identity: Identity): void {
    this.#tls?.setIdentity(identity);
  }

  get listening(): { readonly sipTls?: Endpoint; readonly sipUdp?: Endpoint } {
    return {
      ...(this.#tls === null ? {} : { sipTls: this.#tls.local }),
      ...(this.#udp === null ? {} : { sipUdp: this.#udp.local }),
    };
  }

  get connections(): number {
    return this.#connections.size;
  }

  connection(id: string): StreamFlow | undefined {
    return this.#connections.get(id);
  }

  /** The flow to a phone by UDP; null while UDP is off. */
  datagramFlow(remote: Endpoint): DatagramFlow | null {
    if (this.#udp === null) return null;
    return new DatagramFlow("outer", this.#udp, remote, this.#o.advertised(remote.address));
  }

  /** Takes nothing new; what is open stays until close(). */
  stopListening(): void {
    this.#tls?.close();
  }

  close(): void {
    this.#closeTls();
    this.#udp?.close();
    this.#udp = null;
  }

  #listenTls(local: Endpoint, config: ProxyConfig): Promise<StreamListener> {
    const { world, count, log } = this.#o;
    return world.listenStream({
      local,
      identity: this.#o.identity(),
      handshakeTimeoutMs: config.limits.handshakeTimeout * 1000,
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
      trafficClass: SIP_TRAFFIC_CLASS,
      receiveBufferBytes: 4 << 20,
      receive: (bytes, address, port) => {
        const flow = this.datagramFlow({ address, port });
        if (flow !== null) this.#o.receive(bytes, flow);
      },
    });
  }

  #accept(connection: Connection): ConnectionEvents {
    const { limits } = this.#o.settings();
    const { address } = connection.remote;
    const siblings = this.#perAddress.get(address) ?? new Set<StreamFlow>();
    const isFull =
      this.#connections.size >= limits.connections || siblings.size >= limits.connectionsPerAddress;
    const flow = this.#o.makeStreamFlow("outer", this.#o.advertised(address), () => {
      this.#connections.delete(flow.id);
      siblings.delete(flow);
      if (siblings.size === 0) this.#perAddress.delete(address);
    });
    flow.listenPort = this.#tls?.local.port ?? connection.local.port;
    const events = flow.attach(connection, true);
    if (isFull) {
      this.#o.count("connections-full");
      flow.destroy();
      return events;
    }
    siblings.add(flow);
    this.#perAddress.set(address, siblings);
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
      if (idle.length <= limits.connectionsUnregistered) return;
      this.#o.count("connections-unregistered");
      idle[0]?.destroy();
    });
  }

  #closeTls(): void {
    this.#tls?.close();
    this.#tls = null;
    for (const flow of this.#connections.values()) flow.destroy();
  }
}

function same(left: Endpoint | null, right: Endpoint | null): boolean {
  return left?.address === right?.address && left?.port === right?.port;
}
