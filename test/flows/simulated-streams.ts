/**
 * The connections of the simulated network: listeners, connecting through a NAT, ordered delivery,
 * and three ways to end: end(), destroy() and a line that goes dead without a word (freeze).
 */
import { isIP } from "node:net";
import type {
  Connection,
  ConnectionEvents,
  ConnectStreamOptions,
  Endpoint,
  ListenStreamOptions,
  StreamListener,
} from "../../src/io/types.ts";
import { ListenError } from "../../src/io/types.ts";
import type { Nat } from "./simulated-nat.ts";

/** An address and the NAT it is behind, if any. */
export type Place = { readonly address: string; readonly nat: Nat | null };

type Wire = {
  enqueue(deliver: () => void): void;
  ephemeralPort(): number;
  after(delayMs: number, fire: () => void): void;
  record(transport: "tcp" | "tls", from: Endpoint, to: Endpoint, bytes: Uint8Array): void;
};

/** One end of a connection. `closed` is reported once, to each end. */
class End implements Connection {
  readonly transport: "tcp" | "tls";
  readonly local: Endpoint;
  readonly remote: Endpoint;
  peer: End | null = null;
  events: ConnectionEvents | null = null;
  isOpen = true;
  isFrozen = false;
  pendingBytes = 0;
  readonly #wire: Wire;

  constructor(wire: Wire, transport: "tcp" | "tls", local: Endpoint, remote: Endpoint) {
    this.#wire = wire;
    this.transport = transport;
    this.local = local;
    this.remote = remote;
  }

  write(bytes: Uint8Array): void {
    const { peer } = this;
    if (!this.isOpen || peer === null || bytes.length === 0) return;
    // What the far end sees as the source is the address on the wire.
    this.#wire.record(this.transport, peer.remote, this.remote, bytes);
    if (this.isFrozen) {
      this.pendingBytes += bytes.length;
      return;
    }
    const copy = new Uint8Array(bytes); // Buffer.slice() would share the memory
    this.#wire.enqueue(() => {
      if (peer.isOpen) peer.events?.data(copy);
    });
  }

  end(): void {
    this.#finish("closed");
  }

  destroy(): void {
    this.#finish("closed");
  }

  #finish(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#wire.enqueue(() => this.events?.closed(reason));
    if (!this.isFrozen) this.#wire.enqueue(() => this.peer?.closedByPeer("closed by the peer"));
  }

  closedByPeer(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.events?.closed(reason);
  }
}

export class SimulatedStreams {
  readonly #wire: Wire;
  readonly #listeners = new Map<string, ListenStreamOptions>();
  readonly #swallowing = new Set<string>();
  #ends: End[] = [];

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Ends of connections that are open, as the machines see them. */
  get open(): readonly Connection[] {
    this.#ends = this.#ends.filter((end) => end.isOpen);
    return this.#ends;
  }

  listen(place: Place, options: ListenStreamOptions): StreamListener {
    const port = options.local.port === 0 ? this.#wire.ephemeralPort() : options.local.port;
    const key = listenerKey(place.nat, place.address, port);
    if (this.#listeners.has(key)) {
      const where = `${place.address}:${port}`;
      throw new ListenError(`cannot listen on TCP ${where}: the port is in use by another program`);
    }
    this.#listeners.set(key, options);
    return {
      local: { address: place.address, port },
      setIdentity() {}, // there are no certificates in this network
      close: () => {
        if (this.#listeners.get(key) === options) this.#listeners.delete(key);
      },
    };
  }

  async connect(place: Place, options: ConnectStreamOptions): Promise<Connection> {
    const { remote } = options;
    if (this.#swallowing.has(remote.address)) return this.#nobody(options);
    const atHome = place.nat === null ? undefined : this.#listener(place.nat, remote);
    const listener = atHome ?? this.#listener(null, remote);
    if (isIP(remote.address) === 0 || listener === undefined) {
      throw new Error(`connect ECONNREFUSED ${remote.address}:${remote.port}`);
    }
    const isTls = options.tls !== undefined;
    const local = { address: place.address, port: this.#wire.ephemeralPort() };
    const isTranslated = place.nat !== null && atHome === undefined;
    const seen = isTranslated
      ? { address: place.nat.publicAddress, port: place.nat.takePort() }
      : local;
    if (listener.admits?.(seen) === false) throw new Error("closed by the peer");
    if (isTls !== (listener.identity !== undefined)) {
      listener.refused?.(seen, "no TLS on both ends");
      throw new Error("closed by the peer");
    }
    return this.#join(isTls ? "tls" : "tcp", local, seen, options, listener);
  }

  /** A firewall there drops what opens connections: they come to nothing after their time. */
  swallows(address: string): void {
    this.#swallowing.add(address);
  }

  #nobody({ timeoutMs }: ConnectStreamOptions): Promise<never> {
    return new Promise((_, reject) => {
      const late = (): void => reject(new Error(`no connection within ${timeoutMs} ms`));
      this.#wire.after(timeoutMs, late);
    });
  }

  /** The line breaks and both ends hear of it. */
  break(match: (connection: Connection) => boolean): void {
    for (const end of this.#ends.filter(match)) {
      end.closedByPeer("read ECONNRESET");
      end.peer?.closedByPeer("read ECONNRESET");
    }
  }

  /** The line goes dead and nobody hears of it: what is written piles up. */
  freeze(match: (connection: Connection) => boolean): void {
    for (const end of this.#ends.filter(match)) {
      end.isFrozen = true;
      if (end.peer !== null) end.peer.isFrozen = true;
    }
  }

  #join(
    transport: "tcp" | "tls",
    local: Endpoint,
    seen: Endpoint,
    options: ConnectStreamOptions,
    listener: ListenStreamOptions,
  ): Connection {
    const near = new End(this.#wire, transport, local, options.remote);
    const far = new End(this.#wire, transport, options.remote, seen);
    near.peer = far;
    far.peer = near;
    near.events = options.events;
    far.events = listener.accept(far);
    this.#ends = [...this.#ends.filter((end) => end.isOpen), near, far];
    return near;
  }

  #listener(nat: Nat | null, remote: Endpoint): ListenStreamOptions | undefined {
    return this.#listeners.get(listenerKey(nat, remote.address, remote.port));
  }
}

function listenerKey(nat: Nat | null, address: string, port: number): string {
  return nat === null ? `${address} ${port}` : `${nat.name}: ${address} ${port}`;
}
