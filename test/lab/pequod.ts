/**
 * The product under test: the compiled binary with three proxies, one process each as in the appliance. `dmz`
 * takes TLS and SRTP from the internet, `lan` UDP and RTP, `six` UDP and RTP over IPv6; all stand before both
 * instances, of which mycompany speaks UDP and RTP, othercompany TLS (its certificate is checked) and SRTP.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CallsReport } from "../../src/health/calls.ts";
import type { Front } from "./front.ts";
import {
  commandIn,
  INSIDE,
  LAB,
  onTime,
  type Peer,
  PROXY_DMZ,
  PROXY_LAN,
  PROXY_SIX,
  startPeer,
  TREE,
} from "./peers.ts";

const BINARY = process.env.PEQUOD_BIN ?? join(import.meta.dir, "../../dist/pequod");
const RUN = join(LAB, "run");
const NAMES = ["dmz", "lan", "six"];
/** How othercompany speaks SRTP with the product: each with keys of its own, or the phone's end to end. */
export type SrtpInside = "srtp" | "srtp-passthrough";

export type ProxyStatus = {
  readonly sip: { readonly dialogs: number; readonly transactions: number };
  readonly media: { readonly sessions: number; readonly portsInUse: number };
  readonly drops: Record<string, number>;
};

function configuration(media: SrtpInside): object {
  const service = (address: string) => ({
    bindAddress: address,
    fqdn: address,
    certificatePem: readFileSync(join(TREE, "lab/tls/server.crt"), "utf8"),
    certificateKey: readFileSync(join(TREE, "lab/tls/server.key"), "utf8"),
    phoneProvisioning: "off",
    allowXmpp: false,
    manageInstances: "off",
  });
  const network = (name: string, address: string) => ({
    network: { mode: "manual", interface: name, address, netmask: "255.255.255.0" },
    ...service(address),
  });
  return {
    version: 1,
    instances: [
      { name: "mycompany", address: "10.0.1.10" },
      {
        name: "othercompany",
        address: "10.0.1.11",
        sip: {
          port: 5061,
          transport: "tls",
          caPem: readFileSync(join(TREE, "lab/tls/ca.crt"), "utf8"),
        },
        media,
      },
    ],
    proxies: [
      {
        name: "dmz",
        ...network("eth1", PROXY_DMZ),
        inside: { address: INSIDE, sipPort: 15060 },
      },
      {
        name: "lan",
        ...network("eth2", PROXY_LAN),
        voipSip: "udp",
        voipMedia: "rtp",
        inside: { address: INSIDE, sipPort: 15062 },
      },
      {
        name: "six",
        ...service(PROXY_SIX),
        voipSip: "udp",
        voipMedia: "rtp",
        inside: { address: INSIDE, sipPort: 15064 },
      },
    ],
  };
}

/** Starts the proxies; resolves when each has printed its ready line. */
export async function startPequod(media: SrtpInside = "srtp"): Promise<Front> {
  rmSync(RUN, { recursive: true, force: true });
  mkdirSync(RUN, { recursive: true });
  const file = join(RUN, "pequod.json");
  writeFileSync(file, JSON.stringify(configuration(media), null, 2));
  let proxies: Peer[] = [];
  const start = async () => {
    proxies = NAMES.map((name) => startProxy(name, file));
    await Promise.all(proxies.map((peer, i) => untilReady(peer, NAMES[i] ?? "")));
  };
  const stop = async () => {
    const codes = await Promise.all(proxies.map((peer) => peer.stop()));
    if (codes.some((code) => code !== 0)) throw new Error(`pequod proxy ended with ${codes}`);
  };
  const kill = async () => {
    for (const peer of proxies) process.kill(peer.pid, "SIGKILL");
    await Promise.all(proxies.map((peer) => peer.exited));
  };
  await start();
  return {
    portsInUse: async () => {
      const all = await Promise.all(NAMES.map(proxyStatus));
      return all.reduce((sum, status) => sum + status.media.portsInUse, 0);
    },
    drops: async () => {
      const sums: Record<string, number> = {};
      for (const { drops } of await Promise.all(NAMES.map(proxyStatus))) {
        for (const [reason, count] of Object.entries(drops))
          sums[reason] = (sums[reason] ?? 0) + count;
      }
      return sums;
    },
    story: async () => JSON.stringify(await Promise.all(NAMES.map(proxyStatus))),
    restart: async (signal = "SIGTERM") => {
      await (signal === "SIGKILL" ? kill() : stop());
      await start();
    },
    stop,
  };
}

function startProxy(name: string, file: string): Peer {
  const argv = [BINARY, "proxy", name, "--config", file];
  argv.push("--state", join(RUN, `${name}.state`), "--status", join(RUN, `${name}.sock`));
  return startPeer(onTime(commandIn("app", argv, true)), join(RUN, `${name}.log`), "read");
}

/** Reads stdout to its end, so that the proxy may go on writing; resolves at the ready line. */
function untilReady(peer: Peer, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const read = async () => {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of peer.stdout) {
        text += decoder.decode(chunk, { stream: true });
        if (/^\{"ready":true,.*\}\n/.test(text)) resolve();
      }
      const log = readFileSync(join(RUN, `${name}.log`), "utf8");
      reject(new Error(`pequod proxy ${name} ended: ${text}${log}`));
    };
    read().catch(reject);
  });
}

/** GET /status over the proxy's unix socket. */
async function proxyStatus(name: string): Promise<ProxyStatus> {
  const answer = await fetch("http://pequod/status", { unix: join(RUN, `${name}.sock`) });
  return (await answer.json()) as ProxyStatus;
}

/** GET /calls of that proxy. */
export async function proxyCalls(name: string): Promise<CallsReport> {
  const answer = await fetch("http://pequod/calls", { unix: join(RUN, `${name}.sock`) });
  return (await answer.json()) as CallsReport;
}
