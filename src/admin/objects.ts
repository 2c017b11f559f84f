/**
 * Listing, reading, creating, replacing and deleting objects of the candidate, the same for proxies and
 * instances; what differs comes in as a Kind. A change is worked out on the candidate of that moment without
 * waiting for anything, so two at one time cannot lose each other's.
 */
import type { Problem } from "../config/check.ts";
import type { ConfigDocument } from "../config/config.ts";
import type { Candidate } from "./candidate.ts";
import { etagOf } from "./canonical.ts";
import {
  type CollectionName,
  checkDraft,
  type Fields,
  nameProblems,
  placeOf,
  readFields,
  withObject,
  withoutObject,
} from "./drafts.ts";
import type { Actor, ObjectOperations, Versioned } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";

type Named = { readonly name: string };

/** What completes an object and takes time to make (a key and its certificate). */
export type Made = { readonly certificatePem: string; readonly keyPem: string };

export type Kind<D extends Named, P> = {
  readonly collection: CollectionName;
  objects(document: ConfigDocument): readonly D[];
  /** Without secrets. */
  publish(object: D): P;
  /** What was sent in, completed; `needs` = it lacks what make() makes. */
  complete(
    sent: Fields,
    o: { stored: D | null; document: ConfigDocument; made: Made | null },
  ): { readonly fields: Fields; readonly needs: boolean };
  make(object: D): Promise<Made>;
  /** What must not change in an object. */
  changeProblems(sent: Fields, stored: D): readonly Problem[];
  /** What still refers to it. */
  useProblems(object: D, document: ConfigDocument): readonly Problem[];
};

type Draft<D> = { readonly document: ConfigDocument; readonly object: D; readonly needs: boolean };

export function objectOperations<D extends Named, P>(
  kind: Kind<D, P>,
  candidate: Candidate,
): ObjectOperations<P> {
  const { collection } = kind;
  const versioned = (object: D): Versioned<P> => ({
    value: kind.publish(object),
    etag: etagOf(object),
  });
  const find = (document: ConfigDocument, name: string): D | null =>
    kind.objects(document)[placeOf(document, collection, name)] ?? null;

  /** The candidate with the object in it, checked; nothing is saved. */
  function draft(sent: Fields, name: string | null, made: Made | null): Outcome<Draft<D>> {
    const document = candidate.document("candidate");
    const stored = name === null ? null : find(document, name);
    const index = name === null ? document[collection].length : placeOf(document, collection, name);
    const { fields, needs } = kind.complete(sent, { stored, document, made });
    const checked = checkDraft(
      withObject(document, collection, index, fields),
      `${collection}[${index}]`,
    );
    if (!checked.ok) return checked;
    const object = kind.objects(checked.value)[index];
    if (object === undefined) throw new Error("the object is not where it was put");
    return done({ document: checked.value, object, needs });
  }

  /** `attempt` is asked again with what had to be made; meanwhile the candidate may be another one. */
  async function save(
    attempt: (made: Made | null) => Outcome<Draft<D>>,
    actor: Actor,
  ): Promise<Outcome<Versioned<P>>> {
    let drafted = attempt(null);
    if (drafted.ok && drafted.value.needs) drafted = attempt(await kind.make(drafted.value.object));
    if (!drafted.ok) return drafted;
    const { document, object } = drafted.value;
    candidate.save(document, actor, `${collection}/${object.name} saved`);
    return done(versioned(object));
  }

  /** The stored object, unless it is gone or another than the client knew. */
  function expect(name: string, ifMatch: string | null): Outcome<D> {
    const stored = find(candidate.document("candidate"), name);
    if (stored === null) return refused("not-found");
    if (!matches(ifMatch, etagOf(stored))) return refused("changed-meanwhile");
    return done(stored);
  }

  function attemptCreate(sent: Fields, made: Made | null): Outcome<Draft<D>> {
    const name = sent["name"];
    const document = candidate.document("candidate");
    if (typeof name === "string" && find(document, name) !== null) {
      const problems = [{ path: "name", message: "is already taken" }];
      return refused("exists", { problems });
    }
    return draft(sent, null, made);
  }

  function attemptPut(
    sent: Fields,
    name: string,
    ifMatch: string | null,
    made: Made | null,
  ): Outcome<Draft<D>> {
    const stored = expect(name, ifMatch);
    if (!stored.ok) return stored;
    const problems = [
      ...nameProblems(sent, stored.value.name),
      ...kind.changeProblems(sent, stored.value),
    ];
    const named = { ...sent, name: stored.value.name };
    const drafted = draft(named, name, made);
    if (problems.length === 0) return drafted;
    const further = drafted.ok ? [] : drafted.refusal.problems;
    return refused("invalid", { problems: [...problems, ...further] });
  }

  return {
    list(state) {
      const objects = kind.objects(candidate.document(state));
      return { value: objects.map(kind.publish), etag: etagOf(objects) };
    },
    get(name, state) {
      const object = find(candidate.document(state), name);
      return object === null ? refused("not-found") : done(versioned(object));
    },
    async create(actor, input) {
      const sent = readFields(input);
      return sent.ok ? save((made) => attemptCreate(sent.value, made), actor) : sent;
    },
    async put(actor, name, input, ifMatch) {
      const sent = readFields(input);
      return sent.ok ? save((made) => attemptPut(sent.value, name, ifMatch, made), actor) : sent;
    },
    remove(actor, name, ifMatch) {
      const stored = expect(name, ifMatch);
      if (!stored.ok) return stored;
      const document = candidate.document("candidate");
      const problems = kind.useProblems(stored.value, document);
      if (problems.length > 0) return refused("in-use", { problems });
      const index = placeOf(document, collection, name);
      const what = `${collection}/${stored.value.name} deleted`;
      candidate.save(withoutObject(document, collection, index), actor, what);
      return done(null);
    },
  };
}

/** If-Match (RFC 9110 section 13.1.1): absent, `*`, or a list that holds the entity tag. */
export function matches(ifMatch: string | null, etag: string): boolean {
  if (ifMatch === null || ifMatch.trim() === "*") return true;
  return ifMatch.split(",").some((one) => one.trim() === etag);
}
