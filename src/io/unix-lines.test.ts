/** The line socket over real unix sockets: who is let in, how long a line may be, what is answered when. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerCredentials } from "./peer-credentials.ts";
import { type LineServerOptions, serveLines } from "./unix-lines.ts";

type Opened = {
  readonly path: string;
  readonly asked: string[];
  readonly peers: (PeerCredentials | null)[];
  readonly idle: boolean[];
  close(): void;
};

function open(o: Partial<LineServerOptions> = {}): Opened {
  const path = join(mkdtempSync(join(tmpdir(), "pequod-")), "s.sock");
  const asked: string[] = [];
  const peers: (PeerCredentials | null)[] = [];
  const idle: boolean[] = [];
  const server = serveLines({
    at: { path },
    longestLineBytes: 100,
    mostConnections: 2,
    refusal(peer) {
      peers.push(peer);
      return null;
    },
    async answer(line) {
      asked.push(line);
      return `<${line}>`;
    },
    tooLong: () => "too long",
    idle: (isIdle) => void idle.push(isIdle),
    ...o,
  });
  return { path, asked, peers, idle, close: () => server.close() };
}

/** Everything that comes back until the other side ends, or until `lines` lines are there. */
function talk(path: string, text: string, lines = Number.POSITIVE_INFINITY): Promise<string> {
  return new Promise((settle) => {
    let got = "";
    const socket = connect(path, () => socket.write(text));
    socket.on("data", (bytes) => {
      got += bytes.toString();
      if (got.split("\n").length > lines) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => settle(got));
  });
}

describe("a peer that may ask", () => {
  test("is known by what the kernel says, and answered line by line", async () => {
    const server = open();
    expect(await talk(server.path, "a\nb\n\n", 3)).toBe("<a>\n<b>\n<>\n");
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    expect(server.peers).toEqual([{ pid: process.pid, uid, gid }]);
    expect(statSync(server.path).mode & 0o777).toBe(0o660);
    server.close();
  });

  test("may send a line in pieces, and one that has no end yet is not asked", async () => {
    const server = open();
    const answer = new Promise<string>((settle) => {
      const socket = connect(server.path, () => {
        socket.write("he");
        socket.write("llo\nrest", () => {});
      });
      socket.on("data", (bytes) => {
        settle(bytes.toString());
        socket.destroy();
      });
    });
    expect(await answer).toBe("<hello>\n");
    expect(server.asked).toEqual(["hello"]);
    server.close();
  });
});

test("a peer that may not ask is told so and hung up on; nothing of it is read", async () => {
  const server = open({ refusal: () => "no" });
  expect(await talk(server.path, "a\n")).toBe("no\n");
  expect(server.asked).toEqual([]);
  expect(server.idle).toEqual([]);
  server.close();
});

test("a line that is too long ends the connection, with or without its end", async () => {
  const server = open();
  expect(await talk(server.path, "x".repeat(101))).toBe("too long\n");
  expect(await talk(server.path, `${"x".repeat(101)}\n`)).toBe("too long\n");
  expect(await talk(server.path, `${"x".repeat(100)}\n`, 1)).toBe(`<${"x".repeat(100)}>\n`);
  expect(server.asked).toHaveLength(1);
  server.close();
});

test("connections beyond the limit are ended at once, and idle is told when all are gone", async () => {
  const server = open({ mostConnections: 1 });
  const first = connect(server.path);
  await new Promise((settle) => first.once("connect", settle));
  expect(await talk(server.path, "a\n")).toBe("");
  first.destroy();
  await new Promise((settle) => first.once("close", settle));
  expect(await talk(server.path, "b\n", 1)).toBe("<b>\n");
  expect(server.idle.slice(0, 3)).toEqual([false, true, false]);
  server.close();
});
