/**
 * The web cases' place: the product before nginx, a small application, and two real web applications of Debian
 * (ttyd, Syncthing), each an instance; clients are curl, openssl and a browser in `open`. Owns all processes.
 */
import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { issue } from "../../peers/certificates.ts";
import {
  commandIn,
  eventually,
  HERE,
  INSIDE,
  LAB,
  type Peer,
  type Place,
  PROXY_DMZ,
  runCommand,
  startPeer,
  TREE,
} from "../peers.ts";

export const FQDN = "pequod.example";
export const MAC = "001122AABBCC";
export const BIG = 2_147_483_648;
const BINARY = process.env.PEQUOD_BIN ?? join(HERE, "../../dist/pequod");
const FILES = join(TREE, "lab/web/files");
const RUN = join(LAB, "run");
const CONFIG = join(RUN, "web.json");

const INSTANCES = [
  { name: "mycompany", address: "10.0.1.10" },
  { name: "secure", address: "10.0.1.10", sip: { port: 5070 }, web: { url: "https://10.0.1.10" } },
  {
    name: "app",
    address: "10.0.1.11",
    web: { url: "http://10.0.1.11:8080", keepHost: false },
  },
  {
    name: "terminal",
    address: "10.0.1.10",
    sip: { port: 5071 },
    web: { url: "http://10.0.1.10:7681" },
  },
  {
    name: "files",
    address: "10.0.1.11",
    sip: { port: 5072 },
    web: { url: "http://10.0.1.11:8384" },
  },
];

export type WebPlace = {
  readonly pid: number;
  /** Of the certificate's key, for the browser. */
  readonly trustedKey: string;
  stop(): Promise<void>;
};

/** One client of the internet: the answer's body, or with -i and -v more of it. */
export const curl = (...args: string[]): Promise<string> => curlIn("open", ...args);

function curlIn(place: Place, ...args: string[]): Promise<string> {
  const names = ["--cacert", "/lab/web/ca.pem", "--resolve", `*:443:${PROXY_DMZ}`];
  const more = ["--resolve", `*:80:${PROXY_DMZ}`, "--resolve", `*:8884:${PROXY_DMZ}`];
  const command = [
    "curl",
    "-sS",
    "--noproxy",
    "*",
    ...(place === "open" ? [...names, ...more] : []),
  ];
  return runCommand(commandIn(place, [...command, ...args]));
}

/** What the product's memory grew by at most while that went on, in MiB. */
export async function growth(pid: number, work: () => Promise<unknown>): Promise<number> {
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  writeFileSync(`/proc/${pid}/clear_refs`, "5"); // the peak begins anew
  const before = read("VmRSS");
  await work();
  return (read("VmHWM") - before) / 1024;
}

function writeFiles(): void {
  rmSync(join(TREE, "lab/web"), { recursive: true, force: true });
  mkdirSync(FILES, { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(join(FILES, name), text);
  write("1k", "x".repeat(1024));
  write("text.txt", Array.from({ length: 20_000 }, (_, line) => `line ${line}\n`).join(""));
  write("phone.xml", "<settings><password>secret</password></settings>\n");
  write("big", "");
  truncateSync(join(FILES, "big"), BIG);
  write("firmware.bin", "");
  truncateSync(join(FILES, "firmware.bin"), BIG / 16);
}

async function writeConfiguration(): Promise<string> {
  const authority = await issue({ name: "Web lab" });
  const names = [FQDN, `*.${FQDN}`];
  const { certificatePem, keyPem } = await issue({ name: FQDN, issuer: authority, names });
  writeFileSync(join(TREE, "lab/web/ca.pem"), authority.certificatePem);
  const caPem = readFileSync(join(TREE, "lab/tls/ca.crt"), "utf8");
  const instances = INSTANCES.map((one) =>
    one.name === "secure" ? { ...one, web: { ...one.web, caPem } } : one,
  );
  const proxy = {
    name: "web",
    fqdn: FQDN,
    bindAddress: PROXY_DMZ,
    certificatePem: certificatePem + authority.certificatePem,
    certificateKey: keyPem,
    allowXmpp: false,
    inside: { address: INSIDE },
  };
  mkdirSync(RUN, { recursive: true });
  writeFileSync(CONFIG, JSON.stringify({ version: 1, instances, proxies: [proxy] }));
  const spki = new X509Certificate(certificatePem).publicKey.export({
    type: "spki",
    format: "der",
  });
  return createHash("sha256").update(spki).digest("base64");
}

async function startApplications(): Promise<Peer[]> {
  const log = (name: string): string => join(RUN, `${name}.log`);
  const home = "/lab/web/syncthing";
  const account = ["--gui-user=anna", "--gui-password=secret-anna", "--no-default-folder"];
  await runCommand(
    commandIn("instance-b", [
      "env",
      "HOME=/root",
      "syncthing",
      "generate",
      `--home=${home}`,
      ...account,
    ]),
  );
  const nginx = ["nginx", "-e", "stderr", "-c", "/lab/web/nginx.conf"];
  const ttyd = ["ttyd", "-W", "-i", "10.0.1.10", "-p", "7681", "sh"];
  const syncthing = ["syncthing", "serve", `--home=${home}`, "--no-browser", "--no-restart"];
  const app = [process.execPath, join(HERE, "web/app.ts"), "10.0.1.11", "8080"];
  return [
    startPeer(commandIn("instance-a", nginx), log("nginx")),
    startPeer(commandIn("instance-a", ttyd), log("ttyd")),
    startPeer(
      commandIn("instance-b", [
        ...syncthing,
        "--no-upgrade",
        "--gui-address=http://10.0.1.11:8384",
      ]),
      log("syncthing"),
    ),
    startPeer(commandIn("instance-b", app, true), log("app")),
  ];
}

/** Waits until each is there for the product's machine. */
async function areThere(): Promise<void> {
  for (const url of ["10.0.1.10/1k", "10.0.1.10:7681", "10.0.1.11:8384", "10.0.1.11:8080/open"]) {
    await eventually(
      20_000,
      () =>
        curlIn("app", "-o", "/dev/null", `http://${url}`).then(
          () => true,
          () => null,
        ),
      () => `nobody answers at ${url}`,
    );
  }
}

/** What `pequod provisioning-url` says for the one phone that has a configuration. */
export async function phoneUrl(): Promise<string> {
  const args = ["--config", CONFIG, "--state", join(RUN, "web.state"), "--proxy", "web"];
  const who = ["--instance", "mycompany", "--mac", MAC];
  const url = await runCommand([BINARY, "provisioning-url", ...args, ...who]);
  return url.split("\n")[0] ?? "";
}

export async function startWeb(): Promise<WebPlace> {
  writeFiles();
  writeFileSync(join(TREE, "lab/web/nginx.conf"), readFileSync(join(HERE, "web/nginx.conf")));
  const trustedKey = await writeConfiguration();
  rmSync(join(RUN, "web.state"), { recursive: true, force: true });
  const peers = await startApplications();
  const argv = [BINARY, "proxy", "web", "--config", CONFIG, "--state", join(RUN, "web.state")];
  const product = startPeer(commandIn("app", argv, true), join(RUN, "web.log"), "read");
  peers.push(product);
  const stop = async (): Promise<void> => {
    await Promise.all(peers.map((peer) => peer.stop()));
  };
  const ready = product.stdout.getReader().read();
  await areThere();
  if ((await ready).done) throw new Error(readFileSync(join(RUN, "web.log"), "utf8"));
  return { pid: product.pid, trustedKey, stop };
}

/** Each connection that nginx saw a request on. */
export function nginxConnections(path: string): ReadonlySet<string> {
  const lines = readFileSync(join(TREE, "lab/web/access.log"), "utf8").split("\n");
  const own = lines.filter((line) => line.endsWith(` ${path}`));
  return new Set(own.map((line) => line.split(" ")[0] ?? ""));
}
