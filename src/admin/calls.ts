/** Seeing the calls of a proxy, running and ended: the proxy itself is asked, here and now. */
import type { CallsReport } from "../health/calls.ts";
import type { ObservedProxy, ProxyOperations } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";

/** Its calls that `wanted` fits ("" = all); null = it does not answer. Must not reject. */
export type AskCalls = (proxy: string, wanted: string) => Promise<CallsReport | null>;

type CallOptions = {
  readonly ask: AskCalls;
  status(name: string): Promise<Outcome<ObservedProxy>>;
};

export function callOperations({ ask, status }: CallOptions): Pick<ProxyOperations, "calls"> {
  return {
    async calls(name, wanted) {
      const observed = await status(name);
      if (!observed.ok) return observed;
      const calls = observed.value.status === null ? null : await ask(observed.value.name, wanted);
      return calls === null ? refused("not-running") : done(calls);
    },
  };
}
