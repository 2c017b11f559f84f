/**
 * What a restart must not cost: the phones (bindings) and the running calls (dialogs) of this proxy, in the
 * journal of its state folder. Registrations stay in the instances; the tokens they hold find the phones again.
 */
import type { JournalFile } from "../io/journal-file.ts";
import { sessionRequest } from "./call-for.ts";
import type { Call } from "./calls.ts";
import type { Core } from "./core.ts";
import { Journal } from "./journal.ts";
import {
  bindingKey,
  bindingOf,
  type CallRecord,
  callRecordKey,
  callRecordOf,
  recordOfBinding,
  recordOfCall,
} from "./records.ts";

/** Name of the journal in the state folder. */
export const JOURNAL = "phones-and-calls.journal";

export class Remembered {
  readonly #core: () => Core;
  readonly #journal: Journal;

  constructor(o: {
    core(): Core;
    readonly file: JournalFile;
    readonly clock: Core["clock"];
    failed(reason: string | null): void;
  }) {
    this.#core = o.core;
    this.#journal = new Journal({
      file: o.file,
      clock: o.clock,
      keys: () => this.#keys(),
      valueOf: (key) => this.#valueOf(key),
      failed: o.failed,
    });
  }

  bindingChanged(id: string): void {
    this.#changed(bindingKey(id));
  }

  callChanged(call: Call): void {
    const key = callRecordKey(call);
    if (this.#core().calls.isAlive(call)) this.#calls.set(key, call);
    else this.#calls.delete(key);
    this.#changed(key);
  }

  /** What comes from the file is in the file. */
  #isLoading = false;

  #changed(key: string): void {
    if (!this.#isLoading) this.#journal.changed(key);
  }

  /** Calls that are, or were, worth a record, so that one is found by its key. */
  readonly #calls = new Map<string, Call>();

  /** Before the ports open. What has expired, was removed or cannot be read is left behind. */
  async load(): Promise<void> {
    const { log, count } = this.#core();
    const { values, damaged } = await this.#journal.load();
    let [phones, calls] = [0, 0];
    this.#isLoading = true;
    for (const [key, value] of values) {
      if (this.#restoreBinding(key, value)) phones++;
      else if (this.#restoreCall(key, value)) calls++;
    }
    this.#isLoading = false;
    for (let i = 0; i < damaged; i++) count("journal-damaged");
    if (values.size > 0 || damaged > 0) log.info("remembered", { phones, calls, damaged });
  }

  /** On the disk; what ends from now on, ends with this process only. */
  close(): Promise<void> {
    return this.#journal.close();
  }

  #restoreBinding(key: string, value: unknown): boolean {
    const { bindings, instances } = this.#core();
    const binding = bindingOf(key, value);
    if (binding === null) return false;
    const isKnown = instances.all.some(({ name }) => name === binding.instance);
    return isKnown && bindings.restore(binding);
  }

  #restoreCall(key: string, value: unknown): boolean {
    const record = callRecordOf(key, value);
    const instance = this.#core().instances.all.find(({ name }) => name === record?.instance);
    if (record === null || instance?.insideAddress == null) return false;
    const { callId, phone, phoneAddress, target } = record;
    const own = target === null ? undefined : instance.targets.at(target.address, target.port);
    const insideAddress = own?.insideAddress ?? instance.insideAddress;
    const ends = { callId, instance, phone, phoneAddress, insideAddress };
    const request = sessionRequest(this.#core(), ends);
    return this.#restored({ ...record, sessionRequest: request });
  }

  #restored(o: CallRecord & Pick<Call, "sessionRequest">): boolean {
    const { calls, callLimits, admission } = this.#core();
    const { user, phoneAddress, ...known } = o;
    const call = calls.restore(known);
    if (call === null) return false;
    const phones = admission.phones(phoneAddress);
    const share = { instance: o.instance, user, source: null, isStranger: false, phones };
    callLimits.begin(call, share);
    return true;
  }

  *#keys(): Iterable<string> {
    for (const id of this.#core().bindings.ids) yield bindingKey(id);
    yield* this.#calls.keys();
  }

  #valueOf(key: string): unknown {
    const call = this.#calls.get(key);
    if (call !== undefined) return recordOfCall(call, this.#core().callLimits.userOf(call));
    const binding = this.#core().bindings.get(key.slice(2));
    return binding === null ? null : recordOfBinding(binding);
  }
}
