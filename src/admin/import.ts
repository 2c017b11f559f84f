/** A whole document from outside becomes the next revision; what it leaves out of secrets is made. */
import { checkConfig } from "../config/check.ts";
import { type ConfigDocument, configSchema, defaultInsideSipPort } from "../config/config.ts";
import { parseJsonText } from "../config/json-text.ts";
import type { ProxyDocument } from "../config/proxy.ts";
import type { Candidate } from "./candidate.ts";
import type { Deployment } from "./deployment.ts";
import { checkDraft, placeOf } from "./drafts.ts";
import { makeIdentity, type Outside } from "./kinds.ts";
import type { Actor, Applied } from "./operations.ts";
import { type Outcome, refused } from "./outcome.ts";
import { completeProxy } from "./secrets.ts";

type ImportOptions = {
  readonly candidate: Candidate;
  readonly deployment: Deployment;
  readonly outside: Outside;
};

/** `input` is a JSON text or value. Refusals: those of apply(); then the candidate is as it was. */
export async function importDocument(
  o: ImportOptions,
  actor: Actor,
  input: unknown,
): Promise<Outcome<Applied>> {
  const { config, problems } = checkConfig(input);
  if (config === null) return refused("invalid", { problems });
  const document = configSchema.parse(typeof input === "string" ? parseJsonText(input) : input);
  const completed = checkDraft(await complete(o, document), "");
  if (!completed.ok) return completed;
  const before = o.candidate.document("candidate");
  o.candidate.save(completed.value, actor, "document imported");
  const applied = await o.deployment.apply({ actor, note: "import" });
  if (!applied.ok) o.candidate.save(before, actor, "import refused");
  return applied;
}

/** A null secret keeps the one that a proxy of that name has already. */
async function complete(o: ImportOptions, document: ConfigDocument): Promise<unknown> {
  const active = o.candidate.document("active");
  const proxies = document.proxies.map(async (proxy, index) => {
    const stored = active.proxies[placeOf(active, "proxies", proxy.name)] ?? null;
    const sent = withoutNulls(proxy);
    const options = { freeSipPort: defaultInsideSipPort(index), random: o.outside.random };
    const first = completeProxy(sent, stored, { ...options, identity: null });
    if (!first.needsIdentity) return first.fields;
    const identity = await makeIdentity(proxy.fqdn, o.outside);
    return completeProxy(sent, stored, { ...options, identity }).fields;
  });
  return { ...document, proxies: await Promise.all(proxies) };
}

function withoutNulls(proxy: ProxyDocument): Record<string, unknown> {
  const isAbsent = (key: string, value: unknown): boolean =>
    value === null && ["certificatePem", "certificateKey", "provisioningKey"].includes(key);
  return Object.fromEntries(Object.entries(proxy).filter(([key, value]) => !isAbsent(key, value)));
}
