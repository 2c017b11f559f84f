import { describe, expect, test } from "bun:test";
import type { Flow } from "../sip/flow.ts";
import { Bindings, bindingId } from "./bindings.ts";
import { ownerOf } from "./phone-contact.ts";

const CONTACT = "sip:100@192.168.1.10:5060";
const phone = { instance: "mycompany", aor: "100@mycompany" };

type FlowParts = Partial<Pick<Flow, "id" | "transport" | "isOpen">> & { readonly address?: string };

function flow({
  id = "f1",
  transport = "tls",
  isOpen = true,
  address = "198.51.100.9",
}: FlowParts) {
  const remote = { address, port: 40_000 };
  const local = { address: "203.0.113.5", port: 5061 };
  const sentBy = "203.0.113.5:5061";
  return { id, side: "outer", transport, local, remote, sentBy, isOpen, send: () => true } as Flow;
}

function bindingsWith(known: { callId: string; flow: Flow; owner?: string }): Bindings {
  const bindings = new Bindings({
    clock: { now: () => 0, after: () => ({ cancel() {} }) },
    maximum: () => 10,
    count: () => {},
    attached: () => {},
    moved: () => {},
    changed: () => {},
  });
  const owner = known.owner ?? ownerOf(known.callId);
  const id = bindingId(phone.instance, phone.aor, owner);
  const insideUri = `${CONTACT};pq=${owner}`;
  bindings.accept({ ...phone, ...known, id, owner, contactUri: CONTACT, insideUri }, 60);
  return bindings;
}

describe("whose Contact it is", () => {
  const owner = ownerOf("first");
  const ask = (
    known: FlowParts,
    now: FlowParts,
    more: { callId?: string; contactUri?: string } = {},
  ): string =>
    bindingsWith({ callId: "first", flow: flow(known) }).ownerOf({
      ...phone,
      contactUri: CONTACT,
      callId: "second",
      flow: flow(now),
      ...more,
    });

  test("the same Call-ID is the same phone, wherever it is", () => {
    expect(ask({}, { id: "f2", address: "192.0.2.1" }, { callId: "first" })).toBe(owner);
  });

  test("after a reboot: the same UDP address and port, or the address of a connection that closed", () => {
    const udp = { transport: "udp", id: "udp:198.51.100.9:40000" } as const;
    expect(ask(udp, udp)).toBe(owner);
    expect(ask({ isOpen: false }, { id: "f2" })).toBe(owner);
  });

  test("where it could be another phone it is another", () => {
    const other = ownerOf("second");
    const udp = { transport: "udp", id: "udp:198.51.100.9:40000" } as const;
    expect(ask({}, { id: "f2" })).toBe(other);
    expect(ask({ isOpen: false }, { id: "f2", address: "192.0.2.1" })).toBe(other);
    expect(ask(udp, { ...udp, id: "udp:198.51.100.9:40001" })).toBe(other);
    expect(ask({ isOpen: false }, { id: "f2" }, { contactUri: "sip:100@192.168.1.11:5060" })).toBe(
      other,
    );
  });
});

test("a phone is found by its owner, and no more when it is gone", () => {
  const bindings = bindingsWith({ callId: "first", flow: flow({}) });
  const owner = ownerOf("first");
  expect(bindings.ofOwner("mycompany", owner).length).toBe(1);
  expect(bindings.ofOwner("other", owner)).toEqual([]);
  bindings.removeAor(phone.instance, phone.aor);
  expect(bindings.ofOwner("mycompany", owner)).toEqual([]);
});

test("contacts whose connection is gone are left behind, those of open ones are not", () => {
  const question = { ...phone, callId: "first" };
  const open = bindingsWith({ callId: "first", flow: flow({}) });
  expect(open.leftBehind(question)).toEqual([]);
  const lost = bindingsWith({ callId: "first", flow: flow({ isOpen: false }) });
  expect(lost.leftBehind(question).length).toBe(1);
  expect(lost.leftBehind({ ...phone, callId: "second" })).toEqual([]);
});
