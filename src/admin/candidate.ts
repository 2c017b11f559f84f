/** The candidate as the operations change it: checked whole, saved, told and logged. */
import type { ConfigDocument } from "../config/config.ts";
import type { Log } from "../io/types.ts";
import type { Events } from "./events.ts";
import type { Actor, ConfigState } from "./operations.ts";
import type { Revisions } from "./revisions.ts";

export class Candidate {
  readonly #o: { readonly revisions: Revisions; readonly events: Events; readonly log: Log };

  constructor(o: { readonly revisions: Revisions; readonly events: Events; readonly log: Log }) {
    this.#o = o;
  }

  document(state: ConfigState): ConfigDocument {
    const { revisions } = this.#o;
    return state === "active" ? revisions.active : revisions.candidate;
  }

  /** `document` has been checked; `what` is told in the log, e.g. `proxies/dmz changed`. */
  save(document: ConfigDocument, actor: Actor, what: string): void {
    this.#o.revisions.saveCandidate(document);
    this.#o.log.info("candidate-saved", { user: actor.user, what });
    this.#o.events.emit({ type: "candidate" });
  }
}
