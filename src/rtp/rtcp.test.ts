import { expect, test } from "bun:test";
import {
  formatRtcpReport,
  ntpMiddle,
  ntpTime,
  type ReportBlock,
  type RtcpReport,
  readRtcpReports,
  roundTripMs,
} from "./rtcp.ts";

const block: ReportBlock = {
  ssrc: 0xcafebabe,
  fractionLost: 255,
  cumulativeLost: -3,
  highestSequenceNumber: 0x0001fffe,
  jitter: 17,
  lastSenderReport: 0xb7055218,
  delaySinceLastSenderReport: 0x00054000,
};
const senderReport: RtcpReport = {
  ssrc: 0xdeadbeef,
  sender: {
    ntpSeconds: 0xb44db705,
    ntpFraction: 0x20000000,
    rtpTimestamp: 4_000_000_000,
    packets: 50,
    octets: 8000,
  },
  blocks: [block],
};

test("a sender report has the bytes of RFC 3550 §6.4.1, then an SDES with the CNAME", () => {
  expect(Buffer.from(formatRtcpReport(senderReport, "a@b")).toString("hex")).toBe(
    "81c8000cdeadbeef" +
      "b44db70520000000ee6b28000000003200001f40" +
      "cafebabefffffffd0001fffe00000011b705521800054000" +
      "81ca0003deadbeef0103614062000000",
  );
});

test("what was written is read again, both kinds of report", () => {
  const packet = formatRtcpReport(senderReport, "x");
  expect(readRtcpReports(packet, packet.length)).toEqual([senderReport]);
  const receiverReport = { ssrc: 1, sender: null, blocks: [block, { ...block, ssrc: 2 }] };
  const second = formatRtcpReport(receiverReport, "longer name");
  expect(readRtcpReports(second, second.length)).toEqual([receiverReport]);
});

test("a report whose count or length goes beyond the packet is not read", () => {
  const packet = formatRtcpReport(senderReport, "x");
  const lyingCount = packet.slice();
  lyingCount[0] = 0x9f;
  expect(readRtcpReports(lyingCount, lyingCount.length)).toEqual([]);
  const lyingLength = packet.slice();
  lyingLength[3] = 200;
  expect(readRtcpReports(lyingLength, lyingLength.length)).toEqual([]);
  expect(readRtcpReports(packet, 20)).toEqual([]);
  expect(readRtcpReports(new Uint8Array(8), 8)).toEqual([]);
});

test("the round trip of the example in RFC 3550 §6.4.1 is 6.125 s", () => {
  // A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 5.25 s.
  const nowMs = (0xb710 + 0.5) * 1000 + (0x10000 * 33_706 - 2_208_988_800) * 1000;
  const example = { ...block, lastSenderReport: 0xb7052000, delaySinceLastSenderReport: 0x54000 };
  expect(roundTripMs(example, nowMs)).toBe(6125);
});

test("there is no round trip before the peer had a sender report, nor a negative one", () => {
  expect(roundTripMs({ ...block, lastSenderReport: 0 }, 1)).toBeNull();
  const nowMs = 1_800_000_000_000;
  const lastSenderReport = ntpMiddle(ntpTime(nowMs));
  expect(roundTripMs({ ...block, lastSenderReport, delaySinceLastSenderReport: 9 }, nowMs)).toBe(0);
});
