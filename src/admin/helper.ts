/**
 * The root helper as the admin sees it: fixed verbs, a proxy's name and nothing else. It reads the candidate
 * from the disk itself, so nothing but the wish to apply goes over the socket.
 */
import type { Supervisor, Trouble } from "./supervisor.ts";

export type HelperRequest =
  | { readonly verb: "start" | "stop" | "reload"; readonly proxy: string }
  | { readonly verb: "apply" | "confirm" }
  | {
      readonly verb: "ban";
      readonly proxy: string;
      readonly address: string;
      readonly seconds: number;
    }
  | { readonly verb: "unban"; readonly proxy: string; readonly address: string };

/** One question, one answer as JSON value; rejects when the helper cannot be reached. */
export type AskHelper = (request: HelperRequest) => Promise<unknown>;

/** The helper refused, or did not do, what was asked; the message is for the administrator. */
export class HelperError extends Error {
  override readonly name = "HelperError";
}

type Answer = { readonly ok?: unknown; readonly error?: unknown; readonly confirmBefore?: unknown };

async function ask(askHelper: AskHelper, request: HelperRequest): Promise<Answer> {
  const answer = (await askHelper(request)) as Answer | null;
  if (answer?.ok === true) return answer;
  throw new HelperError(String(answer?.error ?? "the helper gave no answer"));
}

export type Network = {
  /** Makes the network as candidate.json wants it. null = nothing to confirm. Rejects with HelperError. */
  apply(): Promise<string | null>;
  confirm(): Promise<void>;
};

/** Keeps addresses off a proxy in the kernel, before they cost the process anything. */
export type Firewall = {
  ban(proxy: string, address: string, seconds: number): Promise<void>;
  unban(proxy: string, address: string): Promise<void>;
};

export function helperFirewall(askHelper: AskHelper): Firewall {
  return {
    async ban(proxy, address, seconds) {
      await ask(askHelper, { verb: "ban", proxy, address, seconds });
    },
    async unban(proxy, address) {
      await ask(askHelper, { verb: "unban", proxy, address });
    },
  };
}

export function helperNetwork(askHelper: AskHelper): Network {
  return {
    async apply() {
      const { confirmBefore } = await ask(askHelper, { verb: "apply" });
      return typeof confirmBefore === "string" ? confirmBefore : null;
    },
    async confirm() {
      await ask(askHelper, { verb: "confirm" });
    },
  };
}

/**
 * systemd starts failed proxies again by itself and keeps them when the admin ends. It answers when a unit is
 * ready, which may take a minute; what came of it is observed, so nobody waits for that.
 */
export function helperSupervisor(askHelper: AskHelper): Supervisor {
  const troubles = new Map<string, Trouble>();
  return {
    async start(proxy) {
      const starting: Trouble = { state: "starting", reason: null };
      troubles.set(proxy, starting);
      void ask(askHelper, { verb: "start", proxy }).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        if (troubles.get(proxy) === starting) troubles.set(proxy, { state: "failing", reason });
      });
    },
    async stop(proxy) {
      troubles.delete(proxy);
      await ask(askHelper, { verb: "stop", proxy });
    },
    async reload(proxy) {
      await ask(askHelper, { verb: "reload", proxy });
    },
    trouble: (proxy) => troubles.get(proxy) ?? null,
    close: () => Promise.resolve(),
  };
}
