import { afterEach, expect, test } from "bun:test";
import { selfSignedServerIdentity } from "../tls/self-signed.ts";
import { type HttpsServer, serveHttps } from "./https-server.ts";
import { ListenError } from "./types.ts";

const identity = await selfSignedServerIdentity({
  names: ["localhost", "127.0.0.1"],
  notBefore: new Date("2026-01-01T00:00:00Z"),
  days: 3650,
  serial: new Uint8Array(16).fill(5),
});
const servers: HttpsServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

function serve(port: number, answer: (request: Request, address: string) => Response): HttpsServer {
  const local = { address: "127.0.0.1", port };
  const options = { local, identity, longestBodyBytes: 1000, isStream: () => false, answer };
  const server = serveHttps(options);
  servers.push(server);
  return server;
}

const insecure = { tls: { rejectUnauthorized: false } };

test("answers on its port with the address of the client", async () => {
  const { local } = serve(0, (_, address) => new Response(address));
  expect(local.port).toBeGreaterThan(0);
  const response = await fetch(`https://127.0.0.1:${local.port}/`, insecure);
  expect(await response.text()).toBe("127.0.0.1");
});

test("a body that is too long is 413 before it is read, a mistake of ours is 500 without words", async () => {
  const { local } = serve(0, () => {
    throw new Error("secret");
  });
  const origin = `https://127.0.0.1:${local.port}/`;
  const long = { method: "POST", body: "x".repeat(2000), ...insecure };
  expect((await fetch(origin, long)).status).toBe(413);
  const broken = await fetch(origin, insecure);
  expect([broken.status, await broken.text()]).toEqual([500, ""]);
});

test("a taken port is told in one line", () => {
  const { local } = serve(0, () => new Response());
  expect(() => serve(local.port, () => new Response())).toThrow(ListenError);
});
