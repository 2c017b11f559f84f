import { expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { rtcpPacket, rtpPacket } from "../../test/flows/media-ends.ts";
import { SimulatedNetwork } from "../../test/flows/simulated-network.ts";
import { openDatagrams } from "../io/udp.ts";
import { PortTaken } from "./engine.ts";
import { innerSettings, outerSettings } from "./leg-settings.ts";
import { NativeEngine } from "./native-engine.ts";

const RELAY = { packetsPerSecond: 1000, maxSsrcs: 16 };
const PLAIN = { inbound: null, outbound: null };
const LOOPBACK = "127.0.0.1";

function remote(port: number) {
  return {
    address: LOOPBACK,
    rtpPort: port,
    rtcpPort: port + 1,
    rtcpAddress: null,
    carries: "rtp",
    codecs: [{ payloadType: 0, name: "PCMU", clockRate: 8000 }],
    isHeld: false,
    direction: "sendrecv",
  } as const;
}

/** A real socket whose next packet can be waited for. */
async function peer(port = 0) {
  const waiting: ((packet: Uint8Array) => void)[] = [];
  const socket = await openDatagrams({
    local: { address: LOOPBACK, port },
    receive: (bytes) => waiting.shift()?.(bytes),
  });
  const next = () => new Promise<Uint8Array>((resolve) => waiting.push(resolve));
  return { socket, next };
}

/** An engine's stream on ports that nobody held at that moment. */
async function openAnywhere(engine: NativeEngine) {
  for (;;) {
    const [first, second] = [await peer(), await peer()];
    const outer = first.socket.local.port & ~1;
    const inner = second.socket.local.port & ~1;
    first.socket.close();
    second.socket.close();
    const pairs = {
      outer: { address: LOOPBACK, rtpPort: outer },
      inner: { address: LOOPBACK, rtpPort: inner },
    };
    const handle = await engine.open(pairs).catch(() => null);
    if (handle !== null) return { handle, outer, inner };
  }
}

test("on real sockets of 127.0.0.1 a packet and a report go through, and the ports are free after close", async () => {
  const clock = new HandClock();
  const engine = new NativeEngine({ clock, openDatagrams, relay: RELAY, trafficClass: 0xb8 });
  const { handle, outer, inner } = await openAnywhere(engine);
  const phone = await peer();
  const instance = await peer();
  const reports = await peer(instance.socket.local.port + 1).catch(() => peer());
  const place = { bindAddress: LOOPBACK, signallingAddress: LOOPBACK, learnsAnySource: false };
  const towardsPhone = outerSettings(
    { ...place, forbiddenAddresses: [LOOPBACK] },
    remote(phone.socket.local.port),
    PLAIN,
  );
  const towardsInstance = innerSettings(
    { bindAddress: LOOPBACK, allowedNetworks: [LOOPBACK] },
    { ...remote(instance.socket.local.port), rtcpPort: reports.socket.local.port },
    PLAIN,
  );
  engine.configure(handle, "outer", towardsPhone);
  engine.configure(handle, "inner", towardsInstance);
  const arrived = instance.next();
  phone.socket.send(rtpPacket(1), LOOPBACK, outer);
  expect(new Uint8Array(await arrived)).toEqual(rtpPacket(1));
  const back = phone.next();
  instance.socket.send(rtpPacket(2), LOOPBACK, inner);
  expect(new Uint8Array(await back)).toEqual(rtpPacket(2));
  const report = reports.next();
  phone.socket.send(rtcpPacket(), LOOPBACK, outer + 1);
  expect(new Uint8Array(await report)).toEqual(rtcpPacket());
  expect(engine.counters(handle)?.outer).toMatchObject({ packets: 1, rtcpPackets: 1 });
  engine.close(handle);
  expect(engine.counters(handle)).toBeNull();
  expect(clock.pending).toBe(0);
  for (const port of [outer, outer + 1, inner, inner + 1]) {
    (await openDatagrams({ local: { address: LOOPBACK, port }, receive() {} })).close();
  }
  for (const one of [phone, instance, reports]) one.socket.close();
});

test("a taken port names its leg and leaves nothing open", async () => {
  const network = new SimulatedNetwork();
  const world = network.world({ addresses: ["203.0.113.1", "10.0.1.1"] });
  const engine = new NativeEngine({ ...world, relay: RELAY, trafficClass: 0xb8 });
  const pairs = {
    outer: { address: "203.0.113.1", rtpPort: 30_000 },
    inner: { address: "10.0.1.1", rtpPort: 20_000 },
  };
  for (const [address, port, leg] of [
    ["203.0.113.1", 30_001, "outer"],
    ["10.0.1.1", 20_000, "inner"],
  ] as const) {
    const taken = await world.openDatagrams({ local: { address, port }, receive() {} });
    const error = await engine.open(pairs).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PortTaken);
    expect((error as PortTaken).leg).toBe(leg);
    taken.close();
  }
  engine.close(await engine.open(pairs));
  expect(network.clock.pending).toBe(0);
});

test("a send that fails is counted on the leg it was for", async () => {
  const network = new SimulatedNetwork();
  const world = network.world({ addresses: [LOOPBACK] });
  const engine = new NativeEngine({ ...world, relay: RELAY, trafficClass: 0xb8 });
  const handle = await engine.open({
    outer: { address: LOOPBACK, rtpPort: 30_000 },
    inner: { address: LOOPBACK, rtpPort: 20_000 },
  });
  const allowed = { bindAddress: LOOPBACK, allowedNetworks: [LOOPBACK] };
  engine.configure(handle, "inner", innerSettings(allowed, remote(12_000), PLAIN));
  const place = { bindAddress: LOOPBACK, signallingAddress: LOOPBACK, learnsAnySource: false };
  const outer = outerSettings({ ...place, forbiddenAddresses: [] }, remote(4000), PLAIN);
  engine.configure(handle, "outer", { ...outer, early: { address: "no address", port: 4000 } });
  const instance = await world.openDatagrams({
    local: { address: LOOPBACK, port: 12_000 },
    receive() {},
  });
  instance.send(rtpPacket(1), LOOPBACK, 20_000);
  await network.settle();
  expect(engine.drops).toEqual({ "send-failed": 1 });
});
