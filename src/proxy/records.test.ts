import { expect, test } from "bun:test";
import type { Flow } from "../sip/flow.ts";
import type { Binding } from "./bindings.ts";
import type { Call } from "./calls.ts";
import {
  bindingKey,
  bindingOf,
  callRecordKey,
  callRecordOf,
  recordOfBinding,
  recordOfCall,
} from "./records.ts";

const remote = { address: "198.51.100.9", port: 40_000 };
const binding: Binding = {
  id: "0123456789abcdef",
  instance: "mycompany",
  aor: "100@mycompany",
  callId: "x",
  owner: "01234567",
  contactUri: "sip:100@192.168.1.10",
  insideUri: "sip:100@192.168.1.10;pq=01234567",
  flow: { id: "f", transport: "tls", remote, isOpen: true } as Flow,
  expiresAtMs: 1e12,
  speaksPlain: true,
};
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("a binding is read as it was written, with a flow that is not open", () => {
  const read = bindingOf(bindingKey(binding.id), throughJson(recordOfBinding(binding)));
  const { flow, ...rest } = read ?? expect.unreachable();
  const { flow: before, ...same } = binding;
  expect(rest).toEqual(same);
  expect(flow).toMatchObject({ id: before.id, transport: "tls", remote, isOpen: false });
  expect(flow.send(new Uint8Array(1))).toBe(false);
});

const phone = {
  instanceTag: "a".repeat(12),
  kind: "flow",
  id: "0".repeat(16),
  udp: remote,
} as const;
const call = {
  key: "mycompany\0x\0outer\0a",
  callId: "x",
  callerSide: "outer",
  callerTag: "a",
  instance: "mycompany",
  phone,
  movedTo: null,
  target: null,
  sessionRequest: { outer: { signallingAddress: "198.51.100.9" } },
  established: new Set(["b"]),
  touchedAtMs: 1e12,
} as unknown as Call;

test("a call is read as it was written, once it is one", () => {
  const record = recordOfCall(call, "100@mycompany");
  expect(callRecordOf(callRecordKey(call), throughJson(record))).toEqual(record);
  expect(record).toMatchObject({ established: ["b"], user: "100@mycompany", phone });
  expect(recordOfCall({ ...call, established: new Set() }, "")).toBeNull();
});

test("two phones of one forked call have a record each", () => {
  const other = { ...phone, udp: { ...remote, port: 40_001 } };
  expect(callRecordKey({ ...call, phone: other })).not.toBe(callRecordKey(call));
});

test("what a later version has added is left out", () => {
  const known = recordOfBinding(binding);
  const read = bindingOf(bindingKey(binding.id), { ...known, more: 1 });
  expect(recordOfBinding(read ?? expect.unreachable())).toEqual(known);
});

test("a record under another kind of key is left out", () => {
  expect(bindingOf(callRecordKey(call), recordOfBinding(binding))).toBeNull();
  expect(callRecordOf(bindingKey("x"), recordOfCall(call, ""))).toBeNull();
});

test.each([
  [null],
  ["text"],
  [{}],
  [{ ...recordOfBinding(binding), expiresAtMs: "soon" }],
  [{ ...recordOfBinding(binding), flow: { id: "f", transport: "sctp", remote } }],
  [{ ...recordOfCall(call, ""), established: [] }],
  [{ ...recordOfCall(call, ""), phone: { ...phone, udp: { address: "a", port: -1 } } }],
])("a record that is none is left out: %p", (value) => {
  expect(bindingOf(bindingKey("x"), value)).toBeNull();
  expect(callRecordOf(callRecordKey(call), value)).toBeNull();
});
