import { describe, expect, test } from "bun:test";
import { LONGEST_SEAL, SealedTexts } from "./sealed-text.ts";

const key = { number: 1, secret: Buffer.alloc(32, 7) };
const older = { number: 2, secret: Buffer.alloc(32, 9) };
const seals = new SealedTexts([key]);
const text = "sip:asterisk@10.0.3.150:5060;x=\xe9";

describe("a sealed text", () => {
  test("opens to itself, shows nothing of it and is the same each time", () => {
    const sealed = seals.seal(text, "a")!;
    expect(seals.open(sealed, "a")).toBe(text);
    expect(sealed).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(seals.seal(text, "a")).toBe(sealed);
    expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("10.0.3");
    expect(seals.open(seals.seal("", "a")!, "a")).toBe("");
  });

  test("with another key or in another context it is nothing", () => {
    const sealed = seals.seal(text, "a")!;
    expect(seals.open(sealed, "b")).toBeNull();
    expect(new SealedTexts([{ ...key, secret: older.secret }]).open(sealed, "a")).toBeNull();
    expect(new SealedTexts([older]).open(sealed, "a")).toBeNull();
    expect(new SealedTexts([older, key]).open(sealed, "a")).toBe(text);
  });

  test("one changed character, a cut, an addition: nothing", () => {
    const sealed = seals.seal(text, "a")!;
    for (let at = 0; at < sealed.length; at++) {
      const other = sealed[at] === "A" ? "B" : "A";
      expect(seals.open(sealed.slice(0, at) + other + sealed.slice(at + 1), "a")).toBeNull();
      expect(seals.open(sealed.slice(0, at), "a")).toBeNull();
    }
    expect(seals.open(`${sealed}A`, "a")).toBeNull();
    expect(seals.open("not a seal", "a")).toBeNull();
  });

  test("thousands of others in between change nothing", () => {
    const sealed = seals.seal(text, "a")!;
    for (let count = 0; count < 2000; count++) {
      const other = seals.seal(`${text}${count}`, "a")!;
      expect(seals.open(other, "a")).toBe(`${text}${count}`);
      expect(seals.open(other, "b")).toBeNull();
    }
    expect(seals.seal(text, "a")).toBe(sealed);
    expect(seals.open(sealed, "a")).toBe(text);
  });

  test("what is too long to be carried is not sealed, nor looked at", () => {
    expect(seals.seal("x".repeat(LONGEST_SEAL), "a")).toBeNull();
    expect(seals.seal("x".repeat(286), "a")?.length).toBeLessThanOrEqual(LONGEST_SEAL);
    expect(seals.open("A".repeat(LONGEST_SEAL + 4), "a")).toBeNull();
  });
});
