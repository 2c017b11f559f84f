/**
 * Backup of a running proxy into one file and restore of one that is off. A restore changes the candidate
 * and, since nothing runs on it, the state folder at once: the flow key keeps registered phones registered.
 * Network and inside SIP port of a proxy that is already there stay; they belong to the machine.
 */
import type { ConfigDocument } from "../config/config.ts";
import type { ProxyDocument } from "../config/proxy.ts";
import type { Clock } from "../io/types.ts";
import { type BackupContent, formatBackup, parseBackup, STATE_FILES } from "./backup.ts";
import type { Candidate } from "./candidate.ts";
import { isSame } from "./canonical.ts";
import type { Deployment } from "./deployment.ts";
import { differences } from "./diff.ts";
import { checkDraft, placeOf } from "./drafts.ts";
import { freeSipPort } from "./kinds.ts";
import type {
  Actor,
  BackupFile,
  BackupSecret,
  ProxyOperations,
  RestoreReport,
} from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import type { ProxyObserver } from "./proxies-status.ts";
import { publicProxy } from "./secrets.ts";

const SHORTEST_PASSPHRASE = 6;

/** What the process of a proxy keeps (its --state folder). */
export type ProxyStates = {
  /** Texts by file name; only the asked ones that are there and can be read. */
  read(proxy: string, names: readonly string[]): Readonly<Record<string, string>>;
  /** Throws when the folder cannot be written. */
  write(proxy: string, texts: Readonly<Record<string, string>>): void;
};

type CopyOptions = {
  readonly candidate: Candidate;
  readonly deployment: Deployment;
  readonly observer: ProxyObserver;
  readonly states: ProxyStates;
  readonly clock: Clock;
  random(lengthBytes: number): Uint8Array;
};

type Draft = {
  readonly document: ConfigDocument;
  readonly report: RestoreReport;
};

function instancesOf(document: ConfigDocument, { instances }: ProxyDocument) {
  if (instances === "all") return document.instances;
  const names = new Set(instances.map((name) => name.toLowerCase()));
  return document.instances.filter((instance) => names.has(instance.name.toLowerCase()));
}

/** The restored proxy in its place; `stored` null = NAME is new. */
function placed(
  content: BackupContent,
  name: string,
  stored: ProxyDocument | null,
  documents: readonly ConfigDocument[],
): ProxyDocument {
  const { proxy } = content;
  if (stored !== null) {
    const { network, bindAddress, enabled, inside } = stored;
    const { sipPort } = inside;
    const kept = { ...proxy.inside, ...(sipPort === undefined ? {} : { sipPort }) };
    return { ...proxy, name, network, bindAddress, enabled, inside: kept };
  }
  const taken = documents.flatMap(({ proxies }) => proxies.map((one) => one.inside.sipPort));
  const isFree = proxy.inside.sipPort !== undefined && !taken.includes(proxy.inside.sipPort);
  const sipPort = isFree ? proxy.inside.sipPort : freeSipPort(documents);
  return { ...proxy, name, enabled: false, inside: { ...proxy.inside, sipPort } };
}

function draftRestore(o: CopyOptions, name: string, content: BackupContent): Outcome<Draft> {
  const document = o.candidate.document("candidate");
  const place = placeOf(document, "proxies", name);
  const stored = document.proxies[place] ?? null;
  const proxy = placed(content, name, stored, [document, o.candidate.document("active")]);
  const added = content.instances.filter((one) => placeOf(document, "instances", one.name) < 0);
  const kept = content.instances.filter((one) => !added.includes(one));
  const differing = kept.filter(
    (one) => !isSame(one, document.instances[placeOf(document, "instances", one.name)]),
  );
  const index = stored === null ? document.proxies.length : place;
  const draft = {
    ...document,
    instances: [...document.instances, ...added],
    proxies: document.proxies.toSpliced(index, 1, proxy),
  };
  const checked = checkDraft(draft, `proxies[${index}]`);
  if (!checked.ok) return checked;
  const namesOf = (instances: BackupContent["instances"]) => instances.map((one) => one.name);
  const report = {
    proxy: publicProxy(proxy, o.clock.now()),
    isNew: stored === null,
    instances: { added: namesOf(added), kept: namesOf(kept), differing: namesOf(differing) },
    hasState: content.state["flow-keys.json"] !== undefined,
    takenAt: content.takenAt,
    changes: differences(document, checked.value),
  };
  return done({ document: checked.value, report });
}

/** The passphrase, null for a plain backup, or what is wrong with it. */
function passphraseOf(secret: BackupSecret): Outcome<string | null> {
  if ("plain" in secret) return done(null);
  const { passphrase } = secret;
  if (passphrase.length >= SHORTEST_PASSPHRASE && passphrase.length <= 1024)
    return done(passphrase);
  const message = `must have ${SHORTEST_PASSPHRASE} to 1024 characters`;
  return refused("invalid", { problems: [{ path: "passphrase", message }] });
}

export function copies(o: CopyOptions): Pick<ProxyOperations, "backup" | "restore"> {
  const { candidate, deployment, observer, states, clock } = o;

  async function backup(name: string, secret: BackupSecret): Promise<Outcome<BackupFile>> {
    const document = candidate.document("active");
    const proxy = document.proxies[placeOf(document, "proxies", name)];
    const isSaved = placeOf(candidate.document("candidate"), "proxies", name) >= 0;
    if (proxy === undefined) return refused(isSaved ? "not-running" : "not-found");
    const passphrase = passphraseOf(secret);
    if (!passphrase.ok) return passphrase;
    if ((await observer.observe(name)).state !== "running") return refused("not-running");
    const takenAt = new Date(clock.now()).toISOString();
    const state = states.read(name, STATE_FILES);
    const content = { takenAt, proxy, instances: instancesOf(document, proxy), state };
    const bytes = await formatBackup(content, passphrase.value, o.random);
    return done({ fileName: `pequod-${name}-${takenAt.slice(0, 10)}.backup`, bytes });
  }

  async function restoreAlone(
    actor: Actor,
    name: string,
    content: BackupContent,
    isDry: boolean,
  ): Promise<Outcome<RestoreReport>> {
    if ((await observer.observe(name)).state !== "stopped") return refused("still-running");
    const drafted = draftRestore(o, name, content);
    if (!drafted.ok || isDry) return drafted.ok ? done(drafted.value.report) : drafted;
    // The state first: without it the candidate is still as it was, and a second try does no harm.
    states.write(name, content.state);
    candidate.save(drafted.value.document, actor, `proxies/${name} restored`);
    return done(drafted.value.report);
  }

  return {
    backup,
    async restore(actor, name, { file, passphrase, dryRun }) {
      const content = await parseBackup(file, passphrase);
      if (!content.ok) return content;
      return deployment.alone(() => restoreAlone(actor, name, content.value, dryRun));
    },
  };
}
