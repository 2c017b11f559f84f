/**
 * A phone speaks for its own instance only. Who it is, the instance asks; here stands which instance it may
 * be asked by: the names in the request, the token it shows and what is registered on its flow must agree.
 */
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { SipRequest } from "../sip/message.ts";
import { parseNameAddr, tagOf } from "../sip/name-addr.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { plainHost } from "./addresses.ts";
import type { Core } from "./core.ts";
import type { Instance } from "./instances.ts";

export type Claim = {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly instance: Instance;
  /** Of its Route; null = it showed none. */
  readonly token: FlowTarget | null;
  /** A token or a masked Contact has named the instance. */
  readonly isProven: boolean;
};

export type IdentityProblem = "other-domain" | "other-instance" | "other-phone";

export function instanceOf(core: Core, uri: string): Instance | undefined {
  if (!isSipUri(uri)) return undefined;
  return core.instances.byDomain(plainHost(parseSipUri(uri).host));
}

/** null: nothing speaks against it. */
export function identityProblem(core: Core, claim: Claim): IdentityProblem | null {
  return namesProblem(core, claim) ?? flowProblem(core, claim);
}

/**
 * A REGISTER is for the domain of its To. Elsewhere From and To name users of the own instance or nobody
 * known here (anonymous.invalid, a number). Within a proven dialog they are what its ends have agreed on: an
 * instance may have passed on a call of another's user. The Request-URI never names another.
 */
function namesProblem(core: Core, { request, instance, isProven }: Claim): IdentityProblem | null {
  const named = (name: string): Instance | undefined =>
    instanceOf(core, parseNameAddr(request.headers.get(name) ?? "").uri);
  const isOther = (one: Instance | undefined): boolean => one !== undefined && one !== instance;
  if (isOther(instanceOf(core, request.uri))) return "other-domain";
  if (request.method === "REGISTER") {
    return isOther(named("from")) || named("to") !== instance ? "other-domain" : null;
  }
  const isWithinDialog = tagOf(request.headers.get("to") ?? "") !== undefined;
  if (isWithinDialog && isProven) return null;
  return isOther(named("from")) || isOther(named("to")) ? "other-domain" : null;
}

/**
 * What is registered at one instance does not reach another, not even anonymously: who has an account there
 * registers it. And it is the phone that it is registered as: another's token does not make it that one,
 * unless that one has lost its flow and may be coming back by this.
 */
function flowProblem(
  core: Core,
  { request, flow, instance, token }: Claim,
): IdentityProblem | null {
  if (request.method === "REGISTER") return null;
  const here = core.bindings.onFlow(flow.id);
  if (here.length === 0) return null;
  const mine = here.filter((one) => one.instance === instance.name);
  if (mine.length === 0) return "other-instance";
  const owner = token?.kind === "binding" ? core.bindings.get(token.id) : null;
  if (owner === null || owner.flow.id === flow.id || !owner.flow.isOpen) return null;
  return mine.some((one) => one.aor === owner.aor) ? null : "other-phone";
}
