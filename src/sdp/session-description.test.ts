import { expect, test } from "bun:test";
import {
  formatSessionDescription,
  parseSessionDescription,
  SdpSyntaxError,
} from "./session-description.ts";

const SNOM = [
  "v=0",
  "o=root 1 1 IN IP4 192.168.1.10",
  "s=call",
  "c=IN IP4 192.168.1.10",
  "t=0 0",
  "m=audio 61234 RTP/SAVP 9 0 8 101",
  "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:AAAA",
  "a=rtpmap:9 G722/8000",
  "a=x-odd:  two  spaces ",
  "m=video 0 RTP/AVP 99",
];

const crlf = (lines: readonly string[]): string => `${lines.join("\r\n")}\r\n`;
const media = (line: string) => parseSessionDescription(crlf(["v=0", line])).media;

function refuses(text: string): void {
  expect(() => parseSessionDescription(text)).toThrow(SdpSyntaxError);
}

test("session level and m= sections are taken apart", () => {
  const parsed = parseSessionDescription(crlf(SNOM));
  expect(parsed.lines).toEqual(SNOM.slice(0, 5));
  expect(parsed.media).toEqual([
    {
      type: "audio",
      port: 61_234,
      portCount: null,
      proto: "RTP/SAVP",
      formats: "9 0 8 101",
      lines: SNOM.slice(6, 9),
    },
    { type: "video", port: 0, portCount: null, proto: "RTP/AVP", formats: "99", lines: [] },
  ]);
});

test("every text comes back byte for byte, whatever its line ends", () => {
  for (const text of [
    crlf(SNOM),
    SNOM.join("\n"),
    `${SNOM.join("\n")}\n`,
    SNOM.join("\r\n"),
    `${crlf(SNOM)}\r\n`,
    `${crlf(SNOM.slice(0, 6))}${SNOM.slice(6).join("\n")}\n`,
    `v=0\nm=audio 1 RTP/AVP 0\r\nm=audio 2 RTP/AVP\r\n`,
    "v=0",
    "v=0\r\ns=Gr\xfc\xdfe \x80\xff\r\nz=unknown  \r\nX=odd\r\n",
  ]) {
    expect(formatSessionDescription(parseSessionDescription(text))).toBe(text);
  }
});

test("the forms of m= lines: port count, other protos, no formats", () => {
  expect(media("m=audio 5004/2 RTP/AVP 0")[0]).toMatchObject({ port: 5004, portCount: 2 });
  expect(media("m=image 6000 udptl t38")[0]).toMatchObject({ proto: "udptl", formats: "t38" });
  expect(media("m=application 9 UDP/DTLS/SCTP webrtc-datachannel")[0]?.proto).toBe("UDP/DTLS/SCTP");
  expect(media("m=audio 65535 RTP/AVP")[0]).toMatchObject({ port: 65_535, formats: "" });
});

test("malformed m= lines are refused", () => {
  for (const line of [
    "m=",
    "m=audio",
    "m=audio 5004",
    "m=audio 65536 RTP/AVP 0",
    "m=audio 99999 RTP/AVP 0",
    "m=audio -1 RTP/AVP 0",
    "m=audio 05004 RTP/AVP 0",
    "m=audio 5004/0 RTP/AVP 0",
    "m=audio 5004/ RTP/AVP 0",
    "m=audio  5004 RTP/AVP 0",
    "m=audio\t5004 RTP/AVP 0",
    "m=audio 5004 RTP/AVP ",
  ]) {
    refuses(crlf(["v=0", line]));
  }
});

test("what does not start with v=0 is refused", () => {
  for (const text of ["", "\r\n", "v=1\r\n", "v=0 \r\n", "o=- 1 1 IN IP4 1.2.3.4\r\nv=0\r\n"]) {
    refuses(text);
  }
});

test("a line that another parser could read differently is refused", () => {
  refuses("v=0\r\ns=x\rc=IN IP4 127.0.0.1\r\n");
  refuses("v=0\r\ns=x\0\r\n");
  refuses("v=0\r\n c=IN IP4 127.0.0.1\r\n");
  refuses("v=0\r\nno type\r\n");
  refuses("v=0\r\n\r\nm=audio 1 RTP/AVP 0\r\n");
  refuses("v=0\ns=x\r\r\n");
});

test("the limits: 20 m= lines, 1000 lines and 32 KiB, or what the caller says", () => {
  const withMedia = (count: number): string =>
    crlf(["v=0", ...Array<string>(count).fill("m=audio 1 RTP/AVP 0")]);
  expect(parseSessionDescription(withMedia(20)).media.length).toBe(20);
  refuses(withMedia(21));
  expect(() =>
    parseSessionDescription(withMedia(2), { maxMedia: 1, maxLengthBytes: 1000, maxLines: 9 }),
  ).toThrow("more than 1 m= lines");
  refuses(`v=0\r\ns=${"x".repeat(32_768)}\r\n`);
  expect(parseSessionDescription(`v=0\n${"a=\n".repeat(999)}`).lines.length).toBe(1000);
  refuses(`v=0\n${"a=\n".repeat(1000)}`);
});

test("a hostile text of 64 KiB is done with at once", () => {
  const texts = [
    `v=0\r\n${"\n".repeat(65_000)}`,
    `v=0\r\nm=${"! ".repeat(32_000)}`,
    `v=0\r\nm=audio 1 ${"!".repeat(65_000)}\t`,
    `v=0\n${"a=\r\n".repeat(16_000)}`,
  ];
  const limits = { maxMedia: 20, maxLengthBytes: 65_536, maxLines: 65_536 };
  const start = performance.now();
  for (const text of texts) {
    try {
      expect(formatSessionDescription(parseSessionDescription(text, limits))).toBe(text);
    } catch (error) {
      expect(error).toBeInstanceOf(SdpSyntaxError);
    }
  }
  expect(performance.now() - start).toBeLessThan(1000);
});

test("20,000 mutated texts are either refused by name or come back byte for byte", () => {
  const pieces = [
    "\r",
    "\n",
    "\0",
    " ",
    "m=",
    "m=audio 1 RTP/AVP 0\r\n",
    "=",
    "/",
    "65536",
    "\xff",
  ];
  let seed = 8866;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    let text = crlf(SNOM);
    for (let edits = 1 + random(3); edits > 0; edits--) {
      const at = 5 + random(text.length - 5);
      text = text.slice(0, at) + (pieces[random(pieces.length)] ?? "") + text.slice(at + random(3));
    }
    try {
      const parsed = parseSessionDescription(text);
      accepted++;
      expect(formatSessionDescription(parsed)).toBe(text);
    } catch (error) {
      expect(error).toBeInstanceOf(SdpSyntaxError);
    }
  }
  expect(accepted).toBeGreaterThan(2000);
  expect(accepted).toBeLessThan(18_000);
});
