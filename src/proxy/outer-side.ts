/**
 * The side of the phones: one SIP port (TLS or UDP, as `voipSip` says) on each of the zone's addresses (IPv4
 * and IPv6), and every connection on them with its limits.
 */

import { isIPv6 } from "node:net";
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
import { isSameFamily } from "./addresses.ts";
import { DatagramFlow } from "./datagram-flow.ts";
import type { SideOptions } from "./side.ts";
import type { StreamFlow } from "./stream-flow.ts";

/** DSCP CS3 for signalling (RFC 4594 §2.3). */
export const SIP_TRAFFIC_CLASS = 0x60;

/** A port as configured: 0 stays 0 here. */
type Wanted = { readonly kind: "tls" | "udp"; readonly at: Endpoint };

export type OuterListening = {
  readonly sipTls?: Endpoint;
  readonly sipUdp?: Endpoint;
  readonly sipTls6?: Endpoint;
  readonly sipUdp6?: Endpoint;
};

export class OuterSide {
  readonly #o: SideOptions;
  readonly #connections = new Map<string, StreamFlow>();
  readonly #perSource = new Map<string, Set<StreamFlow>>();
  /** By what was configured. */
  readonly #tls = new Map<string, StreamListener>();
  readonly #udp = new Map<string, Datagrams>();

  /** Keep-alives by STUN since the start, for the status. */
  stunRequests = 0;

  constructor(o: SideOptions) {
    this.#o = o;
  }

  /**
   * Opens the ports that `voipSip` asks for, then closes what is not wanted any more. A port that did not
   * change stays open with its connections. Rejects with ListenError, all as it was.
   */
  async open(config: ProxyConfig, addresses: readonly string[]): Promise<void> {
    const wanted = wantedPorts(config, addresses);
    const fresh: (() => void)[] = [];
    try {
      for (const one of wanted) {
        if (this.#tls.has(keyOf(one)) || this.#udp.has(keyOf(one))) continue;
        await this.#listen(one, config);
        fresh.push(() => this.#close(keyOf(one)));
      }
    } catch (error) {
      for (const undo of fresh) undo();
      throw error;
    }
    const keys = new Set(wanted.map(keyOf));
    for (const key of [...this.#tls.keys(), ...this.#udp.keys()]) {
      if (!keys.has(key)) this.#close(key);
    }
  }

  /** New handshakes get it; open connections stay. */
  setIdentity(identity: Identity): void {
    const { allowTls10 } = this.#o.settings();
    for (const listener of this.#tls.values()) listener.setIdentity(identity, allowTls10);
  }

  /** What is open, by transport and family. */
  get listening(): OuterListening {
    const found: Record<string, Endpoint> = {};
    const note = (name: string, { local }: { readonly local: Endpoint }): void => {
      const isSecond = found[name] !== undefined && isIPv6(local.address);
      found[isSecond ? `${name}6` : name] = local;
    };
    for (const listener of this.#tls.values()) note("sipTls", listener);
    for (const socket of this.#udp.values()) note("sipUdp", socket);
    return found;
  }

  /** The port at which a phone of that address finds us by that transport. */
  portTowards(peer: string, transport: "udp" | "tcp" | "tls"): number | undefined {
    const all: Iterable<{ readonly local: Endpoint }> =
      transport === "udp" ? this.#udp.values() : this.#tls.values();
    return towards(all, peer)?.local.port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  connection(id: string): StreamFlow | undefined {
    return this.#connections.get(id);
  }

  /** The flow to a phone by UDP; null while UDP is off. */
  datagramFlow(remote: Endpoint): DatagramFlow | null {
    const socket = towards(this.#udp.values(), remote.address);
    if (socket === undefined) return null;
    return new DatagramFlow("outer", socket, remote, this.#o.advertised(remote.address));
  }

  /** Ends the connections from a source that was banned. */
  closeFrom(source: string): void {
    for (const flow of this.#perSource.get(source) ?? []) flow.destroy();
  }

  /** Takes nothing new; what is open stays until close(). */
  stopListening(): void {
    for (const listener of this.#tls.values()) listener.close();
  }

  close(): void {
    for (const key of [...this.#tls.keys(), ...this.#udp.keys()]) this.#close(key);
  }

  async #listen(wanted: Wanted, config: ProxyConfig): Promise<void> {
    const key = keyOf(wanted);
    if (wanted.kind === "tls") this.#tls.set(key, await this.#listenTls(wanted.at, config));
    else this.#udp.set(key, await this.#listenUdp(wanted.at));
  }

  #listenTls(local: Endpoint, config: ProxyConfig): Promise<StreamListener> {
    const { world, count, log } = this.#o;
    return world.listenStream({
      local,
      identity: this.#o.identity(),
      allowsTls10: config.allowTls10,
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
      trafficClass: SIP_TRAFFIC_CLASS,
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

  #close(key: string): void {
    this.#udp.get(key)?.close();
    this.#udp.delete(key);
    const listener = this.#tls.get(key);
    if (listener === undefined) return;
    listener.close();
    this.#tls.delete(key);
    for (const flow of this.#connections.values()) {
      if (isSamePlace(flow.local, listener.local)) flow.destroy();
    }
  }
}

function wantedPorts(config: ProxyConfig, addresses: readonly string[]): Wanted[] {
  const { voipSip, ports } = config;
  if (voipSip === "off") return [];
  const port = voipSip === "tls" ? ports.sipTls : ports.sipUdp;
  return addresses.map((address) => ({ kind: voipSip, at: { address, port } }));
}

function keyOf({ kind, at }: Wanted): string {
  return `${kind} ${at.address} ${at.port}`;
}

function isSamePlace(left: Endpoint, right: Endpoint): boolean {
  return (
    left.port === right.port && canonicalAddress(left.address) === canonicalAddress(right.address)
  );
}

/** The one that a peer of that address can have come to: a zone has one address of each family. */
function towards<T extends { readonly local: Endpoint }>(
  all: Iterable<T>,
  peer: string,
): T | undefined {
  for (const one of all) if (isSameFamily(one.local.address, peer)) return one;
  return undefined;
}
