/** The product under test: `pequod proxy` with one proxy and one instance on loopback addresses of its own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../src/io/types.ts";
import { BINARY, type Child, FOLDER, start } from "./place.ts";

export const INSTANCE = "mycompany";

export type Addresses = {
  readonly outer: string;
  readonly inner: string;
  readonly phone: string;
  readonly instance: string;
};

/** Four loopback addresses for each system under test, so that several can stay up side by side. */
export function addresses(number: number): Addresses {
  const at = (host: number): string => `127.9.${number}.${host}`;
  return { outer: at(1), inner: at(2), phone: at(3), instance: at(4) };
}

export type PequodOptions = {
  readonly name: string;
  readonly addresses: Addresses;
  readonly sip: "tls" | "udp";
  readonly outerMedia: "srtp" | "rtp";
  readonly innerMedia: "srtp" | "rtp";
  readonly identity: Identity;
  readonly isRealTime: boolean;
  /** Left out: auto. */
  readonly mediaEngine?: "native" | "loop";
  /** XMPP clients are served; left out: not. */
  readonly isXmpp?: boolean;
};

/** What ends a call, or its flood of calls, at ordinary settings is set out of the way. */
const LIMITS = {
  transactions: 1_000_000,
  dialogs: 100_000,
  connections: 100_000,
  connectionsPerAddress: 100_000,
  connectionsUnregistered: 100_000,
  mediaSessions: 20_000,
  mediaSilent: 86_400,
  mediaTimeout: 86_400,
  portRest: 1,
  handshakesPerSecond: 1_000_000,
  requestsPerSecond: 1_000_000,
  requestsPerFlow: 1_000_000,
  registrationsPerAddress: 1_000_000,
  instanceRequests: 1_000_000,
  instanceCalls: 100_000,
  instanceCallsPerSecond: 1_000_000,
  userCalls: 1_000_000,
  ringingPerAddress: 1_000_000,
  xmppClientsPerAddress: 1_000_000,
};

function configuration(o: PequodOptions): object {
  return {
    version: 1,
    instances: [{ name: INSTANCE, address: o.addresses.instance, media: o.innerMedia }],
    proxies: [
      {
        name: "bench",
        bindAddress: o.addresses.outer,
        fqdn: o.addresses.outer,
        certificatePem: o.identity.certificatePem,
        certificateKey: o.identity.keyPem,
        voipSip: o.sip,
        voipMedia: o.outerMedia,
        mediaEngine: o.mediaEngine ?? "auto",
        rtpPorts: { from: 20_000, to: 39_999 },
        phoneProvisioning: "off",
        allowXmpp: o.isXmpp ?? false,
        manageInstances: "off",
        inside: { address: o.addresses.inner, rtpPorts: { from: 40_000, to: 59_999 } },
        limits: LIMITS,
      },
    ],
  };
}

/** As its unit has it (rootfs, pequod-proxy@.service). */
const environment = { MIMALLOC_PURGE_DELAY: "-1", BUN_JSC_useFTLJIT: "0" };

/** Resolves when every port is open. */
export async function startPequod(o: PequodOptions): Promise<Child> {
  const file = join(FOLDER, `${o.name}.json`);
  writeFileSync(file, JSON.stringify(configuration(o)));
  const argv = [BINARY, "proxy", "bench", "--config", file];
  argv.push("--state", join(FOLDER, `${o.name}.state`), "--status", statusSocket(o.name));
  const child = start(argv, { name: o.name, core: "test", isRealTime: o.isRealTime, environment });
  await child.line();
  return child;
}

/** GET /status; for the counters of drops when something does not add up. */
export async function statusOf(name: string): Promise<unknown> {
  return await (await fetch("http://pequod/status", { unix: statusSocket(name) })).json();
}

function statusSocket(name: string): string {
  return join(FOLDER, `${name}.sock`);
}
