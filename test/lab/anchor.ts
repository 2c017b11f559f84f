/**
 * The yardstick in the product's place: Kamailio 6 and rtpengine of the tree, configured by kamailio.cfg.
 * Owns both processes.
 */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Front } from "./front.ts";
import { commandIn, eventually, HERE, type Peer, runCommand, startPeer, TREE } from "./peers.ts";

const RTPENGINE = [
  "rtpengine",
  "--config-file=none",
  "--foreground",
  "--log-stderr",
  "--log-level=5",
  "--table=-1",
  "--interface=dmz/203.0.113.1",
  "--interface=lan/192.168.10.1",
  "--interface=inside/10.0.1.1",
  "--listen-ng=127.0.0.1:2223",
  "--listen-cli=127.0.0.1:2224",
  "--port-min=20000",
  "--port-max=59999",
  "--num-threads=2",
  "--delete-delay=0",
];
const KAMAILIO = [
  "-DD",
  "-E",
  "-m",
  "128",
  "-M",
  "8",
  "-Y",
  "/tmp",
  "-P",
  "/lab/anchor/kamailio.pid",
];

/** Resolves when both answer. */
export async function startAnchor(): Promise<Front> {
  const folder = join(TREE, "lab/anchor");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(HERE, "kamailio.cfg"), join(folder, "kamailio.cfg"));
  const rtpengine = startPeer(commandIn("app", RTPENGINE), `${folder}/rtpengine.log`);
  const calls = async () => {
    const query = ["rtpengine-ctl", "-ip", "127.0.0.1", "-port", "2224", "list", "numsessions"];
    const text = await runCommand(commandIn("app", query));
    return Number(/Current sessions total: (\d+)/.exec(text)?.[1] ?? "NaN");
  };
  await eventually(
    10_000,
    () => calls().catch(() => null),
    () => `no rtpengine: ${folder}`,
  );
  let kamailio = await startKamailio(folder);
  return {
    portsInUse: calls,
    drops: async () => ({}),
    story: async () => `anchor with ${await calls()} calls; logs in ${folder}`,
    restart: async () => {
      await kamailio.stop();
      kamailio = await startKamailio(folder);
    },
    stop: async () => {
      await kamailio.stop();
      await rtpengine.stop();
    },
  };
}

/** Resolves when its sockets are open. */
async function startKamailio(folder: string): Promise<Peer> {
  const command = ["kamailio", "-f", "/lab/anchor/kamailio.cfg", ...KAMAILIO];
  const kamailio = startPeer(commandIn("app", command), `${folder}/kamailio.log`);
  const sockets = async () => {
    const text = await runCommand(commandIn("app", ["ss", "-Htuln"]));
    return text.includes("203.0.113.1:5061") && text.includes("10.0.1.1:15060") ? true : null;
  };
  await eventually(10_000, sockets, () => `no Kamailio: ${folder}/kamailio.log`);
  return kamailio;
}
