/**
 * Which phone a Request-URI of an instance means, and what the phone itself calls it. Never by its host:
 * an instance with `rewrite_contact` puts there what it saw, which is us.
 */
import type { FlowTarget } from "../sip/flow-token.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { plainHost } from "./addresses.ts";
import type { Binding } from "./bindings.ts";
import type { Core } from "./core.ts";
import type { Instance } from "./instances.ts";
import { ownerIn, toPhone } from "./phone-contact.ts";
import { knownContact } from "./registration.ts";

/** For an instance that left our Path out and still wrote the Contact we gave it. */
export function targetOfContact(
  core: Core,
  uri: string,
  speakers: readonly Instance[],
): FlowTarget | null {
  if (!isSipUri(uri)) return null;
  const parsed = parseSipUri(uri);
  const owner = ownerIn(parsed);
  if (owner === null) return null;
  for (const { name, tag } of speakers) {
    const found = core.bindings
      .ofOwner(name, owner)
      .find((one) => parseSipUri(one.insideUri).user === parsed.user);
    if (found === undefined) continue;
    const udp = found.flow.transport === "udp" ? found.flow.remote : null;
    return { instanceTag: tag, kind: "binding", id: found.id, udp };
  }
  return null;
}

/** `dialogContact` is what the phone said within this dialog, where that is known. */
export function phoneUri(
  core: Core,
  uri: string,
  o: { instance: Instance; target: FlowTarget; dialogContact: string | null },
): string {
  if (!isSipUri(uri)) return uri;
  const { user, host } = parseSipUri(uri);
  const token = user === null ? null : core.tokens.open(user);
  if (token !== null) return ownContactOf(core, o.instance, token) ?? uri;
  const isOurs = (one: string): boolean => core.inner.isOurs(one);
  if (!isOurs(plainHost(host))) return toPhone(uri);
  const binding = bindingOf(core, o.instance, o.target);
  const beside = binding === null ? [] : core.bindings.onFlow(binding.flow.id);
  const mine = beside.filter((one) => one.instance === o.instance.name);
  const known = knownContact(uri, mine, isOurs);
  return known?.contactUri ?? o.dialogContact ?? binding?.contactUri ?? toPhone(uri);
}

function ownContactOf(core: Core, instance: Instance, token: FlowTarget): string | undefined {
  return bindingOf(core, instance, token)?.contactUri;
}

function bindingOf(core: Core, instance: Instance, target: FlowTarget): Binding | null {
  const binding = target.kind === "binding" ? core.bindings.get(target.id) : null;
  return binding?.instance === instance.name ? binding : null;
}
