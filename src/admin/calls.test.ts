import { expect, test } from "bun:test";
import { type AdminPlace, adminPlace, PROXY } from "../../test/flows/admin-place.ts";
import { type CallReport, FINDINGS, type LegReport } from "../health/calls.ts";

const LEG: LegReport = {
  codec: "PCMA",
  isEncrypted: true,
  packets: 3000,
  octets: 516_000,
  rtcpPackets: 12,
  lost: 3,
  lossPercent: 0.1,
  jitterMs: 2.5,
  duplicates: 1,
  reordered: 2,
  roundTripMs: 37,
  peerLossPercent: 4.5,
  peerJitterMs: 8,
  mos: 4.37,
  lastSeen: "2026-01-02T00:01:00.000Z",
  source: "198.51.100.9:4000",
  moves: 1,
  foreign: 7,
  drops: { "foreign-source": 7 },
};

function call(callId: string, o: Partial<CallReport> = {}): CallReport {
  return {
    callId,
    instance: "mycompany",
    caller: "phone",
    from: "100@mycompany",
    to: "<600>@mycompany",
    begun: "2026-01-02T00:00:00.000Z",
    answered: "2026-01-02T00:00:05.000Z",
    ended: "2026-01-02T01:01:10.000Z",
    reason: "bye",
    seconds: 3665,
    diagnosis: [{ code: "loss-to-phone", text: FINDINGS["loss-to-phone"] }],
    streams: [{ type: "audio", phone: LEG, instance: { ...LEG, mos: null, roundTripMs: null } }],
    ...o,
  };
}

async function placeWithCalls(...calls: CallReport[]): Promise<AdminPlace> {
  const place = await adminPlace();
  await place.ask("POST", "/proxies", PROXY);
  place.calls.push(...calls);
  place.processes.running.add("dmz");
  return place;
}

async function page(place: AdminPlace, path: string, language = "de"): Promise<string> {
  const headers = { cookie: `__Host-pequod=${place.token}; pequod-language=${language}` };
  return (await place.raw(path, { headers })).text();
}

test("over the API the calls of a running proxy are seen, all or those that are wanted", async () => {
  const place = await placeWithCalls(call("a@1"), call("b@1"));
  const { body } = await place.ask("GET", "/proxies/dmz/calls");
  expect(body).toEqual({ running: 0, ended: 2, calls: place.calls });
  expect((await place.ask("GET", "/proxies/dmz/calls?q=b%401")).body.calls).toEqual([
    place.calls[1],
  ]);
  expect((await place.ask("GET", "/proxies/none/calls")).body.type).toBe("not-found");
  place.processes.running.clear();
  expect((await place.ask("GET", "/proxies/dmz/calls")).body.type).toBe("not-running");
  expect((await place.raw("/api/v1/proxies/dmz/calls")).status).toBe(401);
});

test("the page shows duration, diagnosis and figures, and what a peer wrote as text", async () => {
  const place = await placeWithCalls(call("a@1", { diagnosis: [{ code: "silent", text: "" }] }));
  const html = await page(place, "/proxies/dmz/calls");
  for (const text of ["1:01:05", "von keiner Seite kommt etwas", "Call-ID a@1", "37 ms", "4.5 %"]) {
    expect(html).toContain(text);
  }
  expect(html).toContain("100@mycompany → &lt;600&gt;@mycompany");
  expect(html).not.toContain("<600>");
  expect(html).toContain('<td class="number">4.4</td><td class="number">–</td>');
  expect(await page(place, "/proxies/dmz/calls", "en")).toContain("Estimated quality (MOS)");
});

test("a long list is cut, and one that is empty says so", async () => {
  const place = await placeWithCalls(
    ...Array.from({ length: 205 }, (_, at) => call(`call-${at}-`)),
  );
  const html = await page(place, "/proxies/dmz/calls");
  expect([html.includes("call-199-"), html.includes("call-200-")]).toEqual([true, false]);
  expect(html).toContain("Und 5 weitere");
  expect(await page(place, "/proxies/dmz/calls?q=nobody")).toContain(
    "Solche Gespräche gibt es nicht",
  );
  place.processes.running.clear();
  expect(await page(place, "/proxies/dmz/calls")).toContain("Der Proxy läuft nicht");
});

test("the proxy's page leads there", async () => {
  const place = await placeWithCalls();
  expect(await page(place, "/proxies/dmz")).toContain('href="/proxies/dmz/calls"');
});
