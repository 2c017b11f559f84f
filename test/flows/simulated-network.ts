/**
 * A network inside one process, behind the same types as the real one (src/io/types.ts). Nothing moves
 * by itself: settle() delivers what was sent, elapse() moves the hand-driven clock from timer to timer
 * with a settle() at each. Everything sent is recorded. Loss, doubling, delay, NATs and broken
 * connections are switches, so that every run is the same. TLS is plain bytes with transport "tls".
 */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import type {
  DatagramOptions,
  Datagrams,
  Endpoint,
  HostAddresses,
  ServiceRecord,
  StreamListener,
  World,
} from "../../src/io/types.ts";
import { ListenError } from "../../src/io/types.ts";
import { HandClock } from "./hand-clock.ts";
import type { Nat } from "./simulated-nat.ts";
import { type Place, SimulatedStreams } from "./simulated-streams.ts";

/** One datagram or one write to a connection, as it was on the wire (source after NAT). */
export type Sent = {
  readonly transport: "udp" | "tcp" | "tls";
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
  readonly atMs: number;
};

/** What happens to a datagram. */
export type Fate = "deliver" | "lose" | "duplicate" | { readonly delayMs: number };

export type WorldOptions = {
  /** The addresses this machine has; binding any other one fails. */
  readonly addresses: readonly string[];
  readonly nat?: Nat;
  /** What sourceAddressFor() says; left out = the first address. */
  readonly sourceAddress?: (remote: string) => string | null;
};

type Socket = { readonly options: DatagramOptions; readonly place: Place; readonly port: number };

const FIRST_EPHEMERAL_PORT = 40_000;
/** Hears nothing. */
const DEAF = { data() {}, closed() {} };
const IDLE_TURNS = 3;
const MAX_TURNS = 20_000;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class SimulatedNetwork {
  readonly clock: HandClock;
  readonly sent: Sent[] = [];
  readonly streams: SimulatedStreams;
  /** Names that resolve() knows, their time to live, and SRV records; "fails" = DNS gives no answer. */
  readonly names = new Map<string, readonly string[] | "fails">();
  readonly services = new Map<string, readonly ServiceRecord[] | "fails">();
  ttlSeconds: number | null = null;
  /** Decides about each datagram; replace it to make bad weather. */
  weather: (packet: Sent) => Fate = () => "deliver";
  /** Datagrams nobody was there for: closed port or closed NAT. */
  undelivered = 0;
  readonly #queue: (() => void)[] = [];
  readonly #sockets = new Map<string, Socket>();
  readonly #nats = new Set<Nat>();
  #nextPort = FIRST_EPHEMERAL_PORT;
  #randomCounter = 0;

  constructor(clock = new HandClock()) {
    this.clock = clock;
    this.streams = new SimulatedStreams({
      enqueue: (deliver) => void this.#queue.push(deliver),
      ephemeralPort: () => this.ephemeralPort(),
      after: (delayMs, fire) => void this.clock.after(delayMs, fire),
      record: (transport, from, to, bytes) => void this.#record(transport, from, to, bytes),
    });
  }

  /** One machine in this network. */
  world(options: WorldOptions): World {
    const { nat } = options;
    if (nat !== undefined) this.#nats.add(nat);
    const place = (address: string): Place => {
      if (options.addresses.includes(address)) return { address, nat: nat ?? null };
      throw new ListenError(`cannot listen on ${address}: the address is not on this machine`);
    };
    return {
      clock: this.clock,
      openDatagrams: async (o) => this.#openDatagrams(place(o.local.address), o),
      listenStream: async (o): Promise<StreamListener> =>
        this.streams.listen(place(o.local.address), o),
      connectStream: (o) => this.streams.connect(place(o.local.address), o),
      // What is spliced is tried on real sockets (src/proxy): here such a port is only open.
      listenByteStreams: async ({ local, handshakeTimeoutMs }): Promise<StreamListener> =>
        this.streams.listen(place(local.address), {
          local,
          handshakeTimeoutMs,
          accept: () => DEAF,
        }),
      connectByteStream: async ({ remote }) => {
        throw new Error(`connect ECONNREFUSED ${remote.address}:${remote.port}`);
      },
      // HTTP, too, is tried on real sockets.
      listenHttp: async ({ local, handshakeTimeoutMs }) => ({
        ...this.streams.listen(place(local.address), {
          local,
          handshakeTimeoutMs,
          accept: () => DEAF,
        }),
        pending: 0,
        closeFrom() {},
      }),
      openHttpPool: () => {
        throw new Error("nobody asks by HTTP here");
      },
      resolve: async (host) => this.#resolve(host),
      resolveService: async (name) => this.#resolveService(name),
      sourceAddressFor: async (remote) =>
        options.sourceAddress?.(remote) ?? options.addresses[0] ?? null,
      random: (lengthBytes) => this.#random(lengthBytes),
    };
  }

  /** Delivers everything that is under way, and what comes of it, until nothing moves any more. */
  async settle(): Promise<void> {
    let idleTurns = 0;
    for (let turn = 0; idleTurns < IDLE_TURNS; turn += 1) {
      if (turn > MAX_TURNS) throw new Error("the network does not come to rest");
      const batch = this.#queue.splice(0);
      idleTurns = batch.length === 0 ? idleTurns + 1 : 0;
      for (const deliver of batch) deliver();
      await nextTurn();
    }
  }

  /** Lets time pass: every timer fires at its own moment and the network settles after each. */
  async elapse(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    await this.settle();
    for (let next = this.clock.nextInMs; next !== null; next = this.clock.nextInMs) {
      if (this.clock.now() + next > end) break;
      this.clock.advance(next);
      await this.settle();
    }
    this.clock.advance(end - this.clock.now());
  }

  ephemeralPort(): number {
    this.#nextPort += 1;
    return this.#nextPort;
  }

  #openDatagrams(place: Place, options: DatagramOptions): Datagrams {
    let port = options.local.port === 0 ? this.ephemeralPort() : options.local.port;
    while (
      options.local.port === 0 &&
      this.#sockets.has(socketKey(place.nat, place.address, port))
    ) {
      port = this.ephemeralPort();
    }
    const key = socketKey(place.nat, place.address, port);
    if (this.#sockets.has(key)) {
      const where = `${place.address}:${port}`;
      throw new ListenError(`cannot listen on UDP ${where}: the port is in use by another program`);
    }
    const socket: Socket = { options, place, port };
    this.#sockets.set(key, socket);
    return {
      local: { address: place.address, port },
      send: (bytes, address, toPort) => {
        if (this.#sockets.get(key) !== socket || isIP(address) === 0 || toPort === 0) return false;
        this.#transmit(socket, { address, port: toPort }, bytes);
        return true;
      },
      close: () => {
        if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
      },
    };
  }

  #transmit(socket: Socket, to: Endpoint, bytes: Uint8Array): void {
    const { nat, address } = socket.place;
    const inside = { address, port: socket.port };
    const isLocal = nat !== null && this.#sockets.has(socketKey(nat, to.address, to.port));
    const from = nat === null || isLocal ? inside : nat.outbound(inside, to);
    const packet = this.#record("udp", from, to, bytes);
    const deliver = (): void => this.#deliver(packet, isLocal ? nat : null);
    const fate = this.weather(packet);
    if (fate === "lose") return;
    if (typeof fate === "object") {
      this.clock.after(fate.delayMs, deliver);
      return;
    }
    this.#queue.push(deliver);
    if (fate === "duplicate") this.#queue.push(deliver);
  }

  #deliver(packet: Sent, site: Nat | null): void {
    const target = this.#target(packet, site);
    const socket = target === null ? undefined : this.#sockets.get(target);
    if (socket === undefined) {
      this.undelivered += 1;
      return;
    }
    socket.options.receive(new Uint8Array(packet.bytes), packet.from.address, packet.from.port);
  }

  #target(packet: Sent, site: Nat | null): string | null {
    const { to, from } = packet;
    if (site !== null) return socketKey(site, to.address, to.port);
    const nat = [...this.#nats].find((one) => one.publicAddress === to.address);
    if (nat === undefined) return socketKey(null, to.address, to.port);
    const inside = nat.inbound(to.port, from);
    return inside === null ? null : socketKey(nat, inside.address, inside.port);
  }

  #record(transport: Sent["transport"], from: Endpoint, to: Endpoint, bytes: Uint8Array): Sent {
    const packet = { transport, from, to, bytes: new Uint8Array(bytes), atMs: this.clock.now() };
    this.sent.push(packet);
    return packet;
  }

  #resolve(host: string): HostAddresses {
    if (isIP(host) !== 0) return { addresses: [host], ttlSeconds: null };
    const found = this.names.get(host);
    if (found === "fails") throw new Error(`no answer from DNS for ${host}`);
    if (found === undefined || found.length === 0) throw new Error(`${host} has no address`);
    return { addresses: found, ttlSeconds: this.ttlSeconds };
  }

  #resolveService(name: string): readonly ServiceRecord[] {
    const found = this.services.get(name);
    if (found === "fails") throw new Error(`no answer from DNS for ${name}`);
    return found ?? [];
  }

  /** Different on every call, the same on every run. */
  #random(lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; at += 32) {
      this.#randomCounter += 1;
      const block = createHash("sha256").update(`random ${this.#randomCounter}`).digest();
      bytes.set(block.subarray(0, Math.min(32, lengthBytes - at)), at);
    }
    return bytes;
  }
}

/** Two homes may use the same private address, so the NAT is part of the key. */
function socketKey(nat: Nat | null, address: string, port: number): string {
  return nat === null ? `${address} ${port}` : `${nat.name}: ${address} ${port}`;
}
