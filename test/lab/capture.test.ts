import { expect, test } from "bun:test";
import { decodeAlaw, readRtp } from "./capture.ts";

/** A capture of one Ethernet frame with an IPv4 UDP packet in it. */
function pcapOf(udpPayload: number[]): Uint8Array {
  const ip = [0x45, ...new Array(11).fill(0), 10, 0, 1, 10, 10, 0, 1, 1];
  const frame = [...new Array(14).fill(0), ...ip, 0, 0, 0x40, 2, 0, 0, 0, 0, ...udpPayload];
  const record = [...new Array(8).fill(0), frame.length, 0, 0, 0, frame.length, 0, 0, 0];
  return new Uint8Array([...new Array(24).fill(0), ...record, ...frame]);
}

test("a PCMA packet is read with its addresses and its source", () => {
  const packet = [0x80, 8, 0, 1, 0, 0, 0, 0, 0x01, 0x02, 0x03, 0x04, 0xd5, 0xd5];
  expect(readRtp(pcapOf(packet))).toEqual([
    {
      from: "10.0.1.10",
      to: "10.0.1.1",
      toPort: 0x4002,
      sequence: 1,
      ssrc: 0x01020304,
      payload: new Uint8Array([0xd5, 0xd5]),
    },
  ]);
});

test("SIP, RTCP and cut frames are no RTP", () => {
  expect(readRtp(pcapOf([...Buffer.from("OPTIONS sip:x SIP/2.0")]))).toEqual([]);
  expect(readRtp(pcapOf([0x80, 200, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]))).toEqual([]);
  expect(readRtp(pcapOf([0x80, 8, 0]))).toEqual([]);
  expect(readRtp(new Uint8Array(24))).toEqual([]);
});

test("A-law decodes to the values of G.711", () => {
  const payload = new Uint8Array([0xd5, 0x55, 0xaa, 0x2a, 0x80]);
  const samples = decodeAlaw([{ from: "", to: "", toPort: 0, sequence: 0, ssrc: 0, payload }]);
  expect([...samples]).toEqual([8, -8, 32256, -32256, 5504]);
});
