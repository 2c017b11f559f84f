import { describe, expect, test } from "bun:test";
import { instanceTag } from "../sip/flow-token.ts";
import { SealedTexts } from "../sip/sealed-text.ts";
import { Masks, MOST_MASKS } from "./masks.ts";

const masks = new Masks(new SealedTexts([{ number: 1, secret: Buffer.alloc(32, 1) }]));
const others = new Masks(new SealedTexts([{ number: 1, secret: Buffer.alloc(32, 2) }]));
const place = { address: "203.0.113.5", port: 5061, transport: "tls" as const };
const tag = instanceTag("mycompany");
const uri = "sip:asterisk@10.0.3.150:5060;x=1";
const masked = masks.mask(uri, tag, place)!;

describe("a masked Contact", () => {
  test("is at our place, tells nothing and opens to what it was", () => {
    expect(masked).toMatch(/^sip:pq\.[A-Za-z0-9_-]+@203\.0\.113\.5:5061;transport=tls$/);
    expect(masks.open(masked)).toEqual({ instanceTag: tag, uri });
    const secure = masks.mask(uri, tag, { ...place, isSips: true })!;
    expect(secure).toMatch(/^sips:pq\.[A-Za-z0-9_-]+@203\.0\.113\.5:5061$/);
    expect(masks.open(secure)).toEqual({ instanceTag: tag, uri });
  });

  test("of another proxy, or changed, is forged; anything else is no mask", () => {
    expect(others.open(masked)).toBe("forged");
    expect(masks.open("sip:pq.x@203.0.113.5")).toBe("forged");
    expect(masks.open("sip:600@mycompany")).toBeNull();
    expect(masks.open("tel:600")).toBeNull();
  });

  test("is found in a header, with what is behind it left as it is", () => {
    const replaces = "Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc";
    expect(masks.openAll(`"x" <${masked}?${replaces}>;y`, tag)).toBe(`"x" <${uri}?${replaces}>;y`);
    expect(masks.openAll(`<target uri="${masked}"/>`, tag)).toBe(`<target uri="${uri}"/>`);
    expect(masks.openAll(`${masked}, ${masked}`, tag)).toBe(`${uri}, ${uri}`);
    expect(masks.openAll(`<${masked}>`, instanceTag("other"))).toBe(`<${masked}>`);
  });

  test("one message opens so many and no more: each costs an HMAC", () => {
    const left = { masks: MOST_MASKS };
    const opened = masks.openAll(
      Array(MOST_MASKS + 6)
        .fill(masked)
        .join(" "),
      tag,
      left,
    );
    expect(opened.split(masked)).toHaveLength(7);
    expect(masks.openAll(masked, tag, left)).toBe(masked);
    expect(masks.openAll(masked, tag)).toBe(uri);
  });

  test("a URI too long to be carried has no mask", () => {
    expect(masks.mask(`sip:${"x".repeat(400)}@h`, tag, place)).toBeNull();
  });
});
