import { describe, expect, test } from "bun:test";
import { writeUint32 } from "./packet.ts";
import { PeerReports } from "./peer-reports.ts";

type Block = { ssrc: number; lost?: number; jitter?: number; lsr?: number; dlsrMs?: number };

function report(blocks: readonly Block[], ntp: number | null = null): Uint8Array {
  const infoBytes = ntp === null ? 0 : 20;
  const packet = new Uint8Array(8 + infoBytes + 24 * blocks.length);
  const type = ntp === null ? 201 : 200;
  packet.set([0x80 | blocks.length, type, 0, packet.length / 4 - 1]);
  if (ntp !== null) writeUint32(packet, 10, ntp);
  blocks.forEach(({ ssrc, lost = 0, jitter = 0, lsr = 0, dlsrMs = 0 }, n) => {
    const at = 8 + infoBytes + 24 * n;
    writeUint32(packet, at, ssrc);
    writeUint32(packet, at + 4, lost & 0xff_ffff);
    writeUint32(packet, at + 12, jitter);
    writeUint32(packet, at + 16, lsr);
    writeUint32(packet, at + 20, (dlsrMs * 65_536) / 1000);
  });
  return packet;
}

const PHONE = 0x0a0a0a0a;
const INSTANCE = 0xb0b0b0b0;

/** A phone and an instance that tell of each other. */
function pair() {
  const phone = new PeerReports();
  const instance = new PeerReports();
  const note = (from: PeerReports, ssrc: number, reports: PeerReports) => {
    return (packet: Uint8Array, nowMs: number, length = packet.length): void =>
      from.note(packet, length, nowMs, { ssrc, reports });
  };
  return {
    phone,
    instance,
    fromPhone: note(phone, INSTANCE, instance),
    fromInstance: note(instance, PHONE, phone),
  };
}

describe("the round trip", () => {
  test("is the time since we passed the sender report on without the peer's own delay", () => {
    const { phone, instance, fromPhone, fromInstance } = pair();
    fromPhone(report([], 0xb705_2000), 1000);
    fromInstance(
      report([{ ssrc: PHONE, lsr: 0xb705_2000, dlsrMs: 5250 }], 0x1111),
      1000 + 5250 + 35,
    );
    expect(instance.roundTripMs).toBe(35);
    expect(phone.roundTripMs).toBe(-1);
    fromPhone(report([{ ssrc: INSTANCE, lsr: 0x1111, dlsrMs: 500 }], 0xb706_0000), 6285 + 620);
    expect(phone.roundTripMs).toBe(120);
  });

  test("is known too when the report means the sender report before the last", () => {
    const { instance, fromPhone, fromInstance } = pair();
    fromPhone(report([], 1), 1000);
    fromPhone(report([], 2), 2000);
    fromInstance(report([{ ssrc: PHONE, lsr: 1, dlsrMs: 1000 }]), 2040);
    expect(instance.roundTripMs).toBe(40);
    fromPhone(report([], 3), 3000);
    fromInstance(report([{ ssrc: PHONE, lsr: 1 }]), 3001);
    expect(instance.roundTripMs).toBe(40);
  });

  test("is never negative, and a wrong report gives none", () => {
    const { instance, fromPhone, fromInstance } = pair();
    fromInstance(report([{ ssrc: PHONE, lsr: 0, dlsrMs: 0 }]), 500);
    fromInstance(report([{ ssrc: PHONE, lsr: 77, dlsrMs: 0 }]), 500);
    expect(instance.roundTripMs).toBe(-1);
    fromPhone(report([], 1), 1000);
    fromInstance(report([{ ssrc: PHONE, lsr: 1 }]), 99_000);
    expect(instance.roundTripMs).toBe(-1);
    fromInstance(report([{ ssrc: PHONE, lsr: 1, dlsrMs: 300 }]), 1010);
    expect(instance.roundTripMs).toBe(0);
  });
});

describe("what a peer lost", () => {
  test("is what its last report says, never less than none, over all sources", () => {
    const { phone, instance, fromPhone } = pair();
    fromPhone(report([{ ssrc: INSTANCE, lost: -3 }]), 1);
    expect(phone.lost).toBe(0);
    fromPhone(report([{ ssrc: INSTANCE, lost: 12, jitter: 80 }]), 1);
    expect([phone.lost, phone.jitterTicks]).toEqual([12, 80]);
    phone.note(report([{ ssrc: 7, lost: 5 }]), 32, 1, { ssrc: 7, reports: instance });
    expect(phone.lost).toBe(17);
  });

  test("is not believed of anybody else, nor from a broken packet", () => {
    const { phone, fromPhone } = pair();
    fromPhone(report([{ ssrc: PHONE, lost: 12 }]), 1);
    fromPhone(report([{ ssrc: INSTANCE, lost: 12 }]), 1, 28);
    const lying = report([{ ssrc: INSTANCE, lost: 12 }]);
    lying[3] = 8;
    fromPhone(lying, 1);
    expect(phone.lost).toBe(-1);
  });

  test("is found in the second block and the second packet too", () => {
    const { phone, fromPhone } = pair();
    const two = [
      report([{ ssrc: 1, lost: 1 }]),
      report([{ ssrc: 2 }, { ssrc: INSTANCE, lost: 9 }], 5),
    ];
    fromPhone(new Uint8Array(Buffer.concat(two)), 1);
    expect(phone.lost).toBe(9);
  });
});
