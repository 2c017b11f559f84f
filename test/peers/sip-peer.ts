/**
 * A scripted SIP end point: sends text, receives text. Knows sockets and framing, no SIP beyond that.
 * One peer may have several wires (a UDP socket, connections out, connections accepted).
 */
import type { Connection, ConnectionEvents, Endpoint, Identity } from "../../src/io/types.ts";
import type { Outside } from "./outside.ts";
import { latin1, SipText, SipTextReader, sipText } from "./sip-text.ts";

export type Wire = {
  readonly transport: "udp" | "tcp" | "tls";
  readonly local: Endpoint;
  /** Of a connection; a UDP socket has none. */
  readonly remote: Endpoint | null;
  readonly isOpen: boolean;
  /** CRLFs that came outside messages. */
  readonly keepAlives: number;
  write(bytes: Uint8Array, to: Endpoint): void;
  close(): void;
};

export type Received = { readonly message: SipText; readonly wire: Wire };

/** "200 INVITE", "INVITE", or anything of the whole text. */
export type Pattern = string | RegExp;

export class SipPeer {
  readonly name: string;
  readonly outside: Outside;
  readonly wires: Wire[] = [];
  /** What arrived and was not yet asked for. */
  readonly inbox: Received[] = [];
  /** What arrives and interests no script: 100 Trying by default. */
  ignored: (message: SipText) => boolean = (message) => message.status === 100;
  /** Called with everything that arrives; true = dealt with, it does not go to the inbox. */
  automatic: (received: Received) => boolean = () => false;
  readonly #closers: (() => void)[] = [];

  constructor(name: string, outside: Outside) {
    this.name = name;
    this.outside = outside;
  }

  async listenUdp(local: Endpoint): Promise<Wire> {
    const socket = await this.outside.world.openDatagrams({
      local,
      receive: (bytes, address, port) => {
        const text = Buffer.from(bytes).toString("latin1");
        if (text.trim() === "") wire.keepAlives += 1;
        else this.#arrived(new SipText(text, { address, port }), wire);
      },
    });
    const wire = {
      transport: "udp" as const,
      local: socket.local,
      remote: null,
      isOpen: true,
      keepAlives: 0,
      write: (bytes: Uint8Array, to: Endpoint) => void socket.send(bytes, to.address, to.port),
      close: () => socket.close(),
    };
    return this.#add(wire);
  }

  /** Listens for connections; TLS when there is an identity. */
  async listenStream(local: Endpoint, identity?: Identity): Promise<Endpoint> {
    const listener = await this.outside.world.listenStream({
      local,
      ...(identity === undefined ? {} : { identity }),
      handshakeTimeoutMs: 5000,
      accept: (connection) => {
        const { wire, events } = this.#stream();
        this.#add(wire(connection));
        return events;
      },
    });
    this.#closers.push(() => listener.close());
    return listener.local;
  }

  async connect(from: string, to: Endpoint, options: { tls: boolean }): Promise<Wire> {
    const { wire, events } = this.#stream();
    const tls = { serverName: to.address, verify: false, caPem: null };
    const connection = await this.outside.world.connectStream({
      local: { address: from },
      remote: to,
      ...(options.tls ? { tls } : {}),
      timeoutMs: 5000,
      events,
    });
    return this.#add(wire(connection));
  }

  /** Sends a template (see sipText) over the newest open wire, or the one given. */
  sends(template: string, options: { to?: Endpoint; wire?: Wire } = {}): void {
    this.sendsBytes(latin1(sipText(template)), options);
  }

  sendsBytes(bytes: Uint8Array, options: { to?: Endpoint; wire?: Wire } = {}): void {
    const wire = options.wire ?? this.wires.findLast((one) => one.isOpen);
    const to = options.to ?? wire?.remote;
    if (wire === undefined || to === null || to === undefined) {
      throw new Error(`${this.name} has no wire to send on`);
    }
    wire.write(bytes, to);
  }

  /** The first message that fits, taken out of the inbox. */
  async receives(pattern: Pattern): Promise<SipText> {
    return (await this.receivesOn(pattern)).message;
  }

  /** The same, with the wire it came on. */
  async receivesOn(pattern: Pattern): Promise<Received> {
    const take = (): Received | undefined => {
      const at = this.inbox.findIndex(({ message }) => fits(message, pattern));
      return at < 0 ? undefined : this.inbox.splice(at, 1)[0];
    };
    return await this.outside.waitFor(take, () => {
      const have = this.inbox.map(({ message }) => `  ${message.startLine} [${message.summary}]`);
      return `${this.name} did not receive ${pattern}; it has\n${have.join("\n") || "  nothing"}`;
    });
  }

  /** Nothing is left unread once the network is at rest. */
  async receivesNothingMore(): Promise<void> {
    await this.outside.settle();
    const [first] = this.inbox;
    if (first !== undefined) throw new Error(`${this.name} also received\n${first.message.text}`);
  }

  /** Waits until one of its connections was closed from the other end. */
  async sees(what: string, isSo: () => boolean): Promise<void> {
    const look = (): true | undefined => (isSo() ? true : undefined);
    await this.outside.waitFor(look, () => `${this.name} never saw: ${what}`);
  }

  close(): void {
    for (const close of this.#closers) close();
    for (const wire of this.wires) wire.close();
  }

  #add<W extends Wire>(wire: W): W {
    this.wires.push(wire);
    return wire;
  }

  #arrived(message: SipText, wire: Wire): void {
    if (!this.ignored(message) && !this.automatic({ message, wire })) {
      this.inbox.push({ message, wire });
    }
    this.outside.changed();
  }

  #stream(): { wire: (connection: Connection) => Wire; events: ConnectionEvents } {
    const reader = new SipTextReader();
    let isOpen = true;
    let own: Wire | null = null;
    const early: SipText[] = [];
    const wire = (connection: Connection): Wire => {
      own = {
        transport: connection.transport,
        local: connection.local,
        remote: connection.remote,
        get isOpen() {
          return isOpen;
        },
        get keepAlives() {
          return reader.keepAlives;
        },
        write: (bytes) => connection.write(bytes),
        close: () => connection.end(),
      };
      for (const message of early.splice(0)) this.#arrived(message, own);
      return own;
    };
    const events: ConnectionEvents = {
      data: (bytes) => {
        for (const text of reader.push(bytes)) {
          const message = new SipText(text, own?.remote ?? { address: "0.0.0.0", port: 0 });
          if (own === null) early.push(message);
          else this.#arrived(message, own);
        }
        this.outside.changed(); // keep-alives count too
      },
      closed: () => {
        isOpen = false;
        this.outside.changed();
      },
    };
    return { wire, events };
  }
}

function fits(message: SipText, pattern: Pattern): boolean {
  if (typeof pattern !== "string") return pattern.test(message.text);
  return message.summary === pattern || message.startLine === pattern;
}
