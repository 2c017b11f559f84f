/**
 * The XMPP server of the demonstration instance: just enough for a real client to sign in, see the others and
 * write to them, or to echo@demo, who repeats it. Plain TCP on loopback: what is encrypted is the proxy's part.
 */
import type { Connection, Endpoint, StreamListener, World } from "../io/types.ts";
import { escapeXml } from "../xmpp/stream-errors.ts";
import { DemoXmppClient, type DemoXmppRoom } from "./xmpp-client.ts";

export type DemoXmppOptions = {
  readonly world: Pick<World, "listenStream" | "random">;
  readonly local: Endpoint;
  readonly domain: string;
  readonly users: readonly string[];
  readonly password: string;
};

export class DemoXmppServer {
  readonly #clients = new Set<DemoXmppClient>();
  #listener: StreamListener | null = null;

  /** Rejects with ListenError. */
  static async open(o: DemoXmppOptions): Promise<DemoXmppServer> {
    const server = new DemoXmppServer();
    const room: DemoXmppRoom = {
      domain: o.domain,
      users: o.users,
      password: o.password,
      random: (lengthBytes) => o.world.random(lengthBytes),
      present: (client) => server.#present(client),
      message: (from, to, body) => server.#message(o.domain, { from, to, body }),
      closed: (client) => void server.#clients.delete(client),
    };
    server.#listener = await o.world.listenStream({
      local: o.local,
      handshakeTimeoutMs: 0,
      accept: (connection) => server.#accept(room, connection),
    });
    return server;
  }

  get local(): Endpoint {
    return this.#listener?.local ?? { address: "", port: 0 };
  }

  close(): void {
    this.#listener?.close();
    for (const client of this.#clients) client.close();
  }

  #accept(room: DemoXmppRoom, connection: Connection) {
    const client = new DemoXmppClient(room, connection);
    this.#clients.add(client);
    return client.events;
  }

  /** Each sees who else is there. */
  #present(client: DemoXmppClient): void {
    for (const other of this.#clients) {
      if (!other.isPresent) continue;
      other.say(presence(client, other));
      if (other !== client) client.say(presence(other, client));
    }
  }

  #message(
    domain: string,
    { from, to, body }: { from: DemoXmppClient; to: string; body: string },
  ): void {
    const [bare = ""] = to.split("/");
    if (bare === `echo@${domain}`) return from.say(message(bare, from.address, body));
    for (const client of this.#clients) {
      if (`${client.user}@${domain}` === bare) client.say(message(from.address, bare, body));
    }
  }
}

function presence(from: DemoXmppClient, to: DemoXmppClient): string {
  return `<presence from='${escapeXml(from.address)}' to='${escapeXml(to.address)}'/>`;
}

function message(from: string, to: string, body: string): string {
  const ends = `from='${escapeXml(from)}' to='${escapeXml(to)}'`;
  return `<message type='chat' ${ends}><body>${escapeXml(body)}</body></message>`;
}
