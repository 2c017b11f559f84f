import { describe, expect, test } from "bun:test";
import type { ProxyConfig } from "../config/config.ts";
import type { Endpoint } from "../io/types.ts";
import { Listeners, openBoth } from "./listeners.ts";

const HERE = "192.0.2.1";
const at = (port: number, address = HERE): Endpoint => ({ address, port });
const config = {} as ProxyConfig;

/** Listeners on a machine where the ports in `taken` cannot be had, and a list of what happened. */
function listeners(taken: readonly number[] = []) {
  const happened: string[] = [];
  const made = new Listeners({
    async listen(local) {
      if (taken.includes(local.port)) throw new Error(`port ${local.port} is taken`);
      happened.push(`open ${local.port}`);
      return { local, close: () => void happened.push(`close ${local.port}`) };
    },
    closed: ({ local }) => void happened.push(`ended ${local.port}`),
  });
  return { made, happened, ports: () => made.all.map(({ local }) => local.port) };
}

describe("open ports", () => {
  test("a change opens what is new before it closes what is not wanted any more", async () => {
    const { made, happened } = listeners();
    (await made.open([at(1), at(2)], config)).keep();
    happened.length = 0;
    const opened = await made.open([at(2), at(3)], config);
    expect(happened).toEqual(["open 3"]);
    opened.keep();
    expect(happened).toEqual(["open 3", "close 1", "ended 1"]);
  });

  test("a port that cannot be had leaves all as it was", async () => {
    const { made, happened, ports } = listeners([9]);
    (await made.open([at(1)], config)).keep();
    await expect(made.open([at(2), at(9)], config)).rejects.toThrow("port 9 is taken");
    expect(ports()).toEqual([1]);
    expect(happened).toEqual(["open 1", "open 2", "close 2", "ended 2"]);
  });

  test("of two kinds a failure of the second undoes the first", async () => {
    const first = listeners();
    const second = listeners([9]);
    const both = openBoth(
      () => first.made.open([at(1)], config),
      () => second.made.open([at(9)], config),
    );
    await expect(both).rejects.toThrow("port 9 is taken");
    expect(first.ports()).toEqual([]);
  });

  test("the address of the peer's family is the one it came to, and has its own name", async () => {
    const { made } = listeners();
    (await made.open([at(5061), at(5061, "2001:db8::1")], config)).keep();
    expect(made.towards("198.51.100.7")?.local.address).toBe(HERE);
    expect(made.towards("2001:db8::7")?.local.address).toBe("2001:db8::1");
    expect(Object.keys(made.named("web"))).toEqual(["web", "web6"]);
  });
});
