import { expect, test } from "bun:test";
import { clocksOf, codecsOf } from "./codecs.ts";
import type { MediaDescription } from "./session-description.ts";

const media = (formats: string, ...lines: string[]): MediaDescription => ({
  type: "audio",
  port: 4000,
  portCount: null,
  proto: "RTP/AVP",
  formats,
  lines,
});

const check = (description: MediaDescription, expected: string[]): void =>
  expect(
    codecsOf(description).map(({ payloadType, name, clockRate }) =>
      [payloadType, name, clockRate].join(" "),
    ),
  ).toEqual(expected);

test("an rtpmap says what a payload type means, and its clock", () => {
  const lines = ["a=rtpmap:96 opus/48000/2", "a=rtpmap:0 PCMU/8000", "a=fmtp:96 useinbandfec=1"];
  check(media("96 0", ...lines), ["96 opus 48000", "0 PCMU 8000"]);
  check(media("9", "a=rtpmap:9 G722/8000\r"), ["9 G722 8000"]);
});

test("static payload types need none, and a mapped one is believed", () => {
  check(media("0 8 18 77\r"), ["0 PCMU 8000", "8 PCMA 8000", "18 G729 8000"]);
  check(media("0", "a=rtpmap:0 L16/44100"), ["0 L16 44100"]);
});

test("what is no map is passed over, and there is one codec for each payload type", () => {
  check(media("", "a=rtpmap:128 x/8000", "a=rtpmap:97 x", "a=rtpmap:98 x/0", "a=rtpmap:"), []);
  check(media("96", "a=rtpmap:96 a/8000", "a=rtpmap:96 b/16000"), ["96 b 16000"]);
});

test("key presses and comfort noise are not what is spoken", () => {
  const lines = ["a=rtpmap:101 telephone-event/8000", "a=rtpmap:13 CN/8000"];
  expect(clocksOf(codecsOf(media("0 101 13", ...lines)))).toEqual([101, 0, 13, 0, 0, 8000]);
});
