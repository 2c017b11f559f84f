import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { statusSockets } from "./status.ts";

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
