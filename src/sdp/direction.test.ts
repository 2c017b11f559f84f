import { expect, test } from "bun:test";
import { type Direction, direction } from "./direction.ts";
import { parseSessionDescription } from "./session-description.ts";

function check(session: string, media: string, expected: Direction): void {
  const parsed = parseSessionDescription(`v=0\r\n${session}m=audio 1 RTP/AVP 0\r\n${media}`);
  expect(direction(parsed, parsed.media[0]!)).toBe(expected);
}

test("without an attribute a stream flows both ways", () => {
  check("", "", "sendrecv");
  check("", "a=sendrecvx\r\n", "sendrecv");
});

test("the media level counts before the session level", () => {
  check("a=recvonly\r\n", "", "recvonly");
  check("a=inactive\r\n", "a=sendonly\r\n", "sendonly");
  check("a=sendonly\r\n", "a=sendrecv\r\n", "sendrecv");
});

test("c=0.0.0.0 is inactive whatever a= says, unless the media level has an address", () => {
  check("c=IN IP4 0.0.0.0\r\n", "a=sendrecv\r\n", "inactive");
  check("", "c=IN IP6 ::\r\n", "inactive");
  check("c=IN IP4 0.0.0.0\r\n", "c=IN IP4 10.0.0.1\r\n", "sendrecv");
});
