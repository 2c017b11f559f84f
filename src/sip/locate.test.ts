import { expect, test } from "bun:test";
import type { Resolver, ServiceRecord } from "../io/types.ts";
import { everyAddress, inOrder, type Location, locate } from "./locate.ts";

type Names = Readonly<Record<string, readonly string[]>>;
type Services = Readonly<Record<string, readonly ServiceRecord[] | "fails">>;

function dns(names: Names, services: Services = {}, ttl: Record<string, number> = {}): Resolver {
  return {
    resolve: async (host) => {
      const addresses = /^[0-9.]+$|:/.test(host) ? [host] : names[host];
      if (addresses === undefined) throw new Error(`${host} has no address`);
      return { addresses, ttlSeconds: ttl[host] ?? null };
    },
    resolveService: async (name) => {
      const found = services[name] ?? [];
      if (found === "fails") throw new Error(`no answer from DNS for ${name}`);
      return found;
    },
  };
}

const record = (host: string, priority = 10, weight = 0, port = 5070): ServiceRecord => {
  return { host, port, priority, weight };
};
const asked = { host: "pbx.example", port: undefined, transport: "udp" } as const;
const places = (all: readonly Location[]): string[] =>
  all.map(({ address, port }) => `${address}:${port}`);

test("an address is itself, a name with a port only has addresses: SRV is not asked", async () => {
  const none = dns(
    { "pbx.example": ["10.0.0.1", "fd00::1"] },
    { "_sip._udp.pbx.example": "fails" },
  );
  const literal = await locate(none, { ...asked, host: "10.0.0.9" }, true);
  expect(places(literal.locations)).toEqual(["10.0.0.9:5060"]);
  const named = await locate(none, { ...asked, port: 5080 }, true);
  expect(places(named.locations)).toEqual(["10.0.0.1:5080", "fd00::1:5080"]);
});

test("a name without a port is asked for SRV of its transport, else has its addresses at 5060", async () => {
  const names = {
    "pbx.example": ["10.0.0.1"],
    "a.example": ["10.0.0.2"],
    "b.example": ["10.0.0.3"],
  };
  const answers = dns(names, {
    "_sip._udp.pbx.example": [record("a.example")],
    "_sips._tcp.pbx.example": [record("b.example", 1, 1, 5061)],
  });
  const by = async (transport: "udp" | "tcp" | "tls") =>
    places((await locate(answers, { ...asked, transport }, false)).locations);
  expect(await by("udp")).toEqual(["10.0.0.2:5070"]);
  expect(await by("tls")).toEqual(["10.0.0.3:5061"]);
  expect(await by("tcp")).toEqual(["10.0.0.1:5060"]);
});

test("a host of the records without an address costs only itself; all of them are an error", async () => {
  const services = { "_sip._udp.pbx.example": [record("gone.example"), record("b.example")] };
  const one = await locate(dns({ "b.example": ["10.0.0.3"] }, services), asked, false);
  expect(places(one.locations)).toEqual(["10.0.0.3:5070"]);
  expect(locate(dns({}, services), asked, false)).rejects.toThrow("no server of pbx.example");
  const never = dns({ "pbx.example": ["10.0.0.1"] }, { "_sip._udp.pbx.example": [record(".")] });
  expect(locate(never, asked, false)).rejects.toThrow("DNS says that pbx.example has no SIP");
});

test("a DNS that fails on SRV is no reason to leave where SRV pointed, else the addresses do", async () => {
  const broken = dns({ "pbx.example": ["10.0.0.1"] }, { "_sip._udp.pbx.example": "fails" });
  expect(places((await locate(broken, asked, false)).locations)).toEqual(["10.0.0.1:5060"]);
  expect(locate(broken, asked, true)).rejects.toThrow("no answer from DNS");
});

test("the shortest time to live counts, and none where nobody says", async () => {
  const services = { "_sip._udp.pbx.example": [record("a.example"), record("b.example")] };
  const names = { "a.example": ["10.0.0.2"], "b.example": ["10.0.0.3"] };
  const timed = dns(names, services, { "a.example": 300, "b.example": 20 });
  expect((await locate(timed, asked, false)).ttlSeconds).toBe(20);
  expect((await locate(dns(names, services), asked, false)).ttlSeconds).toBeNull();
});

test("the firewall hears of every address: of the name and of each service", async () => {
  const names = {
    "pbx.example": ["10.0.0.1"],
    "a.example": ["10.0.0.2"],
    "b.example": ["10.0.0.3"],
  };
  const services = {
    "_sip._udp.pbx.example": [record("a.example")],
    "_sips._tcp.pbx.example": [record("b.example")],
  };
  const found = await everyAddress(dns(names, services), "pbx.example");
  expect([...found].sort()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  expect(everyAddress(dns({}), "pbx.example")).rejects.toThrow("has no address");
});

const at = (host: string, priority: number, weight: number): Location => {
  return { host, address: host, port: 5060, priority, weight };
};

test("priorities come one after the other, the addresses of one host stay together", () => {
  const both = [
    at("b", 20, 0),
    { ...at("a", 10, 5), address: "a4" },
    { ...at("a", 10, 5), address: "a6" },
  ];
  expect(inOrder(both, "x").map(({ address }) => address)).toEqual(["a4", "a6", "b"]);
});

test("weights decide how often one is first, and the same seed always gives the same", () => {
  const all = [at("a", 10, 60), at("b", 10, 30), at("c", 10, 10), at("d", 10, 0)];
  const firsts = new Map<string, number>();
  for (let call = 0; call < 4000; call++) {
    const first = inOrder(all, `call ${call}`)[0]!.host;
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
    expect(inOrder(all, `call ${call}`)[0]!.host).toBe(first);
  }
  const share = (host: string): number => (firsts.get(host) ?? 0) / 4000;
  expect(share("a")).toBeCloseTo(0.6, 1);
  expect(share("b")).toBeCloseTo(0.3, 1);
  expect(share("c")).toBeCloseTo(0.1, 1);
  expect(share("d")).toBeLessThan(0.03);
  expect(inOrder(all, "x").length).toBe(4);
});
