import { expect, test } from "bun:test";
import {
  cryptoLine,
  INNER,
  INSTANCE,
  keyIn,
  keyOf,
  MediaLab,
  OUTER,
  PHONE,
  portIn,
  rtpPacket,
  sdpOf,
  textOf,
} from "../../test/flows/media-ends.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";

function protect(context: SrtpContext, packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(packet.length + 16);
  bytes.set(packet);
  return bytes.slice(0, context.protect(bytes, packet.length));
}

function unprotect(context: SrtpContext, packet: Uint8Array): Uint8Array {
  const bytes = packet.slice();
  return bytes.slice(0, context.unprotect(bytes, packet.length));
}

/** The phone calls: SRTP outside, RTP inside, answered. */
async function answeredCall(lab: MediaLab) {
  const session = lab.session();
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const toInstance = textOf(
    await session.offer(
      "outer",
      sdpOf({ address: PHONE, port: 4000, proto: "RTP/SAVP", lines: [cryptoLine(1, 1)] }),
    ),
  );
  const toPhone = textOf(
    session.answer("inner", sdpOf({ address: INSTANCE, port: 12_000 }), {
      branch: "a",
      final: true,
    }),
  );
  const outer = { address: OUTER, port: portIn(toPhone) };
  const inner = { address: INNER, port: portIn(toInstance) };
  const phoneSends = new SrtpContext({ suite: SUITE, key: keyOf(1) });
  const phoneReceives = new SrtpContext({ suite: SUITE, key: keyIn(toPhone) });
  return { session, phone, instance, outer, inner, phoneSends, phoneReceives, toPhone, toInstance };
}

test("SRTP of the phone reaches the instance as RTP, and the other way round", async () => {
  const call = await answeredCall(new MediaLab());
  await call.phone.send(protect(call.phoneSends, rtpPacket(1, { fill: 11 })), call.outer);
  expect(call.instance.received).toEqual([rtpPacket(1, { fill: 11 })]);
  await call.instance.send(rtpPacket(500, { fill: 22 }), call.inner);
  const [packet] = call.phone.received;
  expect(packet).not.toEqual(rtpPacket(500, { fill: 22 }));
  expect(unprotect(call.phoneReceives, packet!)).toEqual(rtpPacket(500, { fill: 22 }));
});
