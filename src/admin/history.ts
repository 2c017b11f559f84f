/** What waits, what was, and how it goes on: the revisions as operations. */
import type { Candidate } from "./candidate.ts";
import type { Deployment } from "./deployment.ts";
import { differences } from "./diff.ts";
import { checkDraft } from "./drafts.ts";
import type { ChangeOperations } from "./operations.ts";
import { done, refused } from "./outcome.ts";
import { EMPTY_DOCUMENT, type Revisions } from "./revisions.ts";

type HistoryOptions = {
  readonly revisions: Revisions;
  readonly candidate: Candidate;
  readonly deployment: Deployment;
};

export function changeOperations(o: HistoryOptions): ChangeOperations {
  const { revisions, candidate, deployment } = o;
  return {
    view: () => ({
      changes: differences(revisions.active, revisions.candidate),
      activeRevision: revisions.activeRevision,
      pending: revisions.pending,
      undone: revisions.undone,
    }),
    revisions: () =>
      revisions.entries.map(({ number, time, user, note }) => ({
        number,
        time,
        user,
        note,
        isActive: number === revisions.activeRevision,
      })),
    diff(number) {
      const entry = revisions.entry(number);
      if (entry === null) return refused("not-found");
      const before = revisions.entryBefore(number)?.document ?? EMPTY_DOCUMENT;
      return done(differences(before, entry.document));
    },
    restore(actor, number) {
      const entry = revisions.entry(number);
      if (entry === null) return refused("not-found");
      const checked = checkDraft(entry.document, "");
      if (!checked.ok) return checked;
      candidate.save(checked.value, actor, `revision ${number} restored`);
      return done(differences(revisions.active, checked.value));
    },
    discard(actor) {
      candidate.save(revisions.active, actor, "changes discarded");
      return done(null);
    },
    apply: (actor, note) => deployment.apply({ actor, note }),
    confirm: () => deployment.confirm(),
  };
}
