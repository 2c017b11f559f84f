import { describe, expect, test } from "bun:test";
import {
  blockAt,
  blockCount,
  blockSsrc,
  cumulativeLost,
  isRtcpCompound,
  isSenderReport,
  lastSenderReport,
  ntpMiddle,
  reportedJitter,
  rtcpEnd,
  sinceSenderReportMs,
} from "./rtcp.ts";

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const BLOCK = "cafebabe" + "fffffffd" + "0001fffe" + "00000011" + "b7052000" + "00054000";
const SENDER = `81c8000cdeadbeefb44db70520000000000000640000003200001f40${BLOCK}`;
const NAME = "81ca0003deadbeef0103614062000000";
const RECEIVER = `82c9000ddeadbeef${BLOCK}${BLOCK}`;

const check = (hex: string, expected: boolean): void => {
  const packet = bytes(hex);
  expect(isRtcpCompound(packet, packet.length)).toBe(expected);
};

describe("a compound packet", () => {
  test("is whole when its lengths say so, whatever stands in it", () => {
    check(SENDER + NAME, true);
    check(RECEIVER, true);
    check(`${RECEIVER}${NAME}81cb0001deadbeef80cc0003deadbeef6e616d6501020304`, true);
    check("80c90001deadbeef", true);
    check("81cd0002deadbeefcafebabe", true);
    check("a0c90002deadbeef00000004", true);
  });

  test("is not when a length, a count or a version lies", () => {
    check("", false);
    check("80c9", false);
    check(SENDER.replace("81c8000c", "82c8000c") + NAME, false);
    check(SENDER.replace("000cdead", "000ddead"), false);
    check(`${SENDER}${NAME.slice(0, -2)}`, false);
    check(`${SENDER}00`, false);
    check(SENDER + NAME.replace("81ca", "41ca"), false);
    check(`a0c90002deadbeef00000004${NAME}`, false);
    check("81c90001deadbeef", false);
    check("80c80001deadbeef", false);
  });
});

test("a sender report has a time, and its block says what came", () => {
  const packet = bytes(SENDER + NAME);
  expect([isSenderReport(packet, 0), blockCount(packet, 0), rtcpEnd(packet, 0)]).toEqual([
    true,
    1,
    52,
  ]);
  expect(ntpMiddle(packet, 0)).toBe(0xb7052000);
  const block = blockAt(packet, 0, 0);
  expect(blockSsrc(packet, block)).toBe(0xcafebabe);
  expect(cumulativeLost(packet, block)).toBe(-3);
  expect(reportedJitter(packet, block)).toBe(17);
  expect(lastSenderReport(packet, block)).toBe(0xb7052000);
  expect(sinceSenderReportMs(packet, block)).toBe(5250);
});

test("a receiver report has blocks only, a description none", () => {
  const packet = bytes(RECEIVER + NAME);
  expect([isSenderReport(packet, 0), blockCount(packet, 0)]).toEqual([false, 2]);
  expect([0, 1].map((n) => blockSsrc(packet, blockAt(packet, 0, n)))).toEqual([
    0xcafebabe, 0xcafebabe,
  ]);
  expect(blockCount(packet, rtcpEnd(packet, 0))).toBe(0);
});
