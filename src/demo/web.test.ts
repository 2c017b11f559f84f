import { afterAll, beforeAll, expect, test } from "bun:test";
import type { HttpListener } from "../io/http-types.ts";
import type { Endpoint } from "../io/types.ts";
import { realWorld } from "../io/world.ts";
import { macOf, phoneConfigurations } from "./phone-configuration.ts";
import { openDemoWeb } from "./web.ts";

let web: HttpListener;
let proxy: Endpoint | null = { address: "192.168.1.5", port: 5061 };

beforeAll(async () => {
  const accounts = { domain: "demo", users: ["100", "101"], password: "secret" };
  web = await openDemoWeb(realWorld, { address: "127.0.0.1", port: 0 }, [
    phoneConfigurations({ ...accounts, proxy: () => proxy }),
  ]);
});
afterAll(() => web.close());

const ask = (path: string, method = "GET") =>
  fetch(`http://127.0.0.1:${web.local.port}${path}`, { method });

test("each user's phone gets what it needs to register, whatever file it asks for", async () => {
  expect(macOf("101")).toBe("020000000101");
  for (const path of ["/p/demo/020000000101", "/p/demo/020000000101/x.cfg?a=b"]) {
    const answer = await ask(path);
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(text).toContain("account.1.user_name = 101\n");
    expect(text).toContain("account.1.outbound_proxy.1.address = 192.168.1.5\n");
  }
});

test("nothing else is there, and nothing can be sent", async () => {
  for (const path of ["/", "/p/demo/020000000199", "/p/other/020000000101", "/p/demo"]) {
    expect((await ask(path)).status).toBe(404);
  }
  expect((await ask("/p/demo/020000000101", "POST")).status).toBe(404);
  proxy = null;
  expect((await ask("/p/demo/020000000101")).status).toBe(404);
});
