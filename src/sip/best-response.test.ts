import { expect, test } from "bun:test";
import { bestResponse } from "./best-response.ts";
import { Headers } from "./headers.ts";
import type { SipResponse } from "./message.ts";

function final(status: number, ...headers: [string, string][]): SipResponse {
  const response: SipResponse = {
    kind: "response",
    status,
    reason: `Reason ${status}`,
    headers: new Headers(),
    body: new Uint8Array(0),
  };
  for (const [name, value] of headers) response.headers.append(name, value);
  return response;
}

function check(statuses: [number, ...number[]], expected: number): void {
  const [first, ...others] = statuses;
  const best = bestResponse([final(first), ...others.map((status) => final(status))]);
  expect([statuses.join(" "), best.status]).toEqual([statuses.join(" "), expected]);
}

test("any 6xx wins, the first of several", () => {
  check([404, 600, 486], 600);
  check([603, 600], 603);
});

test("without a 6xx the lowest class wins", () => {
  check([500, 486, 480], 486);
  check([486, 302, 404], 302);
  check([503, 404], 404);
});

test("among 4xx those that teach the sender how to try again come first", () => {
  check([404, 401], 401);
  check([486, 407, 484], 407);
  check([404, 484], 484);
  check([420, 415], 415);
});

test("otherwise the first of its class wins, and a timeout hides no real answer", () => {
  check([486, 404], 486);
  check([408, 486], 486);
  check([503, 500], 500);
});

test("a single final response is passed as it is, a 503 with its Retry-After too", () => {
  const busy = final(503, ["retry-after", "120"]);
  expect(bestResponse([busy])).toBe(busy);
});

test("of several targets a 503 becomes 500", () => {
  const best = bestResponse([final(503), final(503)]);
  expect([best.status, best.reason]).toEqual([500, "Server Internal Error"]);
});

test("the challenges of all 401 and 407 go back together, each under its own name", () => {
  const best = bestResponse([
    final(407, ["proxy-authenticate", 'Digest realm="p1"']),
    final(
      401,
      ["www-authenticate", 'Digest realm="w1"'],
      ["www-authenticate", 'Digest realm="w2"'],
    ),
    final(404, ["www-authenticate", 'Digest realm="not a challenge"']),
    final(401, ["www-authenticate", 'Digest realm="w3"']),
    final(407, ["proxy-authenticate", 'Digest realm="p2"']),
  ]);
  expect(best.status).toBe(401);
  expect(best.headers.lines("www-authenticate")).toEqual([
    'Digest realm="w1"',
    'Digest realm="w2"',
    'Digest realm="w3"',
  ]);
  expect(best.headers.lines("proxy-authenticate")).toEqual([
    'Digest realm="p1"',
    'Digest realm="p2"',
  ]);
});

test("gathering challenges leaves the responses themselves untouched", () => {
  const first = final(401, ["www-authenticate", 'Digest realm="a"']);
  bestResponse([first, final(401, ["www-authenticate", 'Digest realm="b"'])]);
  expect(first.headers.lines("www-authenticate")).toEqual(['Digest realm="a"']);
});
