/**
 * Which call a request belongs to. An INVITE begins one; one within a dialog that we do not know (any
 * more: a restart) is taken up, so that a re-INVITE brings its media back; only its 2xx proves it.
 */
import { sourceOf } from "../config/source.ts";
import type { LegName } from "../media/engine.ts";
import type { SessionRequest } from "../media/media-session.ts";
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { SipRequest } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import { facing } from "./addresses.ts";
import type { Share } from "./call-limits.ts";
import type { Call } from "./calls.ts";
import type { Core } from "./core.ts";
import type { Instance } from "./instances.ts";
import { aorOf } from "./registration.ts";

export type CallQuestion = {
  readonly request: SipRequest;
  /** Where the request came from. */
  readonly side: LegName;
  readonly instance: Instance;
  readonly phone: FlowTarget;
  /** The phone's flow. */
  readonly flow: Flow;
  /** Our address towards the instance for this request. */
  readonly insideAddress: string;
};

/** null: no call of this instance (SUBSCRIBE and the like). "refused": no new calls now. */
export function callFor(core: Core, o: CallQuestion): Call | null | "refused" {
  const { calls } = core;
  const { request, side, instance } = o;
  const known = calls.find(request, side, instance.name, o.phone);
  if (known !== null) return known;
  if (request.method !== "INVITE") return null;
  const toTag = tagOf(request.headers.get("to") ?? "");
  if (toTag === undefined && core.isDraining()) return "refused";
  const share = shareOf(core, o);
  const limit = limitReached(core, o, share);
  if (limit !== null) {
    core.count(limit);
    return "refused";
  }
  const call = calls.begin(request, side, {
    instance: instance.name,
    phone: o.phone,
    sessionRequest: sessionRequest(core, {
      callId: request.headers.get("call-id") ?? "",
      instance,
      phone: o.phone,
      phoneAddress: o.flow.remote.address,
      insideAddress: o.insideAddress,
    }),
  });
  if (o.flow.transport !== "udp") call.begunOn = o.flow.id;
  core.callLimits.begin(call, share);
  return call;
}

function limitReached(core: Core, { request, side, instance }: CallQuestion, share: Share) {
  if (core.calls.isFull) return "dialogs-full";
  const forks = core.calls.forksOf(request, side, instance.name);
  if (forks >= core.limits().forks) return "forks-too-many";
  return core.callLimits.refusal(share);
}

/** Whose call it is: the phone's user's, whichever of the two calls. */
function shareOf(core: Core, { request, side, instance, phone, flow }: CallQuestion): Share {
  const { address } = flow.remote;
  const isOuter = side === "outer";
  const bound = phone.kind === "binding" ? core.bindings.get(phone.id)?.aor : undefined;
  return {
    instance: instance.name,
    user: bound ?? (isOuter ? aorOf(request.headers.get("from") ?? "") : ""),
    source: isOuter && !core.admission.isTrusted(address) ? sourceOf(address) : null,
    isStranger: isOuter && !core.bindings.isOnFlow(flow.id),
    phones: core.admission.phones(address),
  };
}

/** What the media of a call between a phone there and this instance is made of. */
export function sessionRequest(
  core: Core,
  o: {
    readonly callId: string;
    readonly instance: Instance;
    readonly phone: FlowTarget;
    readonly phoneAddress: string;
    readonly insideAddress: string;
  },
): SessionRequest {
  const { callId, instance, phone, phoneAddress } = o;
  const settings = core.settings();
  return {
    callId,
    instance: instance.name,
    inner: {
      bindAddress: o.insideAddress,
      addresses: instance.addresses,
      networks: instance.config.mediaNetworks,
      media: instance.config.media,
      allowsClearT38: instance.config.allowClearT38,
    },
    outer: {
      bindAddress: facing(core.bindAddresses(), phoneAddress),
      // Asked for each offer and answer: a reload may change it in the middle of a call.
      get advertise() {
        return core.advertised(phoneAddress);
      },
      media: settings.voipMedia,
      get acceptsPlain() {
        return mayBePlain(core, instance, phone);
      },
      get isPlain() {
        return phone.kind === "binding" && core.bindings.get(phone.id)?.speaksPlain === true;
      },
      suites: settings.srtpSuites,
      signallingAddress: phoneAddress,
    },
  };
}

/** A phone that came over TLS had means to speak SRTP: it is lowered only where the instance says so. */
function mayBePlain(core: Core, { config }: Instance, phone: FlowTarget): boolean {
  const { plainMediaFallback } = config;
  if (plainMediaFallback !== "udp") return plainMediaFallback === "all";
  const bound = phone.kind === "binding" ? core.bindings.get(phone.id) : null;
  return bound === null ? phone.udp !== null : bound.flow.transport === "udp";
}
