/**
 * A phone in the middle of a call comes back over another flow: its connection was cut, its NAT gave it
 * another port, it went from one network to another. Its requests within the dialog come from there before
 * it registers again, if it does at all. It is believed once the instance has answered 2xx: until then
 * anybody may have sent them. Which end of a dialog somebody is, the side and the tags say, never a socket.
 *
 * From where it was before, new calls follow it at once. From another address only this call does, and new
 * ones wait for its REGISTER: through an instance that forwards, the far end of a call knows all of it.
 */
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { SipRequest } from "../sip/message.ts";
import { parseNameAddr, tagOf } from "../sip/name-addr.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import type { Binding } from "./bindings.ts";
import { type Call, isSamePhone } from "./calls.ts";
import { type Core, flowToPhone, phoneTarget } from "./core.ts";
import type { Instance } from "./instances.ts";

export type Return = {
  readonly request: SipRequest;
  readonly instance: Instance;
  /** Where the request came from. */
  readonly flow: Flow;
  /** Of its Route: proof that it is of a dialog of this phone. */
  readonly token: FlowTarget | null;
  readonly call: Call | null;
};

function isWithinDialog(request: SipRequest): boolean {
  return tagOf(request.headers.get("to") ?? "") !== undefined;
}

/** What a 2xx to this request proves; null: nothing has changed, or nothing would be proven. */
export function comesBack(core: Core, o: Return): (() => void) | null {
  const { request, flow, token } = o;
  if (token === null || !isWithinDialog(request) || isWhere(core, token, flow)) return null;
  const binding = token.kind === "binding" ? core.bindings.get(token.id) : null;
  if (binding === null) return movesCall(core, o);
  // A connection that stands is the phone's way; what comes over another is no reason to leave it.
  const isLeft = binding.flow.transport === "udp" || !binding.flow.isOpen;
  if (!isLeft || !isOf(core, request, binding)) return null;
  // One phone with two flows, each of them registered: the call goes on over the other one.
  const isOther = core.bindings.onFlow(flow.id).some((one) => one.aor === binding.aor);
  const isNear = binding.flow.remote.address === flow.remote.address;
  return isNear && !isOther ? movesBinding(core, binding, flow) : movesCall(core, o);
}

function isWhere(core: Core, token: FlowTarget, flow: Flow): boolean {
  return flowToPhone(core, token)?.id === flow.id;
}

/** The same user, and where the request shows a Contact (a BYE has none) the same as registered. */
function isOf(core: Core, request: SipRequest, binding: Binding): boolean {
  const from = userIn(request.headers.get("from") ?? "");
  const contact = request.headers.get("contact");
  const registered = userIn(`<${binding.contactUri}>`);
  const isUser =
    from !== null &&
    (binding.aor.startsWith(`${from.toLowerCase()}@`) ||
      from === registered ||
      // Called in Contact mode: To, now its From, was the Contact we wrote.
      core.tokens.open(from)?.id === binding.id);
  return isUser && (contact === undefined || userIn(contact) === registered);
}

/** Host and port of a Contact change with the connection. */
function userIn(contact: string): string | null {
  const { uri } = parseNameAddr(contact);
  return isSipUri(uri) ? parseSipUri(uri).user : null;
}

function movesBinding(core: Core, binding: Binding, flow: Flow): () => void {
  return () => {
    const { instance, aor } = binding;
    core.log.info("flow-moved", { instance, aor, remote: flow.remote.address });
    core.bindings.rebind(binding, flow);
  };
}

/** Only the call that the token was made for: who rang beside its phone knows its Call-ID and a tag. */
function movesCall(core: Core, o: Return): (() => void) | null {
  const { call, instance, flow, request, token } = o;
  if (call === null || token === null || !isSamePhone(call.phone, token)) return null;
  return () => {
    core.calls.moved(call, phoneTarget(core, instance, flow, request));
  };
}

/**
 * The way to the phone for a request of its instance; null = 430. Within a dialog any flow of the phone
 * will do; what begins one must not reach it twice, once for each of its contacts.
 */
export function wayToPhone(
  core: Core,
  request: SipRequest,
  instance: Instance,
  target: FlowTarget,
): Flow | null {
  if (!isWithinDialog(request)) return flowToPhone(core, target);
  const call = core.calls.find(request, "inner", instance.name, target);
  const movedTo = call?.movedTo ?? null;
  const moved = movedTo === null ? null : flowToPhone(core, movedTo);
  const begunOn = core.outer.connection(call?.begunOn ?? "") ?? null;
  return moved ?? flowToPhone(core, target) ?? besides(core, target) ?? begunOn;
}

function besides(core: Core, { kind, id, instanceTag }: FlowTarget): Flow | null {
  const lost = kind === "binding" ? core.bindings.get(id) : null;
  if (lost === null) return null;
  for (const { aor, id: other } of core.bindings.ofOwner(lost.instance, lost.owner)) {
    if (aor !== lost.aor || other === id) continue;
    const flow = flowToPhone(core, { instanceTag, kind: "binding", id: other, udp: null });
    if (flow !== null) return flow;
  }
  return null;
}
