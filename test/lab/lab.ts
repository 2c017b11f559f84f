/**
 * One lab for one file of cases: the front (product or yardstick), both instances, and the phones a case
 * asks for. Every case ends with its phones gone and, proven, no port held. Owns all of these processes.
 */
import { startAnchor } from "./anchor.ts";
import { type Instance, startInstance } from "./asterisk.ts";
import type { Front } from "./front.ts";
import { ANCHOR, eventually, type Place, PROXY_DMZ, PROXY_LAN, PROXY_SIX } from "./peers.ts";
import { type SrtpInside, startPequod } from "./pequod.ts";
import { Phone, type PhoneOptions } from "./phone.ts";

export type InstanceName = "mycompany" | "othercompany";

export class Lab {
  readonly front: Front;
  readonly mycompany: Instance;
  readonly othercompany: Instance;
  readonly #phones: Phone[] = [];

  constructor(front: Front, mycompany: Instance, othercompany: Instance) {
    this.front = front;
    this.mycompany = mycompany;
    this.othercompany = othercompany;
  }

  /**
   * A registered phone. On the lan and over IPv6 it speaks UDP and RTP, elsewhere TLS and SRTP. Its voice is
   * 400 + 50 * last digit Hz, at othercompany 225 more, so that every phone of a case has another one.
   */
  async phone(
    place: Place,
    user: string,
    instance: InstanceName = "mycompany",
    more: Pick<PhoneOptions, "keys" | "isIpv6" | "hasVideo"> = {},
  ): Promise<Phone> {
    const phone = new Phone({
      ...more,
      place,
      user,
      instance,
      hz: 400 + 50 * Number(user.at(-1)) + (instance === "othercompany" ? 225 : 0),
      ...service(place, more.isIpv6 ?? false),
    });
    this.#phones.push(phone);
    await phone.isRegistered();
    return phone;
  }

  /** Waits until the instance's own OPTIONS were answered by that user's phone. */
  async reachable(name: InstanceName, user: string): Promise<boolean> {
    const contacts = () => this[name].console("pjsip show contacts");
    return eventually(
      15_000,
      async () => (new RegExp(`${user}/\\S+ .* Avail`).test(await contacts()) ? true : null),
      async () => `${name} cannot reach ${user}:\n${await contacts()}`,
    );
  }

  /** Waits until no call holds a port any more. */
  async portsAreFree(): Promise<void> {
    await eventually(
      3000,
      async () => ((await this.front.portsInUse()) === 0 ? true : null),
      async () => `ports are still held after the call: ${await this.front.story()}`,
    );
  }

  /** After each case: all phones go. A call that a failed case left open ends here too. */
  async clear(): Promise<void> {
    await Promise.all(this.#phones.splice(0).map((phone) => phone.stop()));
  }

  async close(): Promise<void> {
    await this.clear();
    await this.mycompany.stop();
    await this.othercompany.stop();
    await this.front.stop();
  }
}

function service(
  place: Place,
  isIpv6: boolean,
): Pick<PhoneOptions, "proxy" | "transport" | "media"> {
  if (isIpv6) return { proxy: `[${PROXY_SIX}]:5060`, transport: "udp", media: "rtp" };
  return place === "lan"
    ? { proxy: `${PROXY_LAN}:5060`, transport: "udp", media: "rtp" }
    : { proxy: `${PROXY_DMZ}:5061`, transport: "tls", media: "srtp" };
}

/** Starts everything but phones. */
export async function openLab(srtpInside: SrtpInside = "srtp"): Promise<Lab> {
  const [front, mycompany, othercompany] = await Promise.all([
    ANCHOR ? startAnchor() : startPequod(srtpInside),
    startInstance({
      name: "mycompany",
      place: "instance-a",
      address: "10.0.1.10",
      toneHz: 1000,
      media: "rtp",
    }),
    startInstance({
      name: "othercompany",
      place: "instance-b",
      address: "10.0.1.11",
      toneHz: 1200,
      media: ANCHOR ? "rtp" : "srtp",
    }),
  ]);
  return new Lab(front, mycompany, othercompany);
}
