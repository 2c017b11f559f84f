/**
 * Ten thousand idle TLS connections, from four addresses of the loopback interface: the product holds them, and a
 * call goes through meanwhile. What each of them costs is printed.
 */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { closeAll, expectTones, makeEnds, phoneCalls, phoneHangsUp } from "../e2e/call.ts";

/** As many as this machine lets one process open; on most ones ten thousand. */
const CONNECTIONS = Math.min(10_000, openFilesMax() - 1000);
const SOURCES = ["127.9.9.1", "127.9.9.2", "127.9.9.3", "127.9.9.4"];
const AT_ONCE = 50;
/** They register nothing, which is what these limits are for. */
const LIMITS = { connectionsUnregistered: CONNECTIONS, handshakesPerSecond: 10_000 };

afterEach(closeAll);

function openFilesMax(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Connected, with the ping of RFC 5626 §4.4.1 sent and answered: the product has it. */
function idle(host: string, port: number, localAddress: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host, port, localAddress, rejectUnauthorized: false };
    const socket = connect(options);
    socket.once("secureConnect", () => void socket.write("\r\n\r\n"));
    socket.once("data", () => resolve(socket));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed by the product")));
  });
}

test("10,000 idle connections are held, and a call goes through meanwhile", async () => {
  const ends = await makeEnds({ proxy: { limits: LIMITS } });
  const { at, running, phone } = ends;
  const before = residentKiB(running.pid);
  const { port } = phone.options.proxy;
  const sockets: TLSSocket[] = [];
  let next = 0;
  const opens = async (): Promise<void> => {
    while (next < CONNECTIONS) {
      const source = SOURCES[next++ % SOURCES.length] ?? "";
      sockets.push(await idle(at.outside, port, source));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, opens));
  expect((await at.status()).sip).toMatchObject({ connections: CONNECTIONS + 1 });
  const each = (residentKiB(running.pid) - before) / CONNECTIONS;
  console.log(`${CONNECTIONS} idle TLS connections, each ${each.toFixed(1)} KiB`);
  const talk = await phoneCalls(ends);
  await expectTones(talk);
  await phoneHangsUp(talk);
  expect(sockets.filter((socket) => socket.destroyed)).toEqual([]);
  for (const socket of sockets) socket.destroy();
}, 240_000);
