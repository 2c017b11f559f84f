/**
 * Bindings and running calls as they are written to the journal, and read again with a look at every field: a
 * record of another version, or of somebody who can write there, must not bring the proxy down.
 */
import { z } from "zod";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { Binding } from "./bindings.ts";
import type { Call } from "./calls.ts";
import { StoredFlow } from "./stored-flow.ts";

const endpoint = z.object({ address: z.string(), port: z.int().min(0).max(65_535) });

const bindingRecord = z.object({
  instance: z.string(),
  aor: z.string(),
  callId: z.string(),
  owner: z.string(),
  contactUri: z.string(),
  insideUri: z.string(),
  flow: z.object({
    id: z.string(),
    transport: z.enum(["udp", "tcp", "tls"]),
    remote: endpoint,
  }),
  expiresAtMs: z.number(),
  speaksPlain: z.boolean().default(false),
});

const targetRecord = z.object({
  instanceTag: z.string(),
  kind: z.enum(["binding", "flow"]),
  id: z.string(),
  udp: endpoint.nullable(),
});

const callRecord = z.object({
  instance: z.string(),
  callId: z.string(),
  callerSide: z.enum(["outer", "inner"]),
  callerTag: z.string(),
  phone: targetRecord,
  movedTo: targetRecord.nullable(),
  target: endpoint.nullable(),
  established: z.array(z.string()).min(1),
  /** Where the phone's end of it was, for media that is made anew. */
  phoneAddress: z.string(),
  user: z.string(),
  touchedAtMs: z.number(),
});

export type BindingRecord = z.infer<typeof bindingRecord>;
export type CallRecord = z.infer<typeof callRecord>;

const BINDING = "b ";
const CALL = "c ";

export const bindingKey = (id: string): string => `${BINDING}${id}`;

/** One call for each phone that a forked INVITE went to. */
export function callRecordKey({ key, phone }: Pick<Call, "key" | "phone">): string {
  const udp = phone.udp === null || phone.kind === "binding" ? "" : JSON.stringify(phone.udp);
  return `${CALL}${key}\0${phone.kind}\0${phone.id}${udp}`;
}

export function recordOfBinding({ id: _, flow, ...rest }: Binding): BindingRecord {
  const { address, port } = flow.remote;
  return { ...rest, flow: { id: flow.id, transport: flow.transport, remote: { address, port } } };
}

export function bindingOf(key: string, value: unknown): Binding | null {
  // The key first: what a refusal costs is felt with thousands of records at the start.
  if (!key.startsWith(BINDING)) return null;
  const { success, data } = bindingRecord.safeParse(value);
  if (!success) return null;
  const { id, transport, remote } = data.flow;
  return { ...data, id: key.slice(BINDING.length), flow: new StoredFlow(id, transport, remote) };
}

/** null: nothing that would be worth keeping, since nobody has answered it. */
export function recordOfCall(call: Call, user: string): CallRecord | null {
  if (call.established.size === 0) return null;
  const { instance, callId, callerSide, callerTag, touchedAtMs } = call;
  const { phone, movedTo, target } = call;
  return {
    instance,
    callId,
    callerSide,
    callerTag,
    touchedAtMs,
    phone: plainTarget(phone),
    movedTo: movedTo === null ? null : plainTarget(movedTo),
    target: target === null ? null : { address: target.address, port: target.port },
    established: [...call.established],
    phoneAddress: call.sessionRequest.outer.signallingAddress,
    user,
  };
}

export function callRecordOf(key: string, value: unknown): CallRecord | null {
  if (!key.startsWith(CALL)) return null;
  const { success, data } = callRecord.safeParse(value);
  return success ? data : null;
}

function plainTarget({ instanceTag, kind, id, udp }: FlowTarget): CallRecord["phone"] {
  const place = udp === null ? null : { address: udp.address, port: udp.port };
  return { instanceTag, kind, id, udp: place };
}
