/**
 * A unix socket with one line for a request and one for its answer. Each peer is shown with what the kernel
 * knows of it before a byte of it is read. Requests of one connection are answered in their order.
 */
import { removeFile } from "./files.ts";
import { type PeerCredentials, peerCredentials } from "./peer-credentials.ts";

export type LineServerOptions = {
  /** A socket that is open already (systemd's), or a path, which only the owner and its group may use. */
  readonly at: { readonly fd: number } | { readonly path: string };
  readonly longestLineBytes: number;
  readonly mostConnections: number;
  /** null = the peer may go on; else what it is told before it is hung up on. */
  refusal(peer: PeerCredentials | null): string | null;
  /** Must not reject. */
  answer(line: string): Promise<string>;
  /** A line that is too long: what the peer is told before it is hung up on. */
  tooLong(): string;
  /** The number of connections became 0, or is no longer. */
  idle(isIdle: boolean): void;
};

type Peer = { pending: Buffer; last: Promise<unknown>; isOver: boolean; isAccepted: boolean };

const NEWLINE = 0x0a;
/** How long a peer that was hung up on may take to hang up itself. */
const HANG_UP_SECONDS = 2;

/** Throws when the socket cannot be opened. */
export function serveLines(o: LineServerOptions): { close(): void } {
  let connections = 0;
  const socket: Bun.SocketHandler<Peer> = {
    open(one) {
      one.data = {
        pending: Buffer.alloc(0),
        last: Promise.resolve(),
        isOver: false,
        isAccepted: false,
      };
      // `fd` is missing in the types; without it nobody is known, and so nobody let in.
      const { fd = -1 } = one as { readonly fd?: number };
      const refused = o.refusal(peerCredentials(fd));
      if (refused !== null) return hangUp(one, refused);
      if (connections >= o.mostConnections) return void one.terminate();
      one.data.isAccepted = true;
      connections += 1;
      o.idle(false);
    },
    data(one, bytes) {
      const peer = one.data;
      if (peer.isOver) return;
      peer.pending = Buffer.concat([peer.pending, bytes]);
      for (let end = peer.pending.indexOf(NEWLINE); end >= 0; end = peer.pending.indexOf(NEWLINE)) {
        const line = peer.pending.subarray(0, end).toString();
        peer.pending = peer.pending.subarray(end + 1);
        if (end > o.longestLineBytes) return hangUp(one, o.tooLong());
        peer.last = peer.last.then(async () => {
          const answer = await o.answer(line);
          if (!peer.isOver) one.write(`${answer}\n`);
        });
      }
      if (peer.pending.length > o.longestLineBytes) hangUp(one, o.tooLong());
    },
    close(one) {
      one.data.isOver = true;
      if (!one.data.isAccepted) return;
      connections -= 1;
      if (connections === 0) o.idle(true);
    },
    timeout(one) {
      one.terminate();
    },
    error(one) {
      one.terminate();
    },
  };
  return listen(o.at, socket);
}

function hangUp(one: Bun.Socket<Peer>, line: string): void {
  one.data.isOver = true;
  one.write(`${line}\n`);
  // Closed outright, with bytes of the peer unread, the answer could be lost on its way.
  one.shutdown();
  one.timeout(HANG_UP_SECONDS);
}

function listen(at: LineServerOptions["at"], socket: Bun.SocketHandler<Peer>): { close(): void } {
  if ("fd" in at) {
    // Bun takes a listening socket by its number; its types do not know.
    const server: { stop(isHard: boolean): void } = Bun.listen({ fd: at.fd, socket } as never);
    return { close: () => server.stop(false) };
  }
  removeFile(at.path);
  const mask = process.umask(0o117);
  try {
    const server = Bun.listen<Peer>({ unix: at.path, socket });
    return { close: () => server.stop(false) };
  } finally {
    process.umask(mask);
  }
}
