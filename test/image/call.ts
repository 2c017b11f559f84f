/**
 * One call through the appliance: a phone with TLS and SRTP at a proxy, a telephone system with UDP and RTP
 * behind it, a tone each way that is measured at the other end.
 */
import { expect } from "bun:test";
import { measureTone, ToneSource } from "../../src/demo/tone.ts";
import { realWorld } from "../../src/io/world.ts";
import { MediaPort } from "../peers/media-port.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem } from "../peers/telephone-system.ts";

const FRAMES = 50;
const SUITE = "AES_CM_128_HMAC_SHA1_80";
const outside = onRealSockets(realWorld, 30_000);

export async function openTelephoneSystem(name: string, address: string): Promise<TelephoneSystem> {
  const system = new TelephoneSystem(outside, { name, address });
  await system.opens();
  system.registersPhones();
  return system;
}

async function hearsTone(from: MediaPort, to: MediaPort, frequencyHz: number): Promise<void> {
  const source = new ToneSource("PCMA", frequencyHz);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    from.says(Buffer.from(source.nextFrame()).toString("latin1"));
  }
  const heard = await to.hearsAtLeast(FRAMES);
  const audio = new Uint8Array(Buffer.from(heard.join(""), "latin1"));
  expect(measureTone("PCMA", audio)?.frequencyHz).toBe(frequencyHz);
  expect(to.refused).toBe(0);
}

/** Where the telephone system saw the phone's messages come from. */
export async function callsThrough(
  proxy: string,
  phoneAddress: string,
  system: TelephoneSystem,
): Promise<string> {
  const account = { user: "100", domain: system.name, address: phoneAddress };
  const next = { address: proxy, port: 5061 };
  const phone = new Phone(outside, { ...account, transport: "tls", proxy: next });
  const near = await MediaPort.open(outside, { address: phoneAddress, suite: SUITE });
  const far = await MediaPort.open(outside, { address: system.options.address });
  try {
    await phone.connects();
    expect((await phone.registers()).status).toBe(200);
    phone.sendsInvite("600", near.sdp());
    const invite = await system.receivesOn("INVITE");
    far.uses(invite.message.body);
    system.replies(invite, 200, "called", far.sdp());
    const { answer, dialog } = await phone.isAnswered();
    near.uses(answer.body);
    expect(near.target?.address).toBe(proxy);
    await system.receives("ACK");
    await hearsTone(near, far, 425);
    await hearsTone(far, near, 1004);
    phone.inDialog(dialog, "BYE");
    await system.isHungUpOn();
    await phone.receives("200 BYE");
    return invite.message.from.address;
  } finally {
    for (const peer of [phone, near, far]) peer.close();
  }
}
