/**
 * TCP and TLS, accepted and connected, behind the Connection type. node:tls rather than Bun.listen:
 * it swaps certificates without closing connections and chooses by SNI.
 */
import net from "node:net";
import tls from "node:tls";
import { setKeepAlive, setTrafficClass } from "./socket-options.ts";
import { isSameServer, serverTlsOptions } from "./tls-options.ts";
import type {
  Connection,
  ConnectionEvents,
  ConnectStreamOptions,
  ConnectTo,
  Endpoint,
  ListenStreamOptions,
  StreamListener,
} from "./types.ts";
import { listenError } from "./udp.ts";

/** node:net's handle carries the descriptor; Bun's types leave it out. */
type WithHandle = { readonly _handle?: { readonly fd?: number } | null };

/** What a listener has its connections inherit, from their SYN-ACK on. */
function mark(socket: net.Socket | net.Server, address: string, trafficClass?: number): void {
  const fd = (socket as WithHandle)._handle?.fd;
  if (fd === undefined || trafficClass === undefined) return;
  setTrafficClass(fd, net.isIPv6(address), trafficClass);
}

/** TCP keep-alive, and no waiting for more to send. */
export function keepAlive(socket: net.Socket): void {
  const fd = (socket as WithHandle)._handle?.fd;
  if (fd !== undefined) setKeepAlive(fd);
  socket.setNoDelay(true);
}

export function endpointOf(address: string | undefined, port: number | undefined): Endpoint {
  const text = address ?? "0.0.0.0";
  return { address: text.startsWith("::ffff:") ? text.slice(7) : text, port: port ?? 0 };
}

function wrap(socket: net.Socket, transport: "tcp" | "tls"): Connection {
  return {
    transport,
    local: endpointOf(socket.localAddress, socket.localPort),
    remote: endpointOf(socket.remoteAddress, socket.remotePort),
    get pendingBytes() {
      return socket.writableLength;
    },
    write(bytes) {
      if (!socket.destroyed && socket.writable) socket.write(bytes);
    },
    end: () => socket.end(),
    destroy: () => socket.destroy(),
  };
}

/** Reports `closed` exactly once, whatever order node reports end, error and close in. */
function attach(socket: net.Socket, events: ConnectionEvents): void {
  let reason = "closed by the peer";
  socket.on("data", (bytes: Buffer) => events.data(bytes));
  socket.on("error", (error: Error) => {
    reason = error.message;
  });
  socket.on("close", () => events.closed(reason));
}

function createServer(options: ListenStreamOptions): net.Server {
  const refused = options.refused ?? (() => {});
  const admits = options.admits ?? (() => true);
  if (options.identity === undefined) {
    return net.createServer((socket) => {
      socket.on("error", () => {});
      if (!admits(endpointOf(socket.remoteAddress, socket.remotePort))) {
        socket.destroy();
        return;
      }
      keepAlive(socket);
      attach(socket, options.accept(wrap(socket, "tcp")));
    });
  }
  const server = tls.createServer(
    {
      ...serverTlsOptions(options.identity, options.allowsTls10),
      handshakeTimeout: options.handshakeTimeoutMs,
    },
    (socket) => {
      keepAlive(socket);
      attach(socket, options.accept(wrap(socket, "tls")));
    },
  );
  const unwelcome = new WeakSet<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    if (admits(endpointOf(socket.remoteAddress, socket.remotePort))) return;
    unwelcome.add(socket);
    socket.destroy();
  });
  // A handshake that fails or times out leaves the socket open unless we close it.
  server.on("tlsClientError", (error: Error, socket: tls.TLSSocket) => {
    if (unwelcome.has(socket)) return;
    const remote =
      socket.remoteAddress === undefined
        ? null
        : endpointOf(socket.remoteAddress, socket.remotePort);
    socket.destroy();
    refused(remote, error.message);
  });
  return server;
}

/** Where it listens, once it does: port 0 has become a real one. */
export function listening(server: net.Server, { address, port }: Endpoint): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port, backlog: 1024 }, () => {
      server.off("error", reject);
      server.on("error", () => {}); // an accept() that failed (EMFILE): the listener lives on
      const bound = server.address();
      resolve({ address, port: bound !== null && typeof bound === "object" ? bound.port : port });
    });
  });
}

/** @see ListenStream in types.ts */
export async function listenStream(options: ListenStreamOptions): Promise<StreamListener> {
  const { local } = options;
  const protocol = options.identity === undefined ? "TCP" : "TLS";
  let server: net.Server;
  let bound: Endpoint;
  try {
    server = createServer(options);
    bound = await listening(server, local);
  } catch (error) {
    throw listenError(error, protocol, local);
  }
  mark(server, local.address, options.trafficClass);
  const { identity, allowsTls10 } = options;
  let secure = identity === undefined ? null : serverTlsOptions(identity, allowsTls10);
  return {
    local: bound,
    setIdentity(identity, allowsTls10) {
      const wanted = serverTlsOptions(identity, allowsTls10);
      if (!(server instanceof tls.Server) || isSameServer(secure, wanted)) return;
      server.setSecureContext(wanted);
      secure = wanted;
    },
    close: () => void server.close(),
  };
}

/** Begins; with `tls` it stands at `secureConnect`, else at `connect`. */
export function startConnecting(options: ConnectTo): net.Socket {
  const to = {
    host: options.remote.address,
    port: options.remote.port,
    localAddress: options.local.address,
  };
  if (options.tls === undefined) return net.connect(to);
  const { serverName, verify, caPem } = options.tls;
  return tls.connect({
    ...to,
    ...(net.isIP(serverName) === 0 ? { servername: serverName } : {}),
    rejectUnauthorized: verify,
    minVersion: "TLSv1.2",
    ...(caPem === null ? {} : { ca: caPem }),
  });
}

/** @see ConnectStream in types.ts */
export function connectStream(options: ConnectStreamOptions): Promise<Connection> {
  const transport = options.tls === undefined ? "tcp" : "tls";
  return new Promise((resolve, reject) => {
    let settled = false;
    const socket = startConnecting(options);
    const fail = (reason: string): void => {
      if (settled) return;
      settled = true;
      clearTimeout(deadline);
      socket.destroy();
      reject(new Error(reason));
    };
    const deadline = setTimeout(
      () => fail(`no connection within ${options.timeoutMs} ms`),
      options.timeoutMs,
    );
    socket.on("error", (error: Error) => fail(error.message));
    socket.once(transport === "tls" ? "secureConnect" : "connect", () => {
      if (settled) return;
      settled = true;
      clearTimeout(deadline);
      keepAlive(socket);
      mark(socket, options.local.address, options.trafficClass);
      attach(socket, options.events);
      resolve(wrap(socket, transport));
    });
    socket.once("close", () => fail("closed by the peer"));
  });
}
