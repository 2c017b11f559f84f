/** Seeing who a proxy keeps out, and letting somebody in again: the proxy itself is asked, here and now. */
import { isIP } from "node:net";
import type { Log } from "../io/types.ts";
import type { ObservedProxy, ProxyOperations } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";

/** Asks the proxy to lift a ban; false = there is none. Rejects when the proxy does not answer. */
export type LiftBan = (proxy: string, address: string, user: string | null) => Promise<boolean>;

type BanOptions = {
  readonly log: Log;
  readonly lift: LiftBan;
  status(name: string): Promise<Outcome<ObservedProxy>>;
};

const isAddress = (text: string): boolean => text === "*" || isIP(text.replace(/\/64$/, "")) !== 0;

export function banOperations(o: BanOptions): Pick<ProxyOperations, "bans" | "unban"> {
  return {
    async bans(name) {
      const observed = await o.status(name);
      if (!observed.ok) return observed;
      const { status } = observed.value;
      return status === null ? refused("not-running") : done(status.bans);
    },
    async unban(actor, name, { address, user }) {
      const observed = await o.status(name);
      if (!observed.ok) return observed;
      if (observed.value.status === null) return refused("not-running");
      if (!isAddress(address)) return refused("not-found");
      try {
        if (!(await o.lift(observed.value.name, address, user))) return refused("not-found");
      } catch {
        return refused("not-running");
      }
      o.log.info("unbanned", { proxy: name, address, user: user ?? undefined, by: actor.user });
      return done(null);
    },
  };
}
