/**
 * Memory of registered TLS phones beside Kamailio: 5,000 phones, a connection and one registration each. PSS,
 * since Kamailio's processes share theirs. Also the CPU of connecting and registering one.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Identity } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem } from "../peers/telephone-system.ts";
import { cpuSeconds, memoryOf } from "./cost.ts";
import { startKamailio } from "./kamailio.ts";
import { type Addresses, addresses, INSTANCE, startPequod } from "./pequod.ts";
import { row, tell } from "./report.ts";

const AT_A_TIME = 10;
const SUTS = ["pequod", "kamailio"] as const;

type Sut = (typeof SUTS)[number];
type Held = { readonly idleMib: number; readonly kibPerPhone: number; readonly cpuMs: number };

export async function memoryBench(identity: Identity, phones: number): Promise<void> {
  const [own, peer] = [
    await hold("pequod", identity, phones),
    await hold("kamailio", identity, phones),
  ];
  row("idle memory", "MiB", own.idleMib, peer.idleMib);
  row(`memory of a TLS phone, ${phones} registered`, "KiB", own.kibPerPhone, peer.kibPerPhone);
  row("connecting and registering a TLS phone, CPU", "ms", own.cpuMs, peer.cpuMs);
}

async function hold(sut: Sut, identity: Identity, count: number): Promise<Held> {
  const place = addresses(60 + SUTS.indexOf(sut));
  const { pids, stop } = await raise(sut, place, identity);
  const system = new TelephoneSystem(onRealSockets(realWorld), {
    name: INSTANCE,
    address: place.instance,
  });
  await system.opens();
  system.registersPhones();
  await delay(1000);
  const idle = memoryOf(pids);
  const cpuBefore = cpuSeconds(pids);
  const phones = await connectAll(place, count);
  const cpu = cpuSeconds(pids) - cpuBefore;
  await delay(3000);
  const held = memoryOf(pids);
  for (const phone of phones) phone.close();
  system.close();
  await stop();
  const kibPerPhone = Math.round(((held.pssMib - idle.pssMib) * 10_240) / count) / 10;
  const cpuMs = Math.round((cpu * 1e5) / count) / 100;
  tell("memory", { sut, phones: count, idle, held, kibPerPhone, cpuMs });
  return { idleMib: idle.pssMib, kibPerPhone, cpuMs };
}

async function raise(sut: Sut, place: Addresses, identity: Identity) {
  const name = `${sut}-memory`;
  if (sut === "kamailio") {
    const media = { hasMedia: false, ngPort: 2300 };
    return await startKamailio({ name, addresses: place, identity, ...media });
  }
  const media = { outerMedia: "srtp", innerMedia: "rtp" } as const;
  const pequod = await startPequod({
    ...{ name, addresses: place, identity, sip: "tls", ...media },
    isRealTime: false,
  });
  return { pids: [pequod.pid], stop: () => pequod.stop() };
}

async function connectAll(place: Addresses, count: number): Promise<Phone[]> {
  const phones: Phone[] = [];
  const connectOne = async (at: number): Promise<void> => {
    const phone = new Phone(onRealSockets(realWorld), {
      user: `${1000 + at}`,
      domain: INSTANCE,
      address: place.phone,
      transport: "tls",
      proxy: { address: place.outer, port: 5061 },
    });
    await phone.connects();
    const answer = await phone.registers({ expires: 3600 });
    if (answer.status !== 200) throw new Error(`REGISTER was answered ${answer.startLine}`);
    phones.push(phone);
  };
  for (let at = 0; at < count; at += AT_A_TIME) {
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, more) => connectOne(at + more)));
  }
  return phones;
}
