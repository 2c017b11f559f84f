/** The appliance itself as one object of the candidate. */
import type { Candidate } from "./candidate.ts";
import { etagOf } from "./canonical.ts";
import { checkDraft, readFields } from "./drafts.ts";
import { matches } from "./objects.ts";
import type { ApplianceOperations } from "./operations.ts";
import { done, refused } from "./outcome.ts";

export function applianceOperations(candidate: Candidate): ApplianceOperations {
  return {
    get(state) {
      const { appliance } = candidate.document(state);
      return { value: appliance, etag: etagOf(appliance) };
    },
    put(actor, input, ifMatch) {
      const document = candidate.document("candidate");
      const sent = readFields(input);
      if (!sent.ok) return sent;
      if (!matches(ifMatch, etagOf(document.appliance))) return refused("changed-meanwhile");
      const checked = checkDraft({ ...document, appliance: sent.value }, "appliance");
      if (!checked.ok) return checked;
      candidate.save(checked.value, actor, "appliance saved");
      const { appliance } = checked.value;
      return done({ value: appliance, etag: etagOf(appliance) });
    },
  };
}
