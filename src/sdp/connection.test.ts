import { expect, test } from "bun:test";
import {
  connectionOf,
  formatConnection,
  replaceConnection,
  replaceMediaConnection,
  replaceOrigin,
  replaceSessionConnection,
} from "./connection.ts";
import { formatSessionDescription, parseSessionDescription } from "./session-description.ts";

const parse = (...lines: string[]) => parseSessionDescription(`${lines.join("\r\n")}\r\n`);
const format = (description: ReturnType<typeof parse>): string[] =>
  formatSessionDescription(description).split("\r\n").slice(0, -1);

const connectionIn = (line: string) => {
  const parsed = parse("v=0", "m=audio 1 RTP/AVP 0", line);
  return connectionOf(parsed, parsed.media[0]!);
};

test("the media level's c= counts before the session's", () => {
  const parsed = parse(
    "v=0",
    "c=IN IP4 10.0.0.1",
    "m=audio 1 RTP/AVP 0",
    "c=IN IP6 2001:db8::1",
    "m=audio 2 RTP/AVP 0",
  );
  const [first, second] = parsed.media;
  expect(connectionOf(parsed, first!)).toEqual({ family: 6, address: "2001:db8::1" });
  expect(connectionOf(parsed, second!)).toEqual({ family: 4, address: "10.0.0.1" });
});

test("TTL and count are no part of the address; a host name is given back as it is", () => {
  expect(connectionIn("c=IN IP4 224.2.1.1/127")?.address).toBe("224.2.1.1");
  expect(connectionIn("c=IN IP4 224.2.1.1/127/3")?.address).toBe("224.2.1.1");
  expect(connectionIn("c=IN IP6 FF15::101/3")?.address).toBe("FF15::101");
  expect(connectionIn("c=IN IP4 phone.example.com")?.address).toBe("phone.example.com");
});

test("no c= and a malformed c= are null", () => {
  for (const line of [
    "a=x",
    "c=",
    "c=IN",
    "c=IN IP4",
    "c=IN IP4 ",
    "c=IN IP5 1.2.3.4",
    "c=IN IP4 /1",
  ]) {
    expect(connectionIn(line)).toBeNull();
  }
});

test("all c= lines are replaced at both levels, several in one section too", () => {
  const parsed = parse(
    "v=0",
    "c=IN IP4 10.0.0.1",
    "t=0 0",
    "m=audio 1 RTP/AVP 0",
    "c=IN IP4 224.2.1.1/127",
    "c=IN IP4 224.2.1.2/127",
    "a=x",
    "m=video 1 RTP/AVP 0",
    "c=nonsense",
  );
  expect(format(replaceConnection(parsed, "192.0.2.7"))).toEqual([
    "v=0",
    "c=IN IP4 192.0.2.7",
    "t=0 0",
    "m=audio 1 RTP/AVP 0",
    "c=IN IP4 192.0.2.7",
    "c=IN IP4 192.0.2.7",
    "a=x",
    "m=video 1 RTP/AVP 0",
    "c=IN IP4 192.0.2.7",
  ]);
});

test("each level can be replaced alone", () => {
  const parsed = parse("v=0", "c=IN IP4 10.0.0.1", "m=audio 1 RTP/AVP 0", "c=IN IP4 10.0.0.2");
  const session = replaceSessionConnection(parsed, "2001:db8::9");
  expect(format(session)).toEqual([
    "v=0",
    "c=IN IP6 2001:db8::9",
    "m=audio 1 RTP/AVP 0",
    "c=IN IP4 10.0.0.2",
  ]);
  expect(replaceMediaConnection(parsed.media[0]!, "::1").lines).toEqual(["c=IN IP6 ::1"]);
});

test("the old hold c=0.0.0.0 is passed on", () => {
  const parsed = parse("v=0", "c=IN IP4 10.0.0.1", "m=audio 1 RTP/AVP 0", "c=IN IP4 0.0.0.0");
  expect(format(replaceConnection(parsed, "192.0.2.7"))).toEqual([
    "v=0",
    "c=IN IP4 192.0.2.7",
    "m=audio 1 RTP/AVP 0",
    "c=IN IP4 0.0.0.0",
  ]);
});

test("a section that no c= covers gets one, behind i= and before a=", () => {
  const parsed = parse("v=0", "m=audio 1 RTP/AVP 0", "i=voice", "a=x", "m=video 0 RTP/AVP 0");
  expect(format(replaceConnection(parsed, "192.0.2.7"))).toEqual([
    "v=0",
    "m=audio 1 RTP/AVP 0",
    "i=voice",
    "c=IN IP4 192.0.2.7",
    "a=x",
    "m=video 0 RTP/AVP 0",
    "c=IN IP4 192.0.2.7",
  ]);
});

test("only the address of o= changes, user names with spaces included", () => {
  for (const [line, replaced] of [
    ["o=- 123 4 IN IP4 10.0.0.1", "o=- 123 4 IN IP4 192.0.2.7"],
    ["o=Some Name 1 1 IN IP6 fe80::1", "o=Some Name 1 1 IN IP4 192.0.2.7"],
    ["o=- 1 1 IN IP4 pbx.inside.example", "o=- 1 1 IN IP4 192.0.2.7"],
    ["o=nonsense", "o=nonsense"],
  ] as const) {
    expect(format(replaceOrigin(parse("v=0", line), "192.0.2.7"))).toEqual(["v=0", replaced]);
  }
});

test("line ends stay as they were", () => {
  const text = "v=0\no=- 1 1 IN IP4 1.1.1.1\r\nc=IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 0\n";
  const edited = replaceConnection(
    replaceOrigin(parseSessionDescription(text), "2.2.2.2"),
    "2.2.2.2",
  );
  expect(formatSessionDescription(edited)).toBe(text.replaceAll("1.1.1.1", "2.2.2.2"));
  expect(formatConnection("::1")).toBe("IN IP6 ::1");
});
