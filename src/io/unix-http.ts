/**
 * HTTP over a unix socket, for its owner and its folder's group only: how a proxy is asked for its status and
 * told the little that an operator may change in it.
 */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { removeFile } from "./files.ts";
import { ListenError } from "./types.ts";

export type UnixReply = { readonly type: string; readonly body: string };

export type UnixAnswers = {
  /** null = there is no such path. */
  get(path: string, query: URLSearchParams): UnixReply | null;
  /** Takes something away; false = it was not there. */
  remove(path: string, query: URLSearchParams): boolean;
};

const LONGEST_PATH_BYTES = 107;
const ASK_TIMEOUT_MS = 5000;

/** A socket file that nobody answers on was left by a process that was killed. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      settle(true);
    });
    socket.once("error", () => settle(false));
  });
}

/** Rejects with ListenError. */
export async function serveUnix(path: string, answers: UnixAnswers): Promise<{ close(): void }> {
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
    throw new ListenError(`the path of the status socket is longer than 107 bytes: ${path}`);
  }
  if (existsSync(path)) {
    if (await isAlive(path)) throw new ListenError(`the status socket is in use: ${path}`);
    removeFile(path);
  }
  // The folder says who gets near it: root gives it the admin's group, which goes over to the socket.
  const mask = process.umask(0o117);
  try {
    const server = Bun.serve({
      unix: path,
      fetch(request) {
        const { pathname, searchParams } = new URL(request.url);
        if (request.method === "DELETE") {
          const path = decoded(pathname);
          const isDone = path !== null && answers.remove(path, searchParams);
          return new Response(null, { status: isDone ? 204 : 404 });
        }
        const found = request.method === "GET" ? answers.get(pathname, searchParams) : null;
        if (found === null) return new Response(null, { status: 404 });
        return new Response(found.body, { headers: { "content-type": found.type } });
      },
    });
    return { close: () => void server.stop(true) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ListenError(`cannot open the status socket ${path}: ${reason}`, { cause: error });
  } finally {
    process.umask(mask);
  }
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** The body of GET `path`; rejects when nobody answers. */
export async function askUnix(socket: string, path: string): Promise<string> {
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  const response = await fetch(`http://localhost${path}`, { unix: socket, signal });
  if (!response.ok) throw new Error(`${socket} answered ${response.status}`);
  return response.text();
}

/** DELETE `path`; false = it was not there. Rejects when nobody answers. */
export async function deleteUnix(socket: string, path: string): Promise<boolean> {
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  const url = `http://localhost${path}`;
  const response = await fetch(url, { method: "DELETE", unix: socket, signal });
  if (response.status !== 204 && response.status !== 404) {
    throw new Error(`${socket} answered ${response.status}`);
  }
  return response.status === 204;
}
