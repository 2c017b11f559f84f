/**
 * How a document becomes what runs: recorded, the network made by the helper, confirmed or undone, and the
 * proxies matched to it. The one owner of the undo clock of the admin; the helper has its own, which outlives
 * a crash of this process.
 */
import { checkConfig } from "../config/check.ts";
import type { ConfigDocument } from "../config/config.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import { isSame } from "./canonical.ts";
import type { Events } from "./events.ts";
import type { Fleet } from "./fleet.ts";
import type { Network } from "./helper.ts";
import type { Actor, Applied } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import { checkedDocument, type Revisions } from "./revisions.ts";
import { Turns } from "./turns.ts";

/** The helper undoes first; then we believe it. */
const UNDO_MARGIN_MS = 1000;

type DeploymentOptions = {
  readonly revisions: Revisions;
  readonly fleet: Fleet;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  /** null = no network is planned (no systemd). */
  readonly network: Network | null;
};

type Note = { readonly actor: Actor; readonly note: string };

export class Deployment {
  readonly #o: DeploymentOptions;
  readonly #turns = new Turns();
  #undo: Timer | null = null;

  constructor(o: DeploymentOptions) {
    this.#o = o;
  }

  /** What the proxies shall be now: the revision that waits for its confirmation, else the active one. */
  get wanted(): ConfigDocument {
    const { pending, active } = this.#o.revisions;
    const entry = pending === null ? null : this.#o.revisions.entry(pending.revision);
    return (entry === null ? null : checkedDocument(entry.document)) ?? active;
  }

  /** At the start of the admin: an apply that was not confirmed in time is over, one in time goes on. */
  async resume(): Promise<void> {
    const { pending } = this.#o.revisions;
    if (pending !== null) this.#armUndo();
    await this.#o.fleet.match(this.wanted);
  }

  close(): void {
    this.#undo?.cancel();
  }

  /** The candidate becomes the wanted document. */
  apply(note: Note): Promise<Outcome<Applied>> {
    return this.#turns.take(async () => {
      const { revisions } = this.#o;
      if (revisions.pending !== null) return refused("confirm-pending");
      if (isSame(revisions.candidate, revisions.active)) {
        await this.#o.fleet.match(revisions.active);
        return done({ revision: revisions.activeRevision, confirmBefore: null });
      }
      const { problems } = checkConfig(revisions.candidate);
      if (problems.length > 0) return refused("invalid", { problems });
      return this.#deploy(revisions.candidate, note);
    });
  }

  confirm(): Promise<Outcome<Applied>> {
    return this.#turns.take(async () => {
      const { revisions, network, events } = this.#o;
      const { pending } = revisions;
      if (pending === null || network === null) return refused("nothing-to-confirm");
      // First the helper: if it has undone already, nothing may become active.
      const failure = await failureOf(() => network.confirm());
      if (failure !== null) return refused("network-refused", { detail: failure });
      this.#undo?.cancel();
      revisions.activate(pending.revision);
      events.emit({ type: "confirmed", revision: pending.revision });
      return done({ revision: pending.revision, confirmBefore: null });
    });
  }

  /**
   * A change that is applied at once beside the candidate (start, stop): `change` gives the next active
   * document and the next candidate. It touches no address of the appliance, so it confirms itself.
   */
  applyBeside(
    note: Note,
    change: () => Outcome<{ active: ConfigDocument; candidate: ConfigDocument }>,
  ): Promise<Outcome<Applied>> {
    return this.#turns.take(async () => {
      const { revisions } = this.#o;
      if (revisions.pending !== null) return refused("confirm-pending");
      const next = change();
      if (!next.ok) return next;
      const { active, candidate } = next.value;
      if (isSame(active, revisions.active)) {
        revisions.saveCandidate(candidate);
        await this.#o.fleet.match(active);
        return done({ revision: revisions.activeRevision, confirmBefore: null });
      }
      // Recorded first: the helper looks for the document it applies in the history.
      const revision = revisions.record(active, { user: note.actor.user, note: note.note });
      const failure = await this.#applyNetworkBeside(active, candidate);
      if (failure === null) return done(await this.#activate(revision, candidate, note));
      revisions.forget(revision);
      return refused("network-refused", { detail: failure });
    });
  }

  /** Nothing else is applied, started or restored while `work` runs. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(work);
  }

  /** The helper reads candidate.json, so for a moment the document to apply stands there. */
  async #applyNetworkBeside(
    active: ConfigDocument,
    candidate: ConfigDocument,
  ): Promise<string | null> {
    const { network, revisions } = this.#o;
    if (network === null) return null;
    const before = revisions.candidate;
    revisions.saveCandidate(active);
    const failure = await failureOf(async () => {
      if ((await network.apply()) !== null) await network.confirm();
    });
    revisions.saveCandidate(failure === null ? candidate : before);
    return failure;
  }

  async #activate(
    revision: number,
    candidate: ConfigDocument,
    { actor, note }: Note,
  ): Promise<Applied> {
    const { revisions, events, log, fleet } = this.#o;
    revisions.activate(revision);
    revisions.saveCandidate(candidate);
    log.info("applied", { revision, user: actor.user, note });
    events.emit({ type: "applied", revision, confirmBefore: null });
    await fleet.match(revisions.active);
    return { revision, confirmBefore: null };
  }

  async #deploy(document: ConfigDocument, note: Note): Promise<Outcome<Applied>> {
    const { revisions, network, log, events, fleet } = this.#o;
    const user = note.actor.user;
    const revision = revisions.record(document, { user, note: note.note });
    let confirmBefore: string | null = null;
    const failure = await failureOf(async () => {
      confirmBefore = (await network?.apply()) ?? null;
    });
    if (failure !== null) {
      revisions.forget(revision);
      return refused("network-refused", { detail: failure });
    }
    revisions.undone = null;
    if (confirmBefore === null) {
      const { candidate } = revisions;
      return done(await this.#activate(revision, candidate, note));
    }
    revisions.setPending({ revision, confirmBefore });
    this.#armUndo();
    log.info("applied", { revision, user, note: note.note, confirmBefore });
    events.emit({ type: "applied", revision, confirmBefore });
    await fleet.match(document);
    return done({ revision, confirmBefore });
  }

  #armUndo(): void {
    const { pending } = this.#o.revisions;
    if (pending === null) return;
    const delayMs = Date.parse(pending.confirmBefore) + UNDO_MARGIN_MS - this.#o.clock.now();
    this.#undo?.cancel();
    this.#undo = this.#o.clock.after(Math.max(0, delayMs), () => {
      void this.#turns.take(() => this.#undoNow(pending.revision));
    });
  }

  /** The helper has put the network back by now; the proxies follow. The candidate stays as it was saved. */
  async #undoNow(revision: number): Promise<void> {
    const { revisions, clock, log, events, fleet } = this.#o;
    if (revisions.pending?.revision !== revision) return;
    revisions.setPending(null);
    revisions.undone = { revision, time: new Date(clock.now()).toISOString() };
    log.warn("undone", { revision });
    events.emit({ type: "undone", revision });
    await fleet.match(revisions.active);
  }
}

/** The message of what went wrong; null = nothing did. */
async function failureOf(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
