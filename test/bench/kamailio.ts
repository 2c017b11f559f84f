/** Kamailio of the tree, alone or with rtpengine: the yardstick of the SIP bench. */
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import type { Addresses } from "./pequod.ts";
import { FOLDER, IN_TREE, start, until } from "./place.ts";
import { startRtpengine } from "./rtpengine.ts";

export type KamailioOptions = {
  readonly name: string;
  readonly addresses: Addresses;
  readonly identity: Identity;
  /** Calls get their media from an rtpengine beside it. */
  readonly hasMedia: boolean;
  readonly ngPort: number;
};

export type RunningKamailio = { readonly pids: readonly number[]; stop(): Promise<void> };

/** No real-time priority: its processes spin on locks, and one core would hang. */
export async function startKamailio(o: KamailioOptions): Promise<RunningKamailio> {
  copyFileSync(join(import.meta.dir, "kamailio.cfg"), join(FOLDER, "kamailio.cfg"));
  writeFileSync(join(FOLDER, "tls.crt"), o.identity.certificatePem);
  writeFileSync(join(FOLDER, "tls.key"), o.identity.keyPem);
  const media = o.hasMedia ? (await startRtpengine(rtpengineOptions(o))).child : null;
  const { outer, inner, instance } = o.addresses;
  const defines = [
    ...[
      `L_TLS=tls:${outer}:5061`,
      `L_UDP=udp:${outer}:5060`,
      `L_INNER=udp:${inner}:15060`,
      `S_INNER="udp:${inner}:15060"`,
    ],
    ...[`SYSTEM="sip:${instance}:5060"`, `NG="udp:127.0.0.1:${o.ngPort}"`],
    ...(o.hasMedia ? ["WITHMEDIA=1"] : []),
  ];
  const argv = ["kamailio", "-DD", "-E", "-f", `${IN_TREE}/kamailio.cfg`, "-m", "1024", "-M", "16"];
  argv.push("-Y", "/tmp", "-P", `${IN_TREE}/${o.name}.pid`);
  argv.push(...defines.flatMap((define) => ["-A", define]));
  const child = start(argv, { name: o.name, core: "test", isRealTime: false, isPeer: true });
  await until(`${o.name} listening`, () => isListening(outer));
  return {
    pids: media === null ? [child.pid] : [child.pid, media.pid],
    stop: async () => {
      await child.stop();
      await media?.stop();
    },
  };
}

function rtpengineOptions(o: KamailioOptions) {
  const { addresses, ngPort } = o;
  return { name: `${o.name}-rtpengine`, addresses, ngPort, threads: 2, isRealTime: false };
}

async function isListening(address: string): Promise<boolean> {
  try {
    const connection = await realWorld.connectStream({
      local: { address: "127.0.0.1" },
      remote: { address, port: 5061 },
      timeoutMs: 1000,
      events: { data() {}, closed() {} },
    });
    connection.end();
    return true;
  } catch {
    return false;
  }
}
