/** The compiled binary before two small web servers, and clients that say byte for byte what they want. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import net from "node:net";
import tls from "node:tls";
import { endpointOf, LoopbackPlace } from "./binary.ts";

/** A name: then each instance has an origin below it. */
export const FQDN = "h.test";

export type Seen = {
  readonly instance: string;
  readonly line: string;
  readonly headers: readonly string[];
  readonly remote: string;
};

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const opened: { close(): unknown }[] = [];

export async function closeAll(): Promise<void> {
  for (const one of opened.splice(0).reverse()) await one.close();
}

export const closing = <T extends { close(): unknown }>(one: T): T => {
  opened.push(one);
  return one;
};

export class WebPlace {
  readonly at = closing(new LoopbackPlace());
  /** What reached an instance. */
  readonly seen: Seen[] = [];
  /** Of the instances; by default they say which path was asked for. */
  answer: Answer = (request, response) => response.end(`path ${request.url}`);
  readonly servers: Server[] = [];
  web = { address: "", port: 0 };
  webHttp = { address: "", port: 0 };
  pid = 0;

  /** `mycompany` and `other`, both behind a URL with the prefix taken off. */
  async start(
    proxy: object = {},
    instance: object | ((urls: readonly string[]) => object) = {},
  ): Promise<{ reload(proxy: object): Promise<void> }> {
    const urls = [await this.#serve("mycompany"), await this.#serve("other")];
    const write = (more: object): void =>
      this.at.writeConfig(
        {
          fqdn: FQDN,
          voipSip: "off",
          manageInstances: "web-ui-and-rest",
          ports: { web: 0, webHttp: 0 },
          ...more,
        },
        { web: { url: urls[0] }, ...(typeof instance === "function" ? instance(urls) : instance) },
        [
          { name: "other", address: this.at.pbx, sip: { port: 5070 }, web: { url: urls[1] } },
          { name: "off", enabled: false, address: this.at.pbx, sip: { port: 5080 } },
        ],
      );
    write(proxy);
    const { running, listening } = await this.at.startProxy();
    this.pid = running.pid;
    if (listening["web"] !== undefined) this.web = endpointOf(listening["web"]);
    if (listening["webHttp"] !== undefined) this.webHttp = endpointOf(listening["webHttp"]);
    return {
      async reload(more) {
        write(more);
        running.signal("SIGHUP");
        await running.prints(/reloaded/, "stderr");
      },
    };
  }

  get paths(): string[] {
    return this.seen.map(({ instance, line }) => `${instance} ${line}`);
  }

  /** An open TLS connection. */
  connects(serverName: string | null = FQDN): Promise<Client> {
    return new Promise((resolve, reject) => {
      const options = serverName === null ? {} : { servername: serverName };
      const socket = tls.connect(
        { host: this.web.address, port: this.web.port, rejectUnauthorized: false, ...options },
        () => resolve(closing(new Client(socket))),
      );
      socket.once("error", reject);
    });
  }

  /** Says it and hears all until the other end closes. */
  async says(bytes: string, serverName?: string | null): Promise<string> {
    const client = await this.connects(serverName);
    client.writes(bytes);
    return await client.hearsEnd();
  }

  /** One request on a connection of its own. */
  async asks(
    target: string,
    o: { method?: string; host?: string; headers?: string; body?: string } = {},
  ): Promise<string> {
    const { method = "GET", host = FQDN, headers = "", body = "" } = o;
    const head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers}\r\n`;
    return await this.says(head + body, host);
  }

  async #serve(instance: string): Promise<string> {
    const server = createServer((request, response) => {
      const remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
      const line = `${request.method} ${request.url}`;
      this.seen.push({ instance, line, headers: request.rawHeaders, remote });
      this.answer(request, response);
    });
    this.servers.push(server);
    opened.push({
      close: () => {
        server.closeAllConnections();
        server.close();
      },
    });
    await new Promise<void>((done) => server.listen(0, this.at.pbx, done));
    return `http://${this.at.pbx}:${(server.address() as net.AddressInfo).port}`;
  }
}

export class Client {
  readonly socket: net.Socket;
  heard = "";
  isClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      this.heard += bytes.toString("latin1");
      this.#look();
    });
    socket.on("close", () => {
      this.isClosed = true;
      this.#look();
    });
  }

  static plain(at: { address: string; port: number }): Promise<Client> {
    return new Promise((resolve) => {
      const socket = net.connect(at.port, at.address, () => resolve(closing(new Client(socket))));
    });
  }

  writes(bytes: string): void {
    this.socket.write(Buffer.from(bytes, "latin1"));
  }

  async hears(text: string): Promise<string> {
    await this.#until(() => this.heard.includes(text) || this.isClosed);
    if (!this.heard.includes(text)) throw new Error(`closed without ${text}: ${this.heard}`);
    return this.heard;
  }

  async hearsEnd(): Promise<string> {
    await this.#until(() => this.isClosed);
    return this.heard;
  }

  close(): void {
    this.socket.destroy();
  }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** The header lines of an answer, in lower case, by name. */
export function headersOf(answer: string): Record<string, string> {
  const lines = answer.slice(0, answer.indexOf("\r\n\r\n")).split("\r\n").slice(1);
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
    }),
  );
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
