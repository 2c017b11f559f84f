/**
 * One mobydick instance's stand-in: a real Asterisk in its place of the lab, its configuration filled from
 * the files in asterisk/. Owns its process and /lab/instances/NAME in the tree.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  commandIn,
  eventually,
  HERE,
  LONG,
  onTime,
  type Place,
  runCommand,
  startPeer,
  TREE,
} from "./peers.ts";

export type InstanceOptions = {
  readonly name: string;
  readonly place: Place;
  readonly address: string;
  /** This instance's own tone: a recording tells which instance was reached. */
  readonly toneHz: number;
  /** SRTP with the product instead of RTP. (SIP over UDP and TLS is always open.) */
  readonly media: "rtp" | "srtp";
  /** A further file in asterisk/ with what its pjsip.conf says besides. */
  readonly more?: string;
};

export type Instance = InstanceOptions & {
  /** Runs one command on Asterisk's console and gives what it prints. */
  console(command: string): Promise<string>;
  stop(): Promise<void>;
};

/** Seconds that extension 603 rings before it answers. */
export const RINGING_SECONDS = LONG ? 240 : 20;
const USERS = ["101", "102", "103", "104", "105", "106"];
/** The others are never offered video (105), nor a fax (106). */
const ABILITIES: Readonly<Record<string, string>> = {
  "105": "allow=vp8",
  "106": "t38_udptl=yes\nt38_udptl_ec=redundancy\nfax_detect=no",
};
const FILES = [
  "asterisk.conf",
  "modules.conf",
  "logger.conf",
  "rtp.conf",
  "extensions.conf",
  "voicemail.conf",
];

/** Resolves when Asterisk takes calls. */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const folder = join(TREE, "lab/instances", options.name);
  writeConfiguration(folder, options);
  const main = `/lab/instances/${options.name}/etc/asterisk.conf`;
  const peer = startPeer(
    onTime(commandIn(options.place, ["asterisk", "-C", main, "-f"])),
    `${folder}/out`,
  );
  const console = (command: string) =>
    runCommand(commandIn(options.place, ["asterisk", "-C", main, "-rx", command]));
  await eventually(
    20_000,
    () => console("core waitfullybooted").catch(() => null),
    () => `instance ${options.name} did not start; log: ${folder}/log/messages`,
  );
  return {
    ...options,
    console,
    stop: async () => {
      await peer.stop();
    },
  };
}

function writeConfiguration(folder: string, options: InstanceOptions): void {
  rmSync(folder, { recursive: true, force: true });
  for (const part of ["etc", "lib/keys", "run", "log", "spool"]) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  for (const file of FILES) writeFileSync(join(folder, "etc", file), fill(file, options));
  const parts = [
    fill("pjsip.conf", options),
    ...USERS.map((user) => fill("phone.conf", options, user)),
    ...(options.more === undefined ? [] : [fill(options.more, options)]),
  ];
  writeFileSync(join(folder, "etc/pjsip.conf"), parts.join(""));
}

function fill(file: string, options: InstanceOptions, user = ""): string {
  const values: Record<string, string> = {
    NAME: options.name,
    ADDRESS: options.address,
    TONE: `${options.toneHz}`,
    ENCRYPTION: options.media === "srtp" ? "sdes" : "no",
    RINGING: `${RINGING_SECONDS}`,
    MULTIARCH: multiarch(),
    USER: user,
    ABILITIES: ABILITIES[user] ?? "",
  };
  const text = readFileSync(join(HERE, "asterisk", file), "utf8");
  return text.replace(/@([A-Z]+)@/g, (_, name: string) => values[name] ?? "");
}

/** Debian's name of the machine, e.g. x86_64-linux-gnu. */
function multiarch(): string {
  const name = readdirSync(join(TREE, "usr/lib")).find((entry) => entry.endsWith("-linux-gnu"));
  if (!name) throw new Error("the tree of peers has no libraries: run tree.sh");
  return name;
}
