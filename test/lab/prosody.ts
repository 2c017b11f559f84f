/**
 * The XMPP server of one instance: a real Prosody in its place of the lab. It also makes the certificates of
 * the XMPP cases. Owns its process and /lab/xmpp/DOMAIN in the tree.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandIn, eventually, HERE, type Place, runCommand, startPeer, TREE } from "./peers.ts";

export const FQDN = "pequod.example";
export const USERS = ["100", "110", "120", "130"];

export type Prosody = {
  /** What it wrote since its start. */
  log(): string;
  stop(): Promise<unknown>;
};

export type ProsodyOptions = {
  readonly place: Place;
  readonly address: string;
  readonly domain: string;
  /** Prosody 13 has no setting for it: off is its own module without those lines. */
  readonly bindsChannels: boolean;
};

/** Signed by the lab's authority: the proxy's for its name and all below, the instances' for their domains. */
export async function xmppCertificates(): Promise<void> {
  const script = `cd /lab/tls
    make() { # NAME SAN
      [ -s $1.crt ] && return
      openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout $1.key -out $1.csr
      printf '%s\\n' keyUsage=digitalSignature,keyEncipherment extendedKeyUsage=serverAuth \\
        subjectKeyIdentifier=hash authorityKeyIdentifier=keyid "subjectAltName=$2" >$1.ext
      openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile $1.ext -out $1.crt
    }
    make wildcard 'DNS:${FQDN},DNS:*.${FQDN}'
    make xmpp 'DNS:mycompany.${FQDN},DNS:othercompany.${FQDN}'`;
  await runCommand(["chroot", TREE, "bash", "-euc", script]);
}

export async function startProsody(o: ProsodyOptions): Promise<Prosody> {
  const inTree = `/lab/xmpp/${o.domain}`;
  const home = join(TREE, inTree);
  rmSync(home, { recursive: true, force: true });
  // A dot in a domain is %2e in Prosody's paths.
  const accounts = join(home, "data", o.domain.replaceAll(".", "%2e"), "accounts");
  mkdirSync(accounts, { recursive: true });
  for (const user of USERS) {
    writeFileSync(join(accounts, `${user}.dat`), `return { password = "secret${user}" };\n`);
  }
  mkdirSync(join(home, "modules"));
  if (!o.bindsChannels) writeFileSync(join(home, "modules/mod_saslauth.lua"), withoutBinding());
  const template = readFileSync(join(HERE, "prosody/prosody.cfg.lua"), "utf8");
  const config = template
    .replaceAll("HOME", inTree)
    .replaceAll("ADDRESS", o.address)
    .replaceAll("DOMAIN", o.domain);
  writeFileSync(join(home, "prosody.cfg.lua"), config);
  for (const script of ["talk.py", "gajim.py"]) {
    cpSync(join(HERE, "prosody", script), join(TREE, "lab/xmpp", script));
  }
  const argv = ["prosody", "--config", `${inTree}/prosody.cfg.lua`, "-F"];
  const peer = startPeer(commandIn(o.place, argv), join(home, "out.log"));
  const log = () => readFileSync(join(home, "prosody.log"), "utf8");
  await eventually(
    15_000,
    () => (isListening(log) ? true : null),
    () => `Prosody does not start: ${readFileSync(join(home, "out.log"), "utf8")}`,
  );
  return { log, stop: () => peer.stop() };
}

function isListening(log: () => string): boolean {
  try {
    return /Activated service 'c2s_direct_tls'/.test(log());
  } catch {
    return false; // not written yet
  }
}

function withoutBinding(): string {
  const own = readFileSync(join(TREE, "usr/lib/prosody/modules/mod_saslauth.lua"), "utf8");
  const without = own.replace("if sasl_handler.add_cb_handler then", "if false then");
  if (without === own) throw new Error("this Prosody binds channels in another way");
  return without;
}
