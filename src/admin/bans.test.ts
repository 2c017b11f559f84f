import { describe, expect, test } from "bun:test";
import { type AdminPlace, adminPlace, PROXY } from "../../test/flows/admin-place.ts";

const since = "2026-01-02T00:00:00.000Z";
const until = "2026-01-02T00:15:00.000Z";
const ban = (address: string, user: string | null = null) => {
  return { address, user, reason: "wrong-password", since, until };
};

/** One running proxy that keeps out an address, a network and a user. */
async function placeWithBans(o: { hasHelper?: boolean } = {}): Promise<AdminPlace> {
  const place = await adminPlace(o);
  await place.ask("POST", "/proxies", PROXY);
  const bans = [ban("203.0.113.9"), ban("2001:db8::/64"), ban("198.51.100.9", "100@mycompany")];
  place.bans.set("dmz", bans);
  place.processes.running.add("dmz");
  return place;
}

/** Until nothing that was begun is under way. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((go) => setImmediate(go));
}

async function passes(place: AdminPlace, ms: number): Promise<void> {
  place.clock.advance(ms);
  await rest();
}

describe("over the API", () => {
  test("who is kept out is seen, and one is let in again", async () => {
    const place = await placeWithBans();
    const { body } = await place.ask("GET", "/proxies/dmz/bans");
    expect(body).toEqual(place.bans.get("dmz") ?? []);
    expect((await place.ask("DELETE", "/proxies/dmz/bans/203.0.113.9")).status).toBe(204);
    expect((await place.ask("DELETE", "/proxies/dmz/bans/203.0.113.9")).status).toBe(404);
    const ofUser = "/proxies/dmz/bans/198.51.100.9?user=100%40mycompany";
    expect((await place.ask("DELETE", ofUser)).status).toBe(204);
    expect((await place.ask("DELETE", "/proxies/dmz/bans/2001:db8::%2F64")).status).toBe(204);
    expect((await place.ask("GET", "/proxies/dmz/bans")).body).toEqual([]);
  });

  test("what is no address, no proxy or not running is refused", async () => {
    const place = await placeWithBans();
    expect((await place.ask("DELETE", "/proxies/dmz/bans/x%20y")).body.type).toBe("not-found");
    expect((await place.ask("GET", "/proxies/none/bans")).body.type).toBe("not-found");
    place.processes.running.clear();
    expect((await place.ask("GET", "/proxies/dmz/bans")).body.type).toBe("not-running");
    const address = "/proxies/dmz/bans/203.0.113.9";
    expect((await place.ask("DELETE", address)).body.type).toBe("not-running");
    expect((await place.raw(`/api/v1${address}`, { method: "DELETE" })).status).toBe(401);
  });
});

describe("on the proxy's page", () => {
  const visit = (place: AdminPlace, path: string, form?: Record<string, string>) => {
    const headers = { cookie: `__Host-pequod=${place.token}; pequod-language=de` };
    const init = form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) };
    return place.raw(path, { ...init, headers });
  };

  test("bans stand with reason and end, and a button lifts each", async () => {
    const place = await placeWithBans();
    const html = await (await visit(place, "/proxies/dmz")).text();
    expect(html).toContain("falsche Passwörter");
    expect(html).toContain("203.0.113.9 wieder zulassen");
    expect(html).toContain("100@mycompany wieder zulassen");
    const lifted = await visit(place, "/proxies/dmz/unban", { address: "203.0.113.9" });
    expect(lifted.headers.get("location")).toBe("/proxies/dmz?done=unbanned");
    const form = { address: "198.51.100.9", user: "100@mycompany" };
    expect((await visit(place, "/proxies/dmz/unban", form)).status).toBe(303);
    expect(place.bans.get("dmz")?.map(({ address }) => address)).toEqual(["2001:db8::/64"]);
    expect((await visit(place, "/proxies/dmz/unban", form)).status).toBe(404);
  });

  test("nobody is banned: nothing is said of it", async () => {
    const place = await placeWithBans();
    place.bans.clear();
    expect(await (await visit(place, "/proxies/dmz")).text()).not.toContain("Gesperrt");
  });
});

describe("into the firewall", () => {
  test("addresses go to the helper once, with the seconds that are left, users do not", async () => {
    const place = await placeWithBans({ hasHelper: true });
    await passes(place, 2000);
    const told = ["ban dmz 203.0.113.9 898", "ban dmz 2001:db8:: 898"];
    expect(place.helper.asked).toEqual(told);
    await passes(place, 2000);
    expect(place.helper.asked).toEqual(told);
  });

  test("a lifted ban is lifted there, one that ended ends by the kernel's clock", async () => {
    const place = await placeWithBans({ hasHelper: true });
    await passes(place, 2000);
    place.bans.set("dmz", [ban("2001:db8::/64")]);
    await passes(place, 2000);
    expect(place.helper.asked.at(-1)).toBe("unban dmz 203.0.113.9");
    place.bans.clear();
    await passes(place, 900_000);
    await passes(place, 2000);
    expect(place.helper.asked.filter((one) => one.startsWith("unban"))).toHaveLength(1);
  });

  test("a helper that is away is asked again, and no process that ended lifts a ban", async () => {
    const place = await placeWithBans({ hasHelper: true });
    place.helper.error = "away";
    await passes(place, 2000);
    place.helper.error = null;
    place.processes.running.clear();
    await passes(place, 2000);
    place.processes.running.add("dmz");
    place.helper.asked.length = 0;
    await passes(place, 2000);
    expect(place.helper.asked).toEqual(["ban dmz 203.0.113.9 894", "ban dmz 2001:db8:: 894"]);
    place.processes.running.clear();
    await passes(place, 2000);
    expect(place.helper.asked.some((one) => one.startsWith("unban"))).toBe(false);
  });
});
