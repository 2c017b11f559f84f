/**
 * The calls of the relay bench: a phone and a telephone system set each up through Pequod by real SIP (INVITE,
 * 200, ACK); the media end points are rtpload's. Owns the two peers, whose flows hold the calls up.
 */
import type { Identity } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem } from "../peers/telephone-system.ts";
import { memoryOf } from "./cost.ts";
import { type Addresses, INSTANCE, startPequod } from "./pequod.ts";
import type { Child } from "./place.ts";
import type { Session } from "./rtp-load.ts";
import { legOf, makeSide, type RelayMode } from "./rtpengine.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";

export type Calls = {
  readonly pequod: Child;
  readonly sessions: readonly Session[];
  /** Milliseconds a call took to set up, all three programs together. */
  readonly setupMs: number;
  /** Of the proxy, for each call after the first quarter, which also fills what is there once. */
  readonly memoryKib: number;
  stop(): Promise<void>;
};

export type CallsOptions = {
  readonly name: string;
  readonly mode: RelayMode;
  readonly addresses: Addresses;
  readonly identity: Identity;
  readonly count: number;
  readonly mediaEngine: "native" | "loop";
};

/** Starts a proxy of this mode and places the calls. */
export async function placeCalls(o: CallsOptions): Promise<Calls> {
  const pequod = await startPequod({
    name: o.name,
    addresses: o.addresses,
    sip: o.mode === "rtp-rtp" ? "udp" : "tls",
    outerMedia: o.mode === "rtp-rtp" ? "rtp" : "srtp",
    innerMedia: o.mode === "srtp-srtp" ? "srtp" : "rtp",
    identity: o.identity,
    isRealTime: true,
    mediaEngine: o.mediaEngine,
  });
  const system = new TelephoneSystem(onRealSockets(realWorld), {
    name: INSTANCE,
    address: o.addresses.instance,
  });
  await system.opens();
  system.registersPhones();
  const phone = await connectPhone(o);
  const start = performance.now();
  const sessions: Session[] = [];
  const warmCalls = o.count / 4;
  let warmMib = 0;
  for (let at = 0; at < o.count; at += 1) {
    if (at === warmCalls) warmMib = memoryOf([pequod.pid]).pssMib;
    sessions.push(await placeCall(phone, system, o, at));
  }
  const callsMib = memoryOf([pequod.pid]).pssMib - warmMib;
  return {
    pequod,
    sessions,
    setupMs: (performance.now() - start) / o.count,
    memoryKib: (callsMib * 1024) / (o.count - warmCalls),
    stop: async () => {
      phone.close();
      system.close();
      await pequod.stop();
    },
  };
}

async function connectPhone(o: CallsOptions): Promise<Phone> {
  const transport = o.mode === "rtp-rtp" ? "udp" : "tls";
  const phone = new Phone(onRealSockets(realWorld), {
    user: "100",
    domain: INSTANCE,
    address: o.addresses.phone,
    transport,
    proxy: { address: o.addresses.outer, port: transport === "udp" ? 5060 : 5061 },
  });
  await phone.connects();
  await phone.registers();
  return phone;
}

async function placeCall(
  phone: Phone,
  system: TelephoneSystem,
  { mode, addresses }: CallsOptions,
  at: number,
): Promise<Session> {
  const port = 10_000 + 2 * at;
  const outer = makeSide(addresses.phone, port, mode === "rtp-rtp" ? null : SUITE);
  phone.sendsInvite(`6${at}`, outer.sdp);
  const invite = await system.receivesOn("INVITE");
  const tag = /^a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80 /m.exec(invite.message.body)?.[1];
  const inner = makeSide(
    addresses.instance,
    port,
    mode === "srtp-srtp" ? SUITE : null,
    Number(tag ?? 1),
  );
  system.replies(invite, 200, `tag${at}`, inner.sdp);
  const { answer } = await phone.isAnswered();
  await system.receives("ACK");
  return { a: legOf(outer, answer.body), b: legOf(inner, invite.message.body) };
}
