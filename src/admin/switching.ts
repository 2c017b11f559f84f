/**
 * Starting and stopping a proxy: applied at once, each beside whatever else waits in the candidate, and
 * answered only when the wanted state was seen.
 */
import type { ConfigDocument } from "../config/config.ts";
import type { Candidate } from "./candidate.ts";
import type { Deployment } from "./deployment.ts";
import { checkDraft, placeOf, withObject } from "./drafts.ts";
import type { Actor, ObservedProxy, ProxyOperations, Started } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import type { ProxyObserver } from "./proxies-status.ts";

const PATIENCE_MS = 20_000;

type SwitchingOptions = {
  readonly candidate: Candidate;
  readonly deployment: Deployment;
  readonly observer: ProxyObserver;
};

type Pair = { readonly active: ConfigDocument; readonly candidate: ConfigDocument };

/** With the proxy's `enabled` as given; the same document when there is no such proxy. */
function switched(document: ConfigDocument, name: string, enabled: boolean): ConfigDocument {
  const proxies = document.proxies.map((proxy) =>
    proxy.name === name ? { ...proxy, enabled } : proxy,
  );
  return { ...document, proxies };
}

/** The active document with this proxy and all instances as they stand in the candidate, switched on. */
function started(candidate: Candidate, name: string): Outcome<Pair> {
  const saved = candidate.document("candidate");
  const active = candidate.document("active");
  const proxy = saved.proxies[placeOf(saved, "proxies", name)];
  if (proxy === undefined) return refused("not-found");
  const place = placeOf(active, "proxies", name);
  const index = place < 0 ? active.proxies.length : place;
  const next = withObject({ ...active, instances: saved.instances }, "proxies", index, {
    ...proxy,
    enabled: true,
  });
  const checked = checkDraft(next, `proxies[${index}]`);
  if (!checked.ok) {
    const detail = "With what is active now, this proxy would be in conflict.";
    return refused("changes-waiting", { detail, problems: checked.refusal.problems });
  }
  return done({ active: checked.value, candidate: switched(saved, proxy.name, true) });
}

function stopped(candidate: Candidate, name: string): Outcome<Pair> {
  const saved = candidate.document("candidate");
  const active = candidate.document("active");
  const isKnown = [saved, active].some((document) => placeOf(document, "proxies", name) >= 0);
  if (!isKnown) return refused("not-found");
  return done({ active: switched(active, name, false), candidate: switched(saved, name, false) });
}

/** Nothing more will come by waiting: the process has ended by itself and said why. */
const isFailing = (proxy: ObservedProxy): boolean => proxy.state === "failing";

export function switching(o: SwitchingOptions): Pick<ProxyOperations, "start" | "stop"> {
  const { candidate, deployment, observer } = o;

  async function answer(
    applied: Outcome<{ revision: number; confirmBefore: string | null }>,
    proxy: ObservedProxy,
    isReached: boolean,
  ): Promise<Outcome<Started>> {
    if (!applied.ok) return applied;
    if (isReached) return done({ ...applied.value, proxy });
    const detail = `It is ${proxy.state}${proxy.reason === null ? "." : `: ${proxy.reason}`}`;
    return refused("state-not-reached", { detail });
  }

  return {
    async start(actor: Actor, name: string) {
      const note = { actor, note: `start ${name}` };
      const applied = await deployment.applyBeside(note, () => started(candidate, name));
      if (!applied.ok) return applied;
      const isRunning = (proxy: ObservedProxy) => proxy.state === "running";
      const seen = await observer.until(name, isRunning, {
        patienceMs: PATIENCE_MS,
        isHopeless: isFailing,
      });
      return answer(applied, seen, isRunning(seen));
    },
    async stop(actor: Actor, name: string) {
      const note = { actor, note: `stop ${name}` };
      const applied = await deployment.applyBeside(note, () => stopped(candidate, name));
      if (!applied.ok) return applied;
      const isStopped = (proxy: ObservedProxy) => proxy.state === "stopped";
      const seen = await observer.until(name, isStopped, { patienceMs: PATIENCE_MS });
      return answer(applied, seen, isStopped(seen));
    },
  };
}
