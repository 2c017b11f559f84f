import { expect, test } from "bun:test";
import { parseCryptoAttribute } from "./crypto-attribute.ts";
import {
  attribute,
  attributes,
  hasAttribute,
  isRtpProto,
  isSecureProto,
  mapMedia,
  protoWithSecurity,
  rtcpOf,
  setAttributes,
  setCrypto,
  setPort,
  setProto,
  setRtcp,
  setRtcpMux,
  withoutAttributes,
  withoutIce,
} from "./media-description.ts";
import {
  formatSessionDescription,
  type MediaDescription,
  parseSessionDescription,
} from "./session-description.ts";

function section(lines: readonly string[], line = "m=audio 5004 RTP/AVP 0"): MediaDescription {
  const text = `v=0\r\n${[line, ...lines].join("\r\n")}\r\n`;
  return parseSessionDescription(text).media[0]!;
}

test("attributes are found by their whole name", () => {
  const media = section(["a=rtcp-mux", "a=rtcp:5005", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA"]);
  expect(attribute(media, "rtcp")).toBe("5005");
  expect(attribute(media, "rtcp-mux")).toBe("");
  expect(attribute(media, "rtc")).toBeUndefined();
  expect(attributes(media, "rtpmap")).toEqual(["0 PCMU/8000", "8 PCMA"]);
  expect(hasAttribute(media, "rtcp-mux")).toBe(true);
  expect(hasAttribute(media, "crypto")).toBe(false);
});

test("whoever reads names without their case, or with white space, finds no more than we do", () => {
  const lines = ["a=Candidate:1 1 UDP 1 10.0.9.9 22 typ host", "a= ICE-ufrag:x", "a=CRYPTO :1 x y"];
  const media = section([...lines, "a=X-Kept:1", "a=Rtcp:22 IN IP4 10.0.9.9"]);
  expect(withoutIce(media).lines).toEqual([lines[2]!, "a=X-Kept:1", "a=Rtcp:22 IN IP4 10.0.9.9"]);
  expect(attributes(media, "crypto")).toEqual(["1 x y"]);
  expect(setRtcp(setCrypto(withoutIce(media), []), null).lines).toEqual(["a=X-Kept:1"]);
});

test("removing attributes leaves every other line in place", () => {
  const media = section(["i=x", "a=setup:active", "a=sendrecv", "a=fingerprint:sha-1 AA", "k=y"]);
  expect(withoutAttributes(media, ["setup", "fingerprint"]).lines).toEqual([
    "i=x",
    "a=sendrecv",
    "k=y",
  ]);
  expect(withoutAttributes(media, ["crypto"])).toBe(media);
});

test("everything of ICE goes, at media and at session level", () => {
  const ice = [
    "a=candidate:1 1 UDP 2130706431 192.168.1.10 5004 typ host",
    "a=remote-candidates:1 10.0.0.1 5000",
    "a=end-of-candidates",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:0123456789",
    "a=ice-options:trickle",
    "a=ice-lite",
    "a=ice-mismatch",
    "a=ice-pacing:50",
  ];
  expect(withoutIce(section([...ice, "a=icecream:yes"])).lines).toEqual(["a=icecream:yes"]);
  const parsed = parseSessionDescription("v=0\r\na=ice-lite\r\ns=-\r\n");
  expect(withoutIce(parsed).lines).toEqual(["v=0", "s=-"]);
});

test("replaced attributes stand where the first one stood, new ones at the end", () => {
  const media = section(["a=crypto:1 old", "a=sendrecv", "a=crypto:2 old"]);
  expect(setAttributes(media, "crypto", ["5 a", "6 b"]).lines).toEqual([
    "a=crypto:5 a",
    "a=crypto:6 b",
    "a=sendrecv",
  ]);
  expect(setAttributes(media, "rtcp-mux", [""]).lines.at(-1)).toBe("a=rtcp-mux");
  const blankEnd = parseSessionDescription("v=0\r\nm=audio 1 RTP/AVP 0\r\na=x\r\n\r\n");
  expect(setAttributes(blankEnd.media[0]!, "y", [""]).lines).toEqual(["a=x", "a=y", ""]);
});

test("in a text of mixed line ends the new lines end like their neighbours", () => {
  const parsed = parseSessionDescription("v=0\nm=audio 1 RTP/AVP 0\r\na=x\r\n");
  const edited = mapMedia(parsed, (media) => setRtcp(setPort(media, 7), 9));
  expect(formatSessionDescription(edited)).toBe("v=0\nm=audio 7 RTP/AVP 0\r\na=x\r\na=rtcp:9\r\n");
});

test("port and proto are edited, the formats stay", () => {
  const parsed = parseSessionDescription("v=0\r\nm=audio 5004/2 RTP/SAVP 9 101\r\n");
  const edited = mapMedia(parsed, (media) => setProto(setPort(media, 30_000), "RTP/AVP"));
  expect(formatSessionDescription(edited)).toBe("v=0\r\nm=audio 30000 RTP/AVP 9 101\r\n");
});

test("the profiles with and without security", () => {
  expect(isSecureProto("RTP/SAVP")).toBe(true);
  expect(isSecureProto("UDP/TLS/RTP/SAVPF")).toBe(true);
  expect(isSecureProto("RTP/AVP")).toBe(false);
  expect(isRtpProto("RTP/AVPF")).toBe(true);
  expect(isRtpProto("UDP/TLS/RTP/SAVPF")).toBe(true);
  expect(isRtpProto("udptl")).toBe(false);
  expect(isRtpProto("TCP/RTP/AVP")).toBe(false);
  expect(protoWithSecurity("RTP/AVP", true)).toBe("RTP/SAVP");
  expect(protoWithSecurity("RTP/SAVPF", false)).toBe("RTP/AVPF");
  expect(protoWithSecurity("RTP/SAVP", true)).toBe("RTP/SAVP");
  expect(protoWithSecurity("UDP/TLS/RTP/SAVPF", false)).toBe("RTP/AVPF");
  expect(protoWithSecurity("UDP/TLS/RTP/SAVPF", true)).toBe("RTP/SAVPF");
  expect(protoWithSecurity("udptl", true)).toBe("udptl");
});

test("a=rtcp is read, written and taken away", () => {
  expect(rtcpOf(section(["a=rtcp:53020"]))).toEqual({ port: 53_020, address: null });
  expect(rtcpOf(section(["a=rtcp:53020 IN IP4 126.16.64.4"]))).toEqual({
    port: 53_020,
    address: "126.16.64.4",
  });
  for (const line of ["a=rtcp:0", "a=rtcp:65536", "a=rtcp:x", "a=rtcp", "a=sendrecv"]) {
    expect(rtcpOf(section([line]))).toBeNull();
  }
  expect(setRtcp(section(["a=rtcp:1 IN IP4 10.0.0.1"]), 5).lines).toEqual(["a=rtcp:5"]);
  expect(setRtcp(section(["a=rtcp:1"]), null).lines).toEqual([]);
});

test("a=rtcp-mux is added or taken away, and left alone when it is right", () => {
  expect(setRtcpMux(section([]), true).lines).toEqual(["a=rtcp-mux"]);
  expect(setRtcpMux(section(["a=rtcp-mux", "a=x"]), false).lines).toEqual(["a=x"]);
  const right = section(["a=rtcp-mux "]);
  expect(setRtcpMux(right, true)).toBe(right);
});

test("a=crypto lines are replaced as one list", () => {
  const line = `3 AES_CM_128_HMAC_SHA1_80 inline:${"A".repeat(40)}`;
  const crypto = parseCryptoAttribute(line)!;
  expect(setCrypto(section(["a=crypto:1 x y", "a=z"]), [crypto]).lines).toEqual([
    `a=crypto:${line}`,
    "a=z",
  ]);
  expect(setCrypto(section(["a=crypto:1 x y"]), []).lines).toEqual([]);
});
