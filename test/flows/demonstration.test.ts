/** `pequod demo` with the real proxy in the simulated network, and softphones that type what it prints. */
import { expect, test } from "bun:test";
import { checkConfig, formatProblem } from "../../src/config/check.ts";
import { sliceFor } from "../../src/config/config.ts";
import { type DemoProxy, runDemo } from "../../src/demo/demo.ts";
import { ListenError, type Log } from "../../src/io/types.ts";
import { type RunningProxy, startProxy } from "../../src/proxy/proxy.ts";
import { MediaPort } from "../peers/media-port.ts";
import { simulated } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { digestAnswer } from "../peers/user-agent.ts";
import { memoryState, SUITE } from "./place.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };
const LAN = "192.168.1.5";

async function demonstration(
  listen: string | null,
  network = new SimulatedNetwork(),
  runningMs = 5000,
) {
  const world = network.world({
    addresses: ["127.0.0.1", "127.0.0.2", LAN],
    sourceAddress: () => "127.0.0.1",
  });
  const proxies: RunningProxy[] = [];
  const screens: string[] = [];
  const stop = new AbortController();
  // Making a certificate is real work that no hand-driven clock waits for.
  const started = Promise.withResolvers<void>();
  const start = async (document: unknown, name: string): Promise<DemoProxy> => {
    const { config, problems } = checkConfig(document);
    const slice = config === null ? null : sliceFor(config, name);
    if (slice === null) throw new Error(problems.map(formatProblem).join("\n"));
    const proxy = await startProxy({
      world,
      log: quiet,
      slice,
      state: memoryState(),
      interfaceAddress: () => null,
      config: { sha256: "", loadedAt: "", error: null },
    });
    if (proxies.push(proxy) === (listen === null ? 1 : 2)) started.resolve();
    return { listening: proxy.status.listening, fingerprint: "AA:BB", close: () => proxy.close() };
  };
  const ended = runDemo({
    world,
    log: quiet,
    listen,
    startProxy: start,
    print: (text) => screens.push(text),
    signal: stop.signal,
    frames: 50,
  });
  ended.catch(() => started.resolve()); // looked at by the test
  await started.promise;
  await network.elapse(runningMs);
  return { network, proxies, screens, stop, ended };
}

/** What a person reads on the screen. */
function typed(screen: string): { password: string; proxy: { address: string; port: number } } {
  const password = /^ {2}password +(\S+)$/m.exec(screen)?.[1] ?? "";
  const [, address = "", port = ""] = /^ {2}outbound proxy +([\d.]+):(\d+) /m.exec(screen) ?? [];
  return { password, proxy: { address, port: Number(port) } };
}

async function softphone(network: SimulatedNetwork, screen: string, user: string, address: string) {
  const outside = simulated(network, { addresses: [address] });
  const phone = new Phone(outside, {
    user,
    domain: "demo",
    address,
    transport: "tls",
    ...typed(screen),
  });
  await phone.connects();
  expect((await phone.registers()).status).toBe(200);
  const media = await MediaPort.open(outside, { address, suite: SUITE, name: user });
  return { phone, media };
}

async function calls(phone: Phone, password: string, to: string, body: string): Promise<void> {
  const callId = phone.newId("-call-");
  const invite = phone.sendsInvite(to, body, { callId });
  const challenge = await phone.receives("401 INVITE");
  phone.acknowledges(invite, challenge);
  const request = { method: "INVITE", uri: `sip:${to}@demo` };
  const who = { username: phone.options.user, password };
  const answer = digestAnswer(challenge.header("WWW-Authenticate"), request, who);
  phone.sendsInvite(to, body, { callId, cseq: 2, headers: [["Authorization", answer]] });
}

test("its own call goes through, is measured, and everything is closed after Ctrl-C", async () => {
  const { network, proxies, screens, stop, ended } = await demonstration(null);
  expect(screens.length).toBe(2);
  const [call = "", softphones = ""] = screens;
  expect(call).toContain("An encrypted call has gone through Pequod:");
  expect(call).toMatch(/packets +50 out, 50 back/);
  expect(call).toMatch(/loss +0 packets \(0\.0 %\)/);
  expect(call).toMatch(/tone +425 Hz sent, 425 Hz heard \((9\d|100) %/);
  expect(call).toMatch(/answered +600 \(echo\), after 300 ms/);
  expect(softphones).toMatch(/outbound proxy +127\.0\.0\.1:5061 /);
  expect(proxies[0]?.status.media).toMatchObject({ sessions: 0, portsInUse: 0 });
  stop.abort();
  expect(await ended).toBe(true);
  await network.elapse(70_000);
  expect(network.clock.pending).toBe(0);
  expect(network.streams.open).toEqual([]);
});

test("with --listen a softphone in the LAN registers with what it reads, and hears the echo", async () => {
  const { network, proxies, screens } = await demonstration(LAN);
  const { proxy, password } = typed(screens[1] ?? "");
  expect(proxy).toEqual({ address: LAN, port: 5061 });
  const { phone, media } = await softphone(network, screens[1] ?? "", "101", "192.168.1.20");
  await calls(phone, password, "600", media.sdp());
  await network.elapse(400);
  const { answer, dialog } = await phone.isAnswered();
  media.uses(answer.body);
  media.says("one", "two");
  expect(await media.hasHeard()).toEqual(["one", "two"]);
  await phone.hangsUp(dialog);
  expect(proxies[1]?.status.media).toMatchObject({ sessions: 0, portsInUse: 0 });
});

test("two softphones call each other through the proxy, encrypted on both ends", async () => {
  const { network, proxies, screens } = await demonstration(LAN);
  const { password } = typed(screens[1] ?? "");
  const alice = await softphone(network, screens[1] ?? "", "101", "192.168.1.20");
  const bob = await softphone(network, screens[1] ?? "", "102", "192.168.1.21");
  await calls(alice.phone, password, "102", alice.media.sdp());
  const invite = await bob.phone.receivesOn("INVITE");
  expect(invite.message.body).toContain("RTP/SAVP");
  bob.media.uses(invite.message.body);
  bob.phone.replies(invite, 180, "bob");
  await alice.phone.receives("180 INVITE");
  bob.phone.replies(invite, 200, "bob", bob.media.sdp());
  const { answer, dialog } = await alice.phone.isAnswered();
  alice.media.uses(answer.body);
  await bob.phone.receives("ACK");
  for (let round = 0; round < 3; round += 1) {
    alice.media.says("from alice");
    bob.media.says("from bob");
    await network.settle();
  }
  expect((await bob.media.hasHeard()).at(-1)).toBe("from alice");
  expect((await alice.media.hasHeard()).at(-1)).toBe("from bob");
  expect(proxies[1]?.status.media.sessions).toBe(2);
  alice.phone.inDialog(dialog, "BYE");
  await bob.phone.isHungUpOn();
  await alice.phone.receives("200 BYE");
  expect(proxies[1]?.status.media).toMatchObject({ sessions: 0, portsInUse: 0 });
});

test("a second demonstration beside the first finds other ports", async () => {
  const network = new SimulatedNetwork();
  await demonstration(null, network);
  const second = await demonstration(null, network);
  expect(second.screens[0]).toContain("An encrypted call has gone through Pequod:");
  expect(typed(second.screens[1] ?? "").proxy.port).not.toBe(5061);
});

test("an address that is not on this machine ends it with one clear line", async () => {
  const { ended, screens } = await demonstration("192.0.2.250");
  await expect(ended).rejects.toThrow(ListenError);
  await expect(ended).rejects.toThrow("the address is not on this machine");
  expect(screens).toEqual([]);
});

test("Ctrl-C during its own call ends that at once", async () => {
  const { network, stop, ended, screens } = await demonstration(null, undefined, 500);
  expect(screens).toEqual([]);
  stop.abort();
  await network.elapse(100);
  await ended;
  await network.elapse(70_000);
  expect(network.streams.open).toEqual([]);
  expect(network.clock.pending).toBe(0);
});
