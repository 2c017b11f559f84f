import { expect, test } from "bun:test";
import { readSocketAddress, SOCKET_ADDRESS_BYTES, writeSocketAddress } from "./socket-address.ts";

test.each([
  ["192.0.2.7", 30_000, 16, "02007530c0000207"],
  ["2001:db8::5", 5061, 28, "0a0013c50000000020010db8000000000000000000000005"],
  ["::", 1, 28, "0a000001"],
  ["::1", 65_535, 28, "0a00ffff00000000000000000000000000000000000000010000000000000000"],
  ["fe80:1:2:3:4:5:6:7", 8, 28, "0a00000800000000fe80000100020003000400050006000700000000"],
])("%s port %d is as the kernel wants it, and is read back", (address, port, length, start) => {
  const memory = new Uint8Array(8 + SOCKET_ADDRESS_BYTES).fill(0xff);
  expect(writeSocketAddress(memory, 8, address, port)).toBe(length);
  const written = Buffer.from(memory.subarray(8)).toString("hex");
  expect(written.startsWith(start)).toBe(true);
  expect(written.length).toBe(64);
  expect(readSocketAddress(memory, 8)).toEqual({ address, port });
});

test("another family is nobody's address", () => {
  expect(readSocketAddress(new Uint8Array(32), 0)).toEqual({ address: "", port: 0 });
});
