/**
 * A scripted phone in one place of the lab: the user agent and media port of test/peers, for what baresip
 * cannot do (Event: dialog of RFC 4235, another SSRC or key in mid-call). On the lan it speaks UDP, everywhere
 * else TLS. Owns its sockets and connections.
 */
import { MediaPort } from "../peers/media-port.ts";
import { type Outside, onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import type { Suite } from "../peers/slow-srtp.ts";
import { type Dialog, digestAnswer } from "../peers/user-agent.ts";
import type { InstanceName } from "./lab.ts";
import { type Place, PROXY_DMZ, PROXY_LAN } from "./peers.ts";
import { worldIn } from "./world-in.ts";

type Home = "lan" | "open" | "home-a" | "home-b";
const ADDRESSES: Readonly<Record<Home, string>> = {
  lan: "192.168.10.50",
  open: "203.0.113.50",
  "home-a": "192.168.77.50",
  "home-b": "192.168.77.50",
};

export type ScriptedPhone = {
  readonly phone: Phone;
  /** An RTP port beside it, with a suite an SRTP port. */
  media(suite?: Suite, o?: { readonly mux?: boolean }): Promise<MediaPort>;
  stop(): Promise<void>;
};

let phones = 0;

/** Its Call-IDs, tags and branches are not those of the phone of the same name in an earlier case. */
class LabPhone extends Phone {
  readonly #number = ++phones;

  override newId(what = ""): string {
    return super.newId(`-${this.#number}${what}`);
  }
}

/** A phone that is connected and registered. */
export async function scriptedPhone(
  place: Home & Place,
  user: string,
  instance: InstanceName = "mycompany",
): Promise<ScriptedPhone> {
  const { world, stop: leave } = worldIn(place, user);
  const outside: Outside = onRealSockets(world);
  const address = ADDRESSES[place];
  const phone = new LabPhone(outside, {
    user,
    domain: instance,
    password: `secret-${instance}-${user}`,
    address,
    ...(place === "lan"
      ? { transport: "udp", proxy: { address: PROXY_LAN, port: 5060 } }
      : { transport: "tls", proxy: { address: PROXY_DMZ, port: 5061 } }),
  });
  const ports: MediaPort[] = [];
  const stop = async (): Promise<void> => {
    for (const port of ports) port.close();
    phone.close();
    await leave();
  };
  await phone.connects();
  const answer = await phone.registers();
  if (answer.status !== 200) {
    await stop();
    throw new Error(`${user} cannot register: ${answer.startLine}`);
  }
  const media: ScriptedPhone["media"] = async (suite, o = {}) => {
    const port = await MediaPort.open(outside, { address, ...o, ...(suite ? { suite } : {}) });
    ports.push(port);
    return port;
  };
  return { phone, media, stop };
}

/** Calls a number, with the digest that Asterisk asks for; the media port knows where to send then. */
export async function dials(phone: Phone, number: string, near: MediaPort): Promise<Dialog> {
  const callId = phone.newId("-call-");
  const refused = phone.sendsInvite(number, near.sdp(), { callId });
  const challenge = await phone.receives("401 INVITE");
  phone.acknowledges(refused, challenge);
  const { user, domain, password = "" } = phone.options;
  const request = { method: "INVITE", uri: `sip:${number}@${domain}` };
  const who = { username: user, password };
  const authorization = digestAnswer(challenge.header("WWW-Authenticate"), request, who);
  phone.sendsInvite(number, near.sdp(), {
    callId,
    cseq: 2,
    headers: [["Authorization", authorization]],
  });
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  return dialog;
}
