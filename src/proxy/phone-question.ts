/**
 * The OPTIONS by which we ask a phone whether it is there (RFC 3261 §11). It names nothing but the proxy as
 * phones know it: no instance, no address inside.
 */

import type { Flow } from "../sip/flow.ts";
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest } from "../sip/message.ts";
import { hostPort, uriHost } from "./addresses.ts";
import type { Binding } from "./bindings.ts";
import { type Core, outerPlace } from "./core.ts";

export function phoneQuestion(core: Core, binding: Binding, flow: Flow): SipRequest {
  const { address, port, transport } = outerPlace(core, flow);
  const us = `sip:${uriHost(core.settings().fqdn)}`;
  return makeRequest({
    method: "OPTIONS",
    uri: binding.contactUri,
    headers: [
      ["Max-Forwards", "70"],
      ["From", `<${us}>;tag=${core.table.newTag()}`],
      ["To", `<sip:${binding.aor}>`],
      ["Call-ID", core.table.newTag()],
      ["CSeq", "1 OPTIONS"],
      ["Contact", `<sip:${hostPort(address, port)};transport=${transport}>`],
      ["Accept", "application/sdp"],
    ],
  });
}
