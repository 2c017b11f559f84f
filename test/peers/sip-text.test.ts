import { expect, test } from "bun:test";
import { latin1, SipText, SipTextReader, sipText, tagOf, uriOf } from "./sip-text.ts";

const FROM = { address: "192.0.2.1", port: 5060 };

test("a template gets CRLFs and the right Content-Length", () => {
  const text = sipText(`
    MESSAGE sip:a@b SIP/2.0
    To: <sip:a@b>
    Content-Length: *

    hello
  `);
  expect(text).toBe(
    "MESSAGE sip:a@b SIP/2.0\r\nTo: <sip:a@b>\r\nContent-Length: 7\r\n\r\nhello\r\n",
  );
});

test("a Content-Length that the script gives stays as it is", () => {
  expect(sipText("BYE sip:a@b SIP/2.0\nl: 99\n\n")).toBe("BYE sip:a@b SIP/2.0\r\nl: 99\r\n\r\n");
});

test("headers are found by long and compact name, folded or sharing a line", () => {
  const message = new SipText(
    'SIP/2.0 200 OK\r\nv: A\r\nVia: B\r\n ;c\r\nCSeq: 1 INVITE\r\nRecord-Route: <a,b>, "x,y" <c>\r\n\r\nbody',
    FROM,
  );
  expect(message.lines("Via")).toEqual(["A", "B ;c"]);
  expect(message.values("record-route")).toEqual(["<a,b>", '"x,y" <c>']);
  expect([message.status, message.method, message.summary, message.body]).toEqual([
    200,
    "INVITE",
    "200 INVITE",
    "body",
  ]);
  expect(() => message.header("Path")).toThrow("no Path in");
});

test("messages are cut out of a stream however it is chunked, and keep-alives counted", () => {
  const text = sipText("NOTIFY sip:a@b SIP/2.0\nCSeq: 1 NOTIFY\n\nabc");
  const stream = latin1(`\r\n\r\n${text}\r\n${text}`);
  const reader = new SipTextReader();
  const messages: string[] = [];
  for (const byte of stream) messages.push(...reader.push(new Uint8Array([byte])));
  expect(messages).toEqual([text, text]);
  expect(reader.keepAlives).toBe(3);
});

test("URI and tag are read from a name-addr", () => {
  expect(uriOf('"A <b>" <sip:a@b;lr>;tag=x'.replace("<b>", ""))).toBe("sip:a@b;lr");
  expect(uriOf("sip:a@b;tag=x")).toBe("sip:a@b");
  expect(tagOf("<sip:a@b;tag=no>;tag=yes")).toBe("yes");
});
