import { describe, expect, test } from "bun:test";
import { randomBytes, randomInt } from "node:crypto";
import { ProvisioningTokens } from "./token.ts";

const KEY = Buffer.alloc(32, 7);
const tokens = new ProvisioningTokens(KEY);
const PHONE = { instance: "mycompany", mac: "08C25A4F0321" };
const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-";

function randomPhone() {
  const length = randomInt(1, 64);
  const instance = Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  return { instance, mac: randomBytes(6).toString("hex").toUpperCase() };
}

/** The same token with one of its bits, also those beyond the last byte, changed. */
function flipped(token: string, bit: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const at = Math.floor(bit / 6);
  const value = alphabet.indexOf(token[at]!) ^ (1 << (bit % 6));
  return token.slice(0, at) + alphabet[value] + token.slice(at + 1);
}

describe("tokens", () => {
  test("10,000 random phones come back from theirs, and no two are equal", () => {
    const seen = new Set<string>();
    for (let count = 0; count < 10_000; count++) {
      const phone = randomPhone();
      const token = tokens.make(phone);
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(tokens.open(token)).toEqual(phone);
      seen.add(token);
    }
    expect(seen.size).toBe(10_000);
  });

  test("the same phone always has the same token, however it is written", () => {
    const again = new ProvisioningTokens(KEY);
    const token = tokens.make(PHONE);
    expect(again.make({ instance: "MyCompany", mac: "08:c2:5a:4f:03:21" })).toBe(token);
    // Phones have it for years: it is the same in each version of this program.
    expect(token).toBe("5jwVCFwm88QHK7387Gb4rd8-ON8uvZbZbP0SVkGMMhc");
  });

  test("every changed bit is refused", () => {
    for (const phone of [PHONE, { instance: "a", mac: "000000000000" }, randomPhone()]) {
      const token = tokens.make(phone);
      for (let bit = 0; bit < token.length * 6; bit++) {
        expect(tokens.open(flipped(token, bit))).toBeNull();
      }
    }
  });

  test("another key opens nothing", () => {
    const other = new ProvisioningTokens(randomBytes(32));
    expect(other.open(tokens.make(PHONE))).toBeNull();
    expect(other.make(PHONE)).not.toBe(tokens.make(PHONE));
  });

  test("the length names nobody: names of 1 to 9 letters are one length, it grows by 16 bytes", () => {
    const lengthOf = (length: number): number =>
      tokens.make({ instance: "x".repeat(length), mac: PHONE.mac }).length;
    const lengths = Array.from({ length: 63 }, (_, at) => lengthOf(at + 1));
    expect(new Set(lengths.slice(0, 9)).size).toBe(1);
    expect([...new Set(lengths)]).toEqual([43, 64, 86, 107, 128]);
  });

  test("neither the name nor the MAC stands in it, nor what two phones have in common", () => {
    const [one, two] = [PHONE, { ...PHONE, mac: "08C25A4F0322" }].map((phone) =>
      tokens.make(phone),
    );
    const text = Buffer.from(one!, "base64url").toString("latin1");
    expect(text).not.toContain("mycompany");
    const same = [...one!].filter((letter, at) => letter === two![at]).length;
    expect(same).toBeLessThan(12);
  });

  test("what phones and copying add to the end is taken off", () => {
    const token = tokens.make(PHONE);
    for (const end of ["=", "==", "%3D", "%3d%3D", "+", "%2B", "=%2B", "%3D%2b", "=+=+"]) {
      expect([end, tokens.open(token + end)]).toEqual([end, PHONE]);
    }
  });

  test("nothing else opens", () => {
    const token = tokens.make(PHONE);
    for (const text of [
      "",
      "mycompany",
      "=",
      token.slice(1),
      token.slice(0, -1),
      `${token}A`,
      `=${token}`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${token.slice(0, 10)}=${token.slice(10)}`,
      "A".repeat(43),
      "A".repeat(128),
      "A".repeat(5000),
      `${token}${"=".repeat(5000)}`,
    ]) {
      expect(tokens.open(text)).toBeNull();
    }
  });

  test("a phone that is none has no token, a key that is none no tokens", () => {
    for (const phone of [
      { instance: "", mac: PHONE.mac },
      { instance: "a.b", mac: PHONE.mac },
      { instance: "x".repeat(64), mac: PHONE.mac },
      { instance: "a", mac: "08C25A" },
    ]) {
      expect(() => tokens.make(phone)).toThrow();
    }
    expect(() => new ProvisioningTokens(Buffer.alloc(16))).toThrow();
  });
});
