import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { statusOf } from "../../test/flows/admin-place.ts";
import { formatStatus, statusSockets } from "./status.ts";

const place = mkdtempSync(join(tmpdir(), "pequod-status-"));
afterAll(() => rmSync(place, { recursive: true }));

function put(...path: string[]): string {
  const full = join(place, ...path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, "");
  return full;
}

test("sockets are found beside proxies started by hand and where an admin starts its own", () => {
  const byHand = put("data", "lan.sock");
  const ofAdmin = put("data", "proxies", "dmz", "status.sock");
  put("data", "proxies", "dmz", "config.json");
  put("units", "dmz", "status.sock");
  expect(statusSockets(join(place, "data"), join(place, "units"))).toEqual([byHand, ofAdmin]);
});

test("the appliance's own folder stands for its units too", () => {
  const unit = put("units", "dmz", "status.sock");
  expect(statusSockets("/var/lib/pequod", join(place, "units"))).toContain(unit);
});

test("a folder that is not there or may not be read has none", () => {
  expect(statusSockets(join(place, "nowhere"), place)).toEqual([]);
});

test("chat, web and provisioning are told beside SIP and media", () => {
  const instance = {
    ...{ reachable: true, reason: null, targets: [], dns: null, routing: "path" as const },
    ...{ routingReason: "", flows: 0, sessions: 0, requests: 0, dialogs: 0, bans: 0 },
    xmppClients: 2,
  };
  const text = formatStatus({
    ...statusOf("dmz"),
    xmpp: { clients: 3, fromClients: 1000, toClients: 2000 },
    http: { requests: 7 },
    instances: { mycompany: instance },
  });
  expect(text).toContain("\n  xmpp: 3 clients, 1000 bytes from clients, 2000 to them\n");
  expect(text).toContain("\n  http: 7 requests");
  expect(text).toMatch(/instance mycompany: reachable,.* 2 XMPP clients/);
});
