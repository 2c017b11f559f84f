import { describe, expect, test } from "bun:test";
import { type FlowTarget, FlowTokens, instanceTag } from "./flow-token.ts";

const key = { number: 1, secret: Buffer.alloc(32, 7) };
const older = { number: 2, secret: Buffer.alloc(32, 9) };
const tokens = new FlowTokens([key]);
const id = "0011223344556677";
const target = (more: Partial<FlowTarget> = {}): FlowTarget => ({
  instanceTag: instanceTag("mycompany"),
  kind: "binding",
  id,
  udp: null,
  ...more,
});

describe("flow token", () => {
  test("says again what went in, for streams and for UDP over IPv4 and IPv6", () => {
    const cases = [
      target(),
      target({ kind: "flow" }),
      target({ udp: { address: "203.0.113.9", port: 65535 } }),
      target({ udp: { address: "2001:db8:0:0:0:0:0:1", port: 5060 } }),
    ];
    for (const one of cases) expect(tokens.open(tokens.make(one))).toEqual(one);
  });

  test("a shortened IPv6 address is the same address", () => {
    const made = tokens.make(target({ udp: { address: "fe80::1", port: 1 } }));
    expect(tokens.open(made)?.udp).toEqual({ address: "fe80:0:0:0:0:0:0:1", port: 1 });
  });

  test("is short and made of characters that need no escape in a SIP user part", () => {
    const made = tokens.make(target({ udp: { address: "203.0.113.9", port: 5060 } }));
    expect(made).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(tokens.make(target())).toHaveLength(35);
  });

  test("the name of an instance means the same in any case", () => {
    expect(instanceTag("MyCompany")).toBe(instanceTag("mycompany"));
    expect(instanceTag("mycompany")).not.toBe(instanceTag("mycompany2"));
  });

  test("one flipped bit anywhere is refused", () => {
    const bytes = Buffer.from(tokens.make(target()), "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(tokens.open(changed.toString("base64url"))).toBeNull();
    }
  });

  test("another proxy's token, nonsense and overlong input are refused", () => {
    const foreign = new FlowTokens([{ number: 1, secret: Buffer.alloc(32, 8) }]).make(target());
    for (const one of [foreign, "", "600", "a".repeat(35), "a".repeat(5000), "ä".repeat(40)]) {
      expect(tokens.open(one)).toBeNull();
    }
  });

  test("a token made before the key was changed still opens while the old key is kept", () => {
    const before = new FlowTokens([older]).make(target());
    expect(new FlowTokens([key, older]).open(before)).toEqual(target());
    expect(new FlowTokens([key]).open(before)).toBeNull();
  });
});
