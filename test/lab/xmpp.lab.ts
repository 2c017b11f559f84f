/**
 * XMPP through the product: slixmpp and nbxmpp (Gajim) against real Prosody, in each `xmpp.tls`, with the alias
 * INSTANCE.FQDN and a wildcard certificate that both clients check. slixmpp is a client that knows channel
 * binding: it says so (gs2 flag "y") when none is offered.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  commandIn,
  eventually,
  INSIDE,
  LAB,
  type Peer,
  type Place,
  PROXY_DMZ,
  runCommand,
  startPeer,
  TREE,
} from "./peers.ts";
import { FQDN, type Prosody, startProsody, xmppCertificates } from "./prosody.ts";

const BINARY = process.env.PEQUOD_BIN ?? join(import.meta.dir, "../../dist/pequod");
const RUN = join(LAB, "run");
const CA = "/lab/tls/ca.crt";
const MINE = `mycompany.${FQDN}`;
const OTHER = `othercompany.${FQDN}`;

type Tls = "off" | "starttls" | "direct";

const fileOf = (name: string): string => readFileSync(join(TREE, "lab/tls", name), "utf8");

function instance(name: string, address: string, tls: Tls): object {
  const port = tls === "direct" ? 5223 : 5222;
  const xmpp = { port, tls, caPem: fileOf("ca.crt") };
  return { name, aliases: [`${name}.${FQDN}`], address, sip: { healthCheck: false }, xmpp };
}

function configuration(tls: Tls): object {
  return {
    version: 1,
    instances: [
      instance("mycompany", "10.0.1.10", tls),
      instance("othercompany", "10.0.1.11", tls),
    ],
    proxies: [
      {
        name: "dmz",
        bindAddress: PROXY_DMZ,
        fqdn: FQDN,
        certificatePem: fileOf("wildcard.crt"),
        certificateKey: fileOf("wildcard.key"),
        voipSip: "off",
        phoneProvisioning: "off",
        manageInstances: "off",
        inside: { address: INSIDE, sipPort: 15060 },
      },
    ],
  };
}

async function startProxy(tls: Tls): Promise<Peer> {
  rmSync(RUN, { recursive: true, force: true });
  mkdirSync(RUN, { recursive: true });
  const config = join(RUN, "xmpp.json");
  writeFileSync(config, JSON.stringify(configuration(tls)));
  const argv = [BINARY, "proxy", "dmz", "--config", config, "--state", join(RUN, "dmz.state")];
  const log = join(RUN, "dmz.log");
  const peer = startPeer(commandIn("app", [...argv, "--status", join(RUN, "dmz.sock")], true), log);
  await eventually(
    15_000,
    async () => ((await status().catch(() => null)) === null ? null : true),
    () => `the proxy does not start: ${readFileSync(log, "utf8")}`,
  );
  return peer;
}

type Status = {
  readonly xmpp: { readonly clients: number };
  readonly drops: Readonly<Record<string, number>>;
};

async function status(): Promise<Status> {
  const answer = await fetch("http://pequod/status", { unix: join(RUN, "dmz.sock") });
  return (await answer.json()) as Status;
}

/** slixmpp: two users of that domain; what they found. */
async function talk(place: Place, domain: string, mode: "starttls" | "direct") {
  const argv = ["python3", "/lab/xmpp/talk.py", "5222", mode, CA, domain];
  const out = await runCommand(commandIn(place, argv));
  return JSON.parse(out.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
}

/** nbxmpp, which is Gajim below its windows: two other users of that domain. GnuTLS trusts the lab only. */
async function gajim(place: Place, domain: string, mode: "starttls" | "direct") {
  const script = `mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" &&
    mount --bind "$0${CA}" "$0/etc/ssl/certs/ca-certificates.crt" && exec chroot "$0" python3 "$@"`;
  const argv = ["/lab/xmpp/gajim.py", "5222", mode, domain];
  const out = await runCommand(commandIn(place, ["sh", "-c", script, TREE, ...argv], true));
  return JSON.parse(out.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
}

const good = (domain: string) => ({
  rosters: ["result", "result"],
  there: `hello from ${domain}`,
  back: 150_000,
  away: "while you were away",
  tls: "TLSv1.3",
  mechanism: expect.stringMatching(/^SCRAM-SHA-(1|256)$/),
});

const WROTE = { rosters: 2, bodies: ["from 120", "from 130"] };

/** Sign-ins that mycompany has refused. */
const failures = (): number =>
  (prosodies[0]?.log() ?? "").split("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>").length;

let prosodies: readonly Prosody[] = [];
let proxy: Peer | null = null;

async function startInstances(bindsChannels: boolean): Promise<void> {
  const common = { bindsChannels };
  prosodies = await Promise.all([
    startProsody({ ...common, place: "instance-a", address: "10.0.1.10", domain: MINE }),
    startProsody({ ...common, place: "instance-b", address: "10.0.1.11", domain: OTHER }),
  ]);
}

async function stopAll(): Promise<void> {
  await Promise.all(prosodies.map((one) => one.stop()));
  prosodies = [];
  await stopProxy();
}

async function stopProxy(): Promise<void> {
  expect(await proxy?.stop()).toBeOneOf([0, undefined]);
  proxy = null;
}

beforeAll(xmppCertificates);

describe("instances without channel binding", () => {
  beforeAll(() => startInstances(false));
  afterEach(stopProxy);
  afterAll(stopAll);

  for (const tls of ["off", "starttls", "direct"] as const) {
    test(`xmpp.tls ${tls}: slixmpp of the same users at both instances at once`, async () => {
      proxy = await startProxy(tls);
      const [mine, other] = await Promise.all([
        talk("home-a", MINE, "starttls"),
        talk("home-b", OTHER, "direct"),
      ]);
      expect(mine).toEqual(good(MINE));
      expect(other).toEqual(good(OTHER));
      expect((await status()).drops).toEqual({});
    });

    test(`xmpp.tls ${tls}: Gajim's library both ways, by STARTTLS and by TLS`, async () => {
      proxy = await startProxy(tls);
      expect(await gajim("home-a", MINE, "starttls")).toMatchObject(WROTE);
      expect(await gajim("home-b", OTHER, "direct")).toMatchObject(WROTE);
    });
  }
});

describe("instances with channel binding, as Prosody is by itself", () => {
  beforeAll(() => startInstances(true));
  afterEach(stopProxy);
  afterAll(stopAll);

  test("over plain TCP it offers none: a client that could bind signs in", async () => {
    proxy = await startProxy("off");
    expect(await talk("home-a", MINE, "starttls")).toEqual(good(MINE));
  });

  test("with TLS inside a client that could bind says so, is refused, and falls back to PLAIN", async () => {
    for (const tls of ["starttls", "direct"] as const) {
      proxy = await startProxy(tls);
      // RFC 5802 section 6: SCRAM with the flag "y" must fail where the server could bind.
      const before = failures();
      expect(await talk("home-a", MINE, "starttls")).toEqual({ ...good(MINE), mechanism: "PLAIN" });
      expect(failures() - before).toBeGreaterThanOrEqual(4);
      await stopProxy();
    }
  });

  test("a client finds out that the certificate is not for the bare name of an instance", async () => {
    proxy = await startProxy("off");
    const { problem } = await gajim("home-a", "mycompany", "starttls");
    expect(problem).toMatch(/certificate/i);
  });
});
