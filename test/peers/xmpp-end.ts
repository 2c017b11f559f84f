/** One end of an XMPP stream, client or instance, that says and hears what a script tells it to. Real sockets. */
import net from "node:net";
import tls from "node:tls";
import type { Endpoint, Identity } from "../../src/io/types.ts";

const HERE = "127.0.0.1";

export const OPENING = (to: string, more = ""): string =>
  `<?xml version='1.0'?><stream:stream to='${to}' version='1.0'${more} xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
export const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
export const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

export class XmppEnd {
  #socket: net.Socket;
  #heard = "";
  #hasEnded = false;
  #isClosed = false;
  #waiting: (() => void)[] = [];

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  static async connect(port: number, host = HERE): Promise<XmppEnd> {
    const socket = net.connect({ host, port, ...HALF_OPEN });
    await once(socket, "connect");
    return new XmppEnd(socket);
  }

  /** TLS from the first byte. */
  static async connectTls(port: number, ca: string, more: tls.ConnectionOptions = {}) {
    const options = { host: HERE, port, ca, servername: "example.com", ...HALF_OPEN };
    const socket = tls.connect({ ...options, ...more });
    await once(socket, "secureConnect");
    return new XmppEnd(socket);
  }

  get alpn(): string | false | null {
    return this.#socket instanceof tls.TLSSocket ? this.#socket.alpnProtocol : null;
  }

  says(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Waits for it, and returns all that came up to its end. */
  async hears(wanted: string | RegExp): Promise<string> {
    for (;;) {
      const found = find(this.#heard, wanted);
      if (found !== null) {
        const upTo = this.#heard.slice(0, found);
        this.#heard = this.#heard.slice(found);
        return upTo;
      }
      if (this.#hasEnded || this.#isClosed) {
        throw new Error(`${wanted} did not come, but: ${this.#heard}`);
      }
      await this.#change();
    }
  }

  /** Waits for so many characters, whatever they are. */
  async hearsAll(length: number): Promise<void> {
    while (this.#heard.length < length && !this.#hasEnded) await this.#change();
    this.#heard = this.#heard.slice(length);
  }

  /** How many characters have come and were not waited for. */
  get unheard(): number {
    return this.#heard.length;
  }

  /** The far end sends no more; all that came until then. */
  async hearsTheEnd(): Promise<string> {
    while (!this.#hasEnded && !this.#isClosed) await this.#change();
    return this.#heard;
  }

  async isClosed(): Promise<void> {
    while (!this.#isClosed) await this.#change();
  }

  async startsTls(ca: string, more: tls.ConnectionOptions = {}): Promise<void> {
    const socket = this.#silenced();
    const options = { ca, servername: "example.com", ...HALF_OPEN, ...more };
    const secure = tls.connect({ ...options, socket });
    this.#listen(secure);
    await once(secure, "secureConnect");
  }

  /** As the side that was connected to. */
  async acceptsTls(identity: Identity): Promise<void> {
    const { certificatePem: cert, keyPem: key } = identity;
    const server = { isServer: true, secureContext: tls.createSecureContext({ cert, key }) };
    const secure = new tls.TLSSocket(this.#silenced(), { ...server, ...HALF_OPEN });
    this.#listen(secure);
    await once(secure, "secure");
  }

  /** Says no more and still listens. */
  ends(): void {
    this.#socket.end();
  }

  closes(): void {
    this.#socket.destroy();
  }

  /** Takes nothing until it listens again. */
  holds(): void {
    this.#socket.pause();
  }

  listens(): void {
    this.#socket.resume();
  }

  /** As fast as the way takes it; resolves with the bytes it took until the end, or the connection's. */
  async floods(chunk: Uint8Array, mostBytes: number): Promise<number> {
    let sent = 0;
    while (sent < mostBytes && !this.#isClosed) {
      sent += chunk.length;
      if (!this.#socket.write(chunk)) await this.#drained();
    }
    return sent;
  }

  async #drained(): Promise<void> {
    while (this.#socket.writableNeedDrain && !this.#isClosed) await this.#change();
  }

  #silenced(): net.Socket {
    const socket = this.#socket;
    socket.pause();
    socket.removeAllListeners("data");
    return socket;
  }

  #listen(socket: net.Socket): void {
    this.#socket = socket;
    const wake = (): void => {
      for (const one of this.#waiting.splice(0)) one();
    };
    const decoder = new TextDecoder();
    socket.on("data", (bytes: Buffer) => {
      this.#heard += decoder.decode(bytes, { stream: true });
      wake();
    });
    socket.on("end", () => {
      this.#hasEnded = this.#socket === socket;
      wake();
    });
    socket.on("close", () => {
      this.#isClosed = this.#socket === socket;
      wake();
    });
    socket.on("drain", wake);
    socket.on("error", () => {});
  }

  #change(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }
}

const HALF_OPEN = { allowHalfOpen: true };

function find(text: string, wanted: string | RegExp): number | null {
  if (typeof wanted === "string") {
    const at = text.indexOf(wanted);
    return at < 0 ? null : at + wanted.length;
  }
  const match = wanted.exec(text);
  return match === null ? null : match.index + match[0].length;
}

function once(socket: net.Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
  });
}

/** A telephone system that waits for XMPP. */
export class XmppInstance {
  readonly #server: net.Server;
  readonly #come: XmppEnd[] = [];
  #waiting: ((end: XmppEnd) => void)[] = [];

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async listen(at: Endpoint = { address: HERE, port: 0 }): Promise<XmppInstance> {
    const server = net.createServer({ allowHalfOpen: true });
    const instance = new XmppInstance(server);
    server.on("connection", (socket) => instance.#accept(new XmppEnd(socket)));
    await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
    return instance;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** The next connection that comes, or has come. */
  accepts(): Promise<XmppEnd> {
    const end = this.#come.shift();
    if (end !== undefined) return Promise.resolve(end);
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Connections that nobody has taken. */
  get unanswered(): number {
    return this.#come.length;
  }

  close(): void {
    this.#server.close();
  }

  #accept(end: XmppEnd): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#come.push(end);
    else waiting(end);
  }
}
