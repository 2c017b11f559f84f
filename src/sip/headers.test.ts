import { describe, expect, test } from "bun:test";
import { headerKey } from "./header-names.ts";
import { HeaderLine, Headers, makeHeaderLine } from "./headers.ts";

/** Lines as a parser would find them. */
function headersOf(...raw: string[]): Headers {
  const lines = raw.map((text) => {
    const colon = text.indexOf(":");
    return new HeaderLine(headerKey(text.slice(0, colon).trimEnd()), text, colon);
  });
  return new Headers(lines);
}

function written(headers: Headers): string[] {
  return headers.all.map((line) => line.raw);
}

describe("reading", () => {
  const headers = headersOf(
    "v: SIP/2.0/UDP a , SIP/2.0/UDP b",
    "VIA  :\r\n SIP/2.0/TCP c",
    "Subject: one\r\n  two\r\n\tthree",
    'm: "A, B" <sip:a,b@c>;q=1,<sip:d>',
    "X-Odd:",
    "s: second subject",
    "Server: \xc3\xa0\xa0",
  );

  test("compact forms and any case count as the long name", () => {
    expect(headers.get("via")).toBe("SIP/2.0/UDP a , SIP/2.0/UDP b");
    expect(headers.lines("via")).toEqual(["SIP/2.0/UDP a , SIP/2.0/UDP b", "SIP/2.0/TCP c"]);
    expect(headers.count("subject")).toBe(2);
    expect(headers.has("contact")).toBe(true);
    expect(headers.has("v")).toBe(false);
    expect(headers.get("expires")).toBeUndefined();
  });

  test("a folded value is one line, and white space at its ends is gone", () => {
    expect(headers.get("subject")).toBe("one two three");
    expect(headers.get("x-odd")).toBe("");
  });

  test("bytes above 127 survive at the very end of a value", () => {
    expect(headers.get("server")).toBe("\xc3\xa0\xa0");
  });

  test("values come from all lines, in order", () => {
    expect(headers.values("via")).toEqual(["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/TCP c"]);
    expect(headers.values("contact")).toEqual(['"A, B" <sip:a,b@c>;q=1', "<sip:d>"]);
    expect(headers.values("x-odd")).toEqual([]);
    expect(headers.firstValue("via")).toBe("SIP/2.0/UDP a");
    expect(headers.firstValue("x-odd")).toBeUndefined();
    expect(headersOf("Route:", "Route: ,\r\n <sip:a>").firstValue("route")).toBe("<sip:a>");
  });
});

test("a line of 30,000 values is no trouble", () => {
  expect(headersOf(`Route: ${"a,".repeat(30_000)}`).values("route")).toHaveLength(30_000);
});

describe("writing", () => {
  test("set replaces the first line where it stands and removes the others", () => {
    const headers = headersOf("To: a", "m: <sip:a>", "Call-ID: c", "Contact: <sip:b>");
    headers.set("contact", "<sip:new>");
    headers.set("expires", "60");
    expect(written(headers)).toEqual(["To: a", "Contact: <sip:new>", "Call-ID: c", "Expires: 60"]);
  });

  test("append and prepend keep lines of one name together", () => {
    const headers = headersOf("Via: a", "To: t");
    headers.append("via", "b");
    headers.prepend("via", "top");
    headers.prepend("record-route", "<sip:p;lr>");
    headers.append("x-new-name", "x");
    expect(written(headers)).toEqual([
      "Record-Route: <sip:p;lr>",
      "Via: top",
      "Via: a",
      "Via: b",
      "To: t",
      "X-New-Name: x",
    ]);
  });

  test("names get their usual spelling", () => {
    const names = [
      "call-id",
      "cseq",
      "www-authenticate",
      "i",
      "mime-version",
      "sip-etag",
      "rack",
      "x-a-b",
    ];
    expect(names.map((name) => makeHeaderLine(name, "v").raw)).toEqual([
      "Call-ID: v",
      "CSeq: v",
      "WWW-Authenticate: v",
      "Call-ID: v",
      "MIME-Version: v",
      "SIP-ETag: v",
      "RAck: v",
      "X-A-B: v",
    ]);
  });

  test("remove takes every line of the name", () => {
    const headers = headersOf("x-a: 1", "To: t", "X-A: 2");
    expect(headers.remove("x-a")).toBe(true);
    expect(headers.remove("x-a")).toBe(false);
    expect(written(headers)).toEqual(["To: t"]);
  });

  test("copyFrom takes lines raw", () => {
    const headers = new Headers();
    headers.copyFrom(headersOf("v : a,\r\n b", "To: t", "Via:c"), "via");
    expect(written(headers)).toEqual(["v : a,\r\n b", "Via:c"]);
  });

  test("a value that would start another line is refused", () => {
    const headers = new Headers();
    for (const value of ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\u010ab"]) {
      expect(() => headers.set("subject", value)).toThrow(TypeError);
      expect(() => headers.append("subject", value)).toThrow(TypeError);
      expect(() => headers.prepend("subject", value)).toThrow(TypeError);
      expect(() => headers.replaceFirst("subject", value)).toThrow(TypeError);
    }
    expect(written(headers)).toEqual([]);
  });
});

describe("the top-most value", () => {
  test("is taken off a shared line, the rest stays byte for byte", () => {
    const headers = headersOf("To: t", 'route:  "A, B" <sip:a,a> ,  <sip:b>  ,\r\n <sip:c>');
    expect(headers.shift("route")).toBe('"A, B" <sip:a,a>');
    expect(written(headers)).toEqual(["To: t", "route:  <sip:b>  ,\r\n <sip:c>"]);
    expect(headers.shift("route")).toBe("<sip:b>");
    expect(headers.shift("route")).toBe("<sip:c>");
    expect(headers.shift("route")).toBeUndefined();
    expect(written(headers)).toEqual(["To: t"]);
  });

  test("is found behind empty lines and commas, which go with it", () => {
    const headers = headersOf("Route:", "Route: , ,<sip:a>,", "Route: <sip:b>");
    expect(headers.shift("route")).toBe("<sip:a>");
    expect(written(headers)).toEqual(["Route: <sip:b>"]);
  });

  test("is replaced alone", () => {
    const headers = headersOf("v:a , b", "Via: c");
    headers.replaceFirst("via", "SIP/2.0/UDP new");
    expect(written(headers)).toEqual(["v:SIP/2.0/UDP new, b", "Via: c"]);
    headers.replaceFirst("route", "<sip:r>");
    expect(headers.get("route")).toBe("<sip:r>");
  });
});

test("a clone changes nothing in its original", () => {
  const original = headersOf("Via: a, b", "To: t");
  const clone = original.clone();
  clone.shift("via");
  clone.set("to", "other");
  clone.remove("to");
  clone.append("x-a", "1");
  expect(written(original)).toEqual(["Via: a, b", "To: t"]);
  expect(written(clone)).toEqual(["Via: b", "X-A: 1"]);
});

test("takeFrom puts the lines of another message in place of one's own, on top", () => {
  const theirs = [
    makeHeaderLine("Via", "x"),
    makeHeaderLine("To", "y"),
    makeHeaderLine("Via", "z"),
  ];
  const headers = new Headers([makeHeaderLine("From", "a"), makeHeaderLine("Via", "b")]);
  headers.takeFrom(new Headers(theirs), "via");
  expect(headers.all).toEqual([theirs[0]!, theirs[2]!, makeHeaderLine("From", "a")]);
});

test("map changes single lines, takes some away and leaves the others byte for byte", () => {
  const lines = [
    makeHeaderLine("Via", "a"),
    makeHeaderLine("X-Odd", "b"),
    makeHeaderLine("Via", "c"),
  ];
  const headers = new Headers(lines);
  headers.map((line) => {
    if (line.name === "x-odd") return null;
    return line.raw.endsWith("c") ? makeHeaderLine("via", "d") : line;
  });
  expect(headers.all[0]).toBe(lines[0]!);
  expect(headers.lines("via")).toEqual(["a", "d"]);
  expect(headers.has("x-odd")).toBe(false);
});
