/**
 * A stranger on the same networks sprays all media ports while a call is set up (RTPBleed), then aims at the
 * call's own port with its SSRC and sequence numbers (RTPinject), outside and inside, in each way that media
 * is carried. He gets nothing, nobody hears him, and it is counted.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type CapturedRtp, decodeAlaw, startCapture } from "./capture.ts";
import { type InstanceName, type Lab, openLab } from "./lab.ts";
import { ANCHOR, INSIDE, type Place, PROXY_DMZ, PROXY_LAN } from "./peers.ts";
import type { SrtpInside } from "./pequod.ts";
import { STRANGER_HZ, Stranger } from "./stranger.ts";
import { endsWithTone, measureSamples } from "./tone.ts";

type Mode = {
  readonly name: string;
  readonly place: Place;
  readonly user: string;
  readonly instance: InstanceName;
  readonly srtpInside: SrtpInside;
  /** How a stranger's packet is counted: SRTP is known by its tag, RTP by where it comes from. */
  readonly reason: "auth" | "foreign-source";
};

const home = { place: "home-a", user: "101" } as const;
const MODES: readonly Mode[] = [
  { ...home, name: "SRTP-RTP", instance: "mycompany", srtpInside: "srtp", reason: "auth" },
  { ...home, name: "SRTP-SRTP", instance: "othercompany", srtpInside: "srtp", reason: "auth" },
  {
    ...{ place: "lan", user: "102", name: "RTP-RTP" },
    ...{ instance: "mycompany", srtpInside: "srtp", reason: "foreign-source" },
  },
  {
    ...{ ...home, name: "srtp-passthrough", instance: "othercompany" },
    ...{ srtpInside: "srtp-passthrough", reason: "foreign-source" },
  },
];

/** As the product sees the phones there. */
const HOMES: Partial<Record<Place, string>> = { "home-a": "203.0.113.2", lan: "192.168.10.50" };

let lab: Lab;
const strangers: Stranger[] = [];
afterEach(async () => {
  for (const one of strangers.splice(0)) one.stop();
  await lab.clear();
});

async function strangerIn(zone: "internet" | "lan" | "inside"): Promise<Stranger> {
  const made = await Stranger.in(zone);
  strangers.push(made);
  return made;
}

/** The newest packet from that address. */
function newest(packets: readonly CapturedRtp[], from: string): CapturedRtp {
  const found = packets.findLast((packet) => packet.from === from);
  if (found === undefined) throw new Error(`nothing came from ${from}`);
  return found;
}

/** Sprays outside while the call is set up, then aims at its two ports; the phone goes on to hear itself. */
async function attacked(mode: Mode): Promise<void> {
  const [zone, proxy, eth] =
    mode.place === "lan"
      ? (["lan", PROXY_LAN, "eth2"] as const)
      : (["internet", PROXY_DMZ, "eth1"] as const);
  const [outside, inside] = [await startCapture(eth), await startCapture("eth0")];
  const phone = await lab.phone(mode.place, mode.user, mode.instance);
  const [stranger, insider] = [await strangerIn(zone), await strangerIn("inside")];
  stranger.sprays(proxy, 30_000, 35_000);
  phone.dial("600");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(phone.hz, 2);
  const before = await lab.front.drops();
  const port = phone.farPort("audio");
  const toProxy = outside.packets().filter((packet) => packet.to === proxy);
  stranger.injects({ address: proxy, port }, newest(toProxy, HOMES[mode.place] ?? ""));
  const inner = newest(inside.packets(), lab[mode.instance].address);
  insider.injects({ address: INSIDE, port: inner.toPort }, inner);
  await phone.hears(phone.hz, 3);
  const after = await lab.front.drops();
  await phone.hangsUp();
  await lab.portsAreFree();
  expect([stranger.received, insider.received]).toEqual([0, 0]);
  const counted = (reason: string) => (after[reason] ?? 0) - (before[reason] ?? 0);
  // 50 packets a second from each of the two for three seconds, on a machine with nothing else to do.
  expect(counted("foreign-source")).toBeGreaterThan(50);
  expect(counted(mode.reason)).toBeGreaterThan(50);
  const toInstance = (await inside.stop()).filter(({ from }) => from === INSIDE);
  await outside.stop();
  if (mode.instance === "mycompany") expectOnlyItsTone(toInstance, phone.hz);
}

// What rtpengine does there is its own matter.
describe.each(ANCHOR ? [] : (["srtp", "srtp-passthrough"] as const))("%s", (srtpInside) => {
  beforeAll(async () => {
    lab = await openLab(srtpInside);
  });
  afterAll(() => lab.close());

  for (const mode of MODES.filter((one) => one.srtpInside === srtpInside)) {
    test(`${mode.name}: a stranger gets no audio and is not heard`, () => attacked(mode));
  }
});

/** The instance heard the phone, and not for a tenth of a second anybody else. */
function expectOnlyItsTone(packets: readonly CapturedRtp[], hz: number): void {
  const heard = measureSamples(decodeAlaw(packets));
  expect(endsWithTone(heard, hz, 4)).toBe(true);
  const strange = heard.filter((window) => Math.abs((window.hz ?? 0) - STRANGER_HZ) < 50);
  expect(strange).toEqual([]);
}
