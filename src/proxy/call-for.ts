/**
 * Which call a request belongs to. An INVITE begins one; one within a dialog that we do not know (any
 * more: a restart) is taken up, so that a re-INVITE brings its media back; only its 2xx proves it.
 */
import type { LegName } from "../media/engine.ts";
import type { SessionRequest } from "../media/media-session.ts";
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { SipRequest } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import { facing } from "./addresses.ts";
import type { Call } from "./calls.ts";
import { type Core, innerPlace } from "./core.ts";
import type { Instance } from "./instances.ts";

export type CallQuestion = {
  readonly request: SipRequest;
  /** Where the request came from. */
  readonly side: LegName;
  readonly instance: Instance;
  readonly phone: FlowTarget;
  /** The phone's flow. */
  readonly flow: Flow;
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
  if (calls.isFull) {
    core.count("dialogs-full");
    return "refused";
  }
  return calls.begin(request, side, {
    instance: instance.name,
    phone: o.phone,
    sessionRequest: sessionRequest(core, o),
  });
}

function sessionRequest(core: Core, o: CallQuestion): SessionRequest {
  const { instance, flow } = o;
  const settings = core.settings();
  return {
    callId: o.request.headers.get("call-id") ?? "",
    instance: instance.name,
    inner: {
      bindAddress: innerPlace(core, instance).address,
      addresses: instance.addresses,
      networks: instance.config.mediaNetworks,
      media: instance.config.media,
    },
    outer: {
      bindAddress: facing(core.bindAddresses(), flow.remote.address),
      advertise: core.advertised(flow.remote.address),
      media: settings.voipMedia,
      suites: settings.srtpSuites,
      signallingAddress: flow.remote.address,
    },
  };
}
