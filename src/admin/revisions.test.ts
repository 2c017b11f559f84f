import { describe, expect, test } from "bun:test";
import { PowerCut, PowerCutStore } from "../../test/flows/power-cut-store.ts";
import { configSchema } from "../config/config.ts";
import { isSame } from "./canonical.ts";
import { EMPTY_DOCUMENT, Revisions } from "./revisions.ts";

const clock = { now: () => Date.UTC(2026, 0, 2), after: () => ({ cancel() {} }) };
const open = (store: PowerCutStore) => new Revisions({ store, clock });
const named = (name: string) => configSchema.parse({ version: 1, appliance: { name } });
const by = { user: "anna", note: "" };

function applied(store: PowerCutStore, name: string): Revisions {
  const revisions = open(store);
  revisions.saveCandidate(named(name));
  revisions.activate(revisions.record(revisions.candidate, by));
  return revisions;
}

describe("candidate and active", () => {
  test("an empty folder is an empty configuration, and nothing is written by looking", () => {
    const store = new PowerCutStore();
    const revisions = open(store);
    expect(revisions.active).toEqual(EMPTY_DOCUMENT);
    expect(revisions.activeRevision).toBe(0);
    expect(revisions.damage).toEqual([]);
    expect(store.texts.size).toBe(0);
  });

  test("what is saved is the candidate, also after a restart, and active stays", () => {
    const store = new PowerCutStore();
    applied(store, "one").saveCandidate(named("two"));
    const again = open(store);
    expect(again.active.appliance.name).toBe("one");
    expect(again.candidate.appliance.name).toBe("two");
    expect(again.activeRevision).toBe(1);
  });

  test("a candidate that equals active leaves no file", () => {
    const store = new PowerCutStore();
    const revisions = applied(store, "one");
    revisions.saveCandidate(named("two"));
    revisions.saveCandidate(named("one"));
    expect([...store.texts.keys()].sort()).toEqual([
      "config/active.json",
      "config/history/000001.json",
    ]);
  });

  test("a pending revision is known after a restart, one without its history entry is not", () => {
    const store = new PowerCutStore();
    const revisions = applied(store, "one");
    const number = revisions.record(named("two"), by);
    const pending = { revision: number, confirmBefore: "2026-01-02T00:02:00.000Z" };
    store.texts.set("config/pending.json", JSON.stringify(pending));
    expect(open(store).pending).toEqual(pending);
    expect(open(store).activeRevision).toBe(1);
    store.texts.delete("config/history/000002.json");
    expect(open(store).pending).toBeNull();
  });

  test("a pending revision that is active already is confirmed, whatever the file says", () => {
    const store = new PowerCutStore();
    applied(store, "one");
    const pending = { revision: 1, confirmBefore: "2026-01-02T00:02:00.000Z" };
    store.texts.set("config/pending.json", JSON.stringify(pending));
    expect(open(store).pending).toBeNull();
  });

  test("what the helper undid is told after a restart", () => {
    const undone = { revision: 2, time: "2026-01-02T00:02:00.000Z", reason: "no confirmation" };
    const store = new PowerCutStore(new Map([["config/undone.json", JSON.stringify(undone)]]));
    expect(open(store).undone).toEqual({ revision: 2, time: "2026-01-02T00:02:00.000Z" });
  });
});

describe("history", () => {
  test("keeps a hundred revisions, newest first, with who and when", () => {
    const store = new PowerCutStore();
    const revisions = open(store);
    for (let at = 1; at <= 103; at += 1) {
      revisions.activate(revisions.record(named(`n${at}`), { user: "anna", note: `${at}` }));
    }
    expect(revisions.entries).toHaveLength(100);
    expect(revisions.entries[0]).toMatchObject({
      number: 103,
      time: "2026-01-02T00:00:00.000Z",
      user: "anna",
      note: "103",
    });
    expect(revisions.entries.at(-1)?.number).toBe(4);
    expect(open(store).entries).toHaveLength(100);
    expect(revisions.entryBefore(50)?.number).toBe(49);
    expect(revisions.entryBefore(4)).toBeNull();
  });

  test("a damaged entry is told, passed over, and its number never given again", () => {
    const store = new PowerCutStore();
    applied(store, "one");
    store.texts.set("config/history/000007.json", "{ half");
    store.texts.set("config/history/notes.txt", "mine");
    const revisions = open(store);
    expect(revisions.damage).toEqual(["revision 7 cannot be read"]);
    expect(revisions.record(named("two"), by)).toBe(8);
    expect(store.texts.get("config/history/notes.txt")).toBe("mine");
  });

  test.each([["{ half"], [""], ['{"version":2}']])(
    "active.json that holds %p: the newest readable revision stands in, and it is told",
    (text) => {
      const store = new PowerCutStore();
      applied(store, "one");
      applied(store, "two");
      store.texts.set("config/active.json", text);
      const revisions = open(store);
      expect(revisions.active.appliance.name).toBe("two");
      expect(revisions.damage).toEqual(["active.json cannot be read; revision 2 is used"]);
    },
  );
});

describe("a power cut", () => {
  /** Everything that saving and applying write. */
  function change(store: PowerCutStore): void {
    const revisions = open(store);
    revisions.saveCandidate(named("new"));
    revisions.activate(revisions.record(revisions.candidate, by));
  }

  const before = new PowerCutStore();
  applied(before, "old");
  const whole = new PowerCutStore(before.texts);
  change(whole);
  const steps = Array.from({ length: whole.steps }, (_, step) => step);

  test("the change is four writes: candidate, history, active, and the candidate is removed", () => {
    expect(whole.steps).toBe(4);
    expect(open(whole).active.appliance.name).toBe("new");
  });

  test.each(steps)("before write %d leaves the old or the new document, whole", (step) => {
    const store = new PowerCutStore(before.texts);
    store.stepsLeft = step;
    expect(() => change(store)).toThrow(PowerCut);
    const revisions = open(new PowerCutStore(store.texts));
    expect(revisions.damage).toEqual([]);
    expect(["old", "new"]).toContain(revisions.active.appliance.name);
    const isConfirmed = revisions.activeRevision === 2;
    expect(isSame(revisions.active, named(isConfirmed ? "new" : "old"))).toBe(true);
    expect(revisions.record(named("next"), by)).toBeGreaterThan(revisions.activeRevision);
  });

  test("the old document is active until the write of active.json, the new one from it on", () => {
    const names = steps.map((step) => {
      const store = new PowerCutStore(before.texts);
      store.stepsLeft = step;
      expect(() => change(store)).toThrow(PowerCut);
      return open(new PowerCutStore(store.texts)).active.appliance.name;
    });
    expect(names).toEqual(["old", "old", "old", "new"]);
  });
});
