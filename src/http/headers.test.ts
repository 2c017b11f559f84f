import { expect, test } from "bun:test";
import { headerValue, requestHeaders, responseHeaders, upgradeHeaders } from "./headers.ts";

const client = { address: "192.0.2.1", isTls: true, host: "h.test", prefix: "/mycompany" };
const added = [
  "X-Forwarded-For",
  "192.0.2.1",
  "X-Forwarded-Proto",
  "https",
  "X-Forwarded-Host",
  "h.test",
  "X-Forwarded-Prefix",
  "/mycompany",
  "Forwarded",
  'for=192.0.2.1;host="h.test";proto=https',
];

test("what we need not change keeps its bytes and order", () => {
  const headers = ["x-ODD", "\xe4 , b", "Cookie", "a=1", "X-Odd", "2", "Content-Length", "3"];
  expect(requestHeaders(headers, client, null)).toEqual(["Host", "h.test", ...headers, ...added]);
});

test("hop by hop lines end here, those that Connection names too, but none that frames", () => {
  const headers = [
    ...[
      "Connection",
      "close, X-Mine, Content-Length, cookie",
      "X-Mine",
      "1",
      "Content-Length",
      "3",
    ],
    ...["Keep-Alive", "timeout=5", "Proxy-Connection", "x", "TE", "trailers", "Trailer", "X"],
    ...["Upgrade", "h2c", "Expect", "100-continue", "Proxy-Authorization", "x", "Cookie", "a=1"],
  ];
  const kept = ["Host", "inside", "Content-Length", "3", "Cookie", "a=1"];
  expect(requestHeaders(headers, client, "inside")).toEqual([...kept, ...added]);
});

test("a coding that Connection names still frames the body: else the body would be the next request", () => {
  const headers = ["Connection", "keep-alive, Transfer-Encoding", "Transfer-Encoding", "chunked"];
  const kept = ["Host", "h.test", "Transfer-Encoding", "chunked"];
  expect(requestHeaders(headers, client, null)).toEqual([...kept, ...added]);
});

test("nothing the client says of where it comes from, or of another path, stays", () => {
  const names = [
    ...[
      "X-Forwarded-For",
      "x-forwarded-HOST",
      "X_Forwarded_For",
      "X.Real.IP",
      "Forwarded",
      "X-Real-IP",
    ],
    ...[
      "X-Original-URL",
      "X-Rewrite-URL",
      "X-Forwarded-Prefix",
      "X-Forwarded-Port",
      "Via",
      "Proxy",
    ],
  ];
  const headers = names.flatMap((name) => [name, "evil"]);
  expect(requestHeaders(headers, client, null)).toEqual(["Host", "h.test", ...added]);
});

test("a chunked body stays one; IPv6 is quoted; without a prefix there is no line of it", () => {
  const sent = requestHeaders(
    ["Transfer-Encoding", "Chunked"],
    { ...client, address: "2001:db8::1", prefix: "", isTls: false },
    null,
  );
  expect(headerValue(sent, "transfer-encoding")).toBe("chunked");
  expect(headerValue(sent, "forwarded")).toBe('for="[2001:db8::1]";host="h.test";proto=http');
  expect(headerValue(sent, "x-forwarded-prefix")).toBeNull();
});

test("who would sign in a whole connection, which is not his alone, cannot", () => {
  const basic = ["Authorization", "Basic TlRMTQ=="];
  const asked = ["Authorization", "NTLM TlRMTVNTUAAB", "authorization", "Negotiate YII=", ...basic];
  expect(requestHeaders(asked, client, null)).toEqual(["Host", "h.test", ...basic, ...added]);
  const offered = ["WWW-Authenticate", 'Basic realm="NTLM"'];
  const more = ["WWW-Authenticate", "Negotiate", "www-authenticate", "NTLM"];
  expect(responseHeaders([...more, ...offered], (_, value) => value)).toEqual(offered);
});

test("a change of protocol has its two lines, and no other of Connection", () => {
  const headers = [
    "Connection",
    "keep-alive, Upgrade",
    "Upgrade",
    "websocket",
    "Sec-WebSocket-Key",
    "k",
  ];
  const sent = upgradeHeaders(headers, client, null);
  expect(sent.slice(0, 4)).toEqual(["Host", "h.test", "Sec-WebSocket-Key", "k"]);
  expect(sent.slice(-4)).toEqual(["Connection", "Upgrade", "Upgrade", "websocket"]);
});

test("of a response what takes hold of the whole origin does not pass", () => {
  const headers = [
    ...["Content-Encoding", "gzip", "Strict-Transport-Security", "max-age=1", "Alt-Svc", "h3=:1"],
    ...[
      "Service-Worker-Allowed",
      "/",
      "Clear-Site-Data",
      "*",
      "NEL",
      "{}",
      "Report-To",
      "{}",
      "Connection",
      "X-Hop",
      "X-Hop",
      "1",
    ],
    ...["Transfer-Encoding", "chunked", "Set-Cookie", "a", "set-cookie", "b"],
  ];
  const out = responseHeaders(headers, (name, value) =>
    name === "set-cookie" ? `${value}!` : value,
  );
  expect(out).toEqual(["Content-Encoding", "gzip", "Set-Cookie", "a!", "set-cookie", "b!"]);
});
