import { expect, test } from "bun:test";
import { makeRequest } from "../sip/make-message.ts";
import { sdpPartOf } from "./sdp-part.ts";

const kindOf = (type: string, encoding: string, body: string): string => {
  const headers: [string, string][] = [["Content-Type", type]];
  if (encoding !== "") headers.push(["Content-Encoding", encoding]);
  const request = makeRequest({
    method: "INVITE",
    uri: "sip:a@b",
    headers,
    body: Buffer.from(body),
  });
  const part = sdpPartOf(request);
  return typeof part === "string" ? part : part.text;
};

test.each(["application/sdp", "multipart/mixed;boundary=b"])(
  "what may be within a compressed %s nobody can see here",
  (type) => {
    expect(kindOf(type, "gzip", "\x1f\x8b")).toBe("hidden");
  },
);

test("a compressed body of another type is none of ours", () => {
  expect(kindOf("application/xml", "gzip", "\x1f\x8b")).toBe("none");
  expect(kindOf("application/sdp", "identity", "v=0")).toBe("v=0");
});
