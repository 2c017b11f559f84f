/**
 * TCP connections that are spliced: reading can be held back, each way ends by itself, and TLS may begin in
 * their midst, on either side. node:net and node:tls, whose handshake inside an open connection has no
 * deadline of its own.
 */
import net from "node:net";
import tls from "node:tls";
import { setReceiveBuffer } from "./socket-options.ts";
import { endpointOf, keepAlive, listening } from "./streams.ts";
import { isSameServer, serverTlsOptions } from "./tls-options.ts";
import type {
  ByteStream,
  ByteStreamEvents,
  ConnectByteStreamOptions,
  Endpoint,
  ListenByteStreamsOptions,
  StreamListener,
} from "./types.ts";
import { listenError } from "./udp.ts";

/**
 * What has been read for a peer that takes nothing waits with us: one read, and what Node lets wait before it
 * says so (16 KiB), 64 KiB together. The kernel gives twice of what is asked for.
 */
const RECEIVE_BUFFER_BYTES = 24_576;

/** node:net's handle carries the descriptor; Bun's types leave it out. */
type WithHandle = { readonly _handle?: { readonly fd?: number } | null };

/** Begins TLS on a connection that was silenced, and the event that says it stands. */
type Upgrade = {
  begin(socket: net.Socket, first: Uint8Array | undefined): tls.TLSSocket;
  readonly done: "secure" | "secureConnect";
};

/** Taken by TLS too; Bun's types of tls.connect leave it out. */
const HALF_OPEN = { allowHalfOpen: true };

const NOBODY: ByteStreamEvents = { data() {}, drained() {}, ended() {}, closed() {} };

class SocketStream implements ByteStream {
  readonly remote: Endpoint;
  events: ByteStreamEvents = NOBODY;
  #socket: net.Socket;
  #reason = "closed by the peer";
  readonly #upgrade: Upgrade;
  readonly #timeoutMs: number;

  constructor(socket: net.Socket, upgrade: Upgrade, timeoutMs: number) {
    this.#socket = socket;
    this.#upgrade = upgrade;
    this.#timeoutMs = timeoutMs;
    this.remote = endpointOf(socket.remoteAddress, socket.remotePort);
    keepAlive(socket);
    const fd = (socket as WithHandle)._handle?.fd;
    if (fd !== undefined) setReceiveBuffer(fd, RECEIVE_BUFFER_BYTES);
    socket.pause();
    this.#listen(socket);
  }

  get serverName(): string | null {
    const { servername } = this.#socket as { readonly servername?: string | false };
    return typeof servername === "string" && servername !== "" ? servername : null;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#socket.writable || this.#socket.write(bytes)) return true;
    // Node looks at how much it was, not at what the kernel has left of it.
    return this.#socket.writableLength === 0;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  startTls(first?: Uint8Array): Promise<void> {
    const below = this.#socket;
    below.pause(); // else `first` is not what TLS reads
    below.removeAllListeners("data");
    const secure = this.#upgrade.begin(below, first);
    this.#socket = secure;
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#reason = `no TLS within ${this.#timeoutMs} ms`;
        below.destroy();
      }, this.#timeoutMs);
      const failed = (): void => {
        clearTimeout(deadline);
        below.destroy();
        reject(new Error(this.#reason));
      };
      const broken = (error: Error): void => {
        this.#reason = error.message;
      };
      secure.on("error", broken);
      secure.once("close", failed);
      secure.once(this.#upgrade.done, () => {
        clearTimeout(deadline);
        secure.off("close", failed);
        secure.off("error", broken);
        secure.pause();
        this.#listen(secure);
        resolve();
      });
    });
  }

  /** What a connection below TLS goes through is reported by TLS. `closed` comes once, and last. */
  #listen(socket: net.Socket): void {
    socket.on("data", (bytes: Buffer) => this.events.data(bytes));
    socket.on("drain", () => this.#socket === socket && this.events.drained());
    socket.on("end", () => this.#socket === socket && this.events.ended());
    socket.on("error", (error: Error) => {
      this.#reason = error.message;
    });
    socket.on("close", () => this.#socket === socket && this.events.closed(this.#reason));
  }
}

/** @see ListenByteStreams in types.ts */
export async function listenByteStreams(o: ListenByteStreamsOptions): Promise<StreamListener> {
  let options = serverTlsOptions(o.identity);
  /** The chain and key as TLS keeps them: parsed once, not for each connection. */
  let context = tls.createSecureContext(options);
  const upgrade: Upgrade = {
    done: "secure",
    begin(socket, first) {
      if (first !== undefined) socket.unshift(first);
      const server = { isServer: true, secureContext: context, ...HALF_OPEN };
      return new tls.TLSSocket(socket, { ...server, ALPNProtocols: [o.protocol] });
    },
  };
  const server = net.createServer(HALF_OPEN, (socket) => {
    socket.on("error", () => {});
    if (o.admits(endpointOf(socket.remoteAddress, socket.remotePort))) {
      o.accept(new SocketStream(socket, upgrade, o.handshakeTimeoutMs));
    } else socket.destroy();
  });
  const local = await listening(server, o.local).catch((error) => {
    throw listenError(error, "TCP", o.local);
  });
  return {
    local,
    setIdentity(next) {
      const wanted = serverTlsOptions(next);
      if (isSameServer(options, wanted)) return;
      options = wanted;
      context = tls.createSecureContext(wanted);
    },
    close: () => void server.close(),
  };
}

/** The certificate is for one of these names, whichever the operator of the far end has chosen. */
function isForOneOf(names: readonly string[]): typeof tls.checkServerIdentity {
  return (_, certificate) => {
    const problems = names.map((name) => tls.checkServerIdentity(name, certificate));
    return problems.includes(undefined) ? undefined : problems[0];
  };
}

/** @see ConnectByteStream in types.ts */
export async function connectByteStream(o: ConnectByteStreamOptions): Promise<ByteStream> {
  const { names, verify, caPem, protocol } = o.tls;
  const upgrade: Upgrade = {
    done: "secureConnect",
    begin(socket) {
      const options: tls.ConnectionOptions = {
        ALPNProtocols: [protocol],
        ...(net.isIP(names[0]) === 0 ? { servername: names[0] } : {}),
        rejectUnauthorized: verify,
        checkServerIdentity: isForOneOf(names),
        minVersion: "TLSv1.2",
        ...(caPem === null ? {} : { ca: caPem }),
      };
      return tls.connect({ ...options, ...HALF_OPEN, socket });
    },
  };
  const socket = net.connect({
    host: o.remote.address,
    port: o.remote.port,
    localAddress: o.local.address,
    ...HALF_OPEN,
  });
  await connected(socket, o.timeoutMs);
  return new SocketStream(socket, upgrade, o.timeoutMs);
}

function connected(socket: net.Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(deadline);
      socket.destroy();
      reject(new Error(reason));
    };
    const deadline = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
    const failed = (error: Error): void => fail(error.message);
    const closed = (): void => fail("closed by the peer");
    socket.on("error", failed);
    socket.once("close", closed);
    socket.once("connect", () => {
      clearTimeout(deadline);
      socket.off("error", failed);
      socket.off("close", closed);
      resolve();
    });
  });
}
