/** What a browser sends to the pages: forms as texts and files, and where it is sent next. */
import type { ObjectOperations } from "../operations.ts";
import type { Outcome } from "../outcome.ts";
import { done, refused } from "../outcome.ts";
import type { Field } from "./fields.ts";
import { type Typed, typedOf, typedText, withoutEmptyRows } from "./form-values.ts";
import type { FormState } from "./inputs.tsx";
import type { Done, PageContext, Site } from "./view.ts";

export type Sent = { readonly typed: Typed; readonly files: ReadonlyMap<string, File> };

export async function readForm(c: PageContext): Promise<Outcome<Sent>> {
  let form: FormData;
  try {
    form = await c.req.formData();
  } catch {
    return refused("bad-request");
  }
  const typed = new Map<string, string[]>();
  const files = new Map<string, File>();
  for (const [name, value] of form.entries()) {
    if (typeof value !== "string") files.set(name, value);
    else typed.set(name, [...(typed.get(name) ?? []), value]);
  }
  return done({ typed, files });
}

export const actorOf = (c: PageContext) => ({ user: c.get("user") });

/** Post, redirect, get: a reload of the next page sends nothing again. */
export function goTo(c: PageContext, path: string, what?: Done): Response {
  return c.redirect(what === undefined ? path : `${path}?done=${what}`, 303);
}

/** The etag that the form carried; null = it was a form for a new object. */
export const etagIn = (typed: Typed): string | null => typedText(typed, "etag") || null;

/** A form that shows what is stored, or the defaults. */
export function formOf(site: Site, fields: readonly Field[], stored: unknown): FormState {
  return { ...emptyForm(site, fields, stored), typed: typedOf(fields, stored) };
}

/** A form that shows what was typed, and what is wrong with it. */
export function refusedForm(
  site: Site,
  o: {
    readonly fields: readonly Field[];
    readonly stored: unknown;
    readonly typed: Typed;
    readonly refusal: FormState["refusal"];
  },
): FormState {
  const typed = withoutEmptyRows(o.fields, o.typed);
  return { ...emptyForm(site, o.fields, o.stored), typed, refusal: o.refusal };
}

function emptyForm({ operations }: Site, fields: readonly Field[], stored: unknown): FormState {
  const instances = operations.instances.list("candidate").value;
  return {
    typed: new Map(),
    stored,
    refusal: null,
    fields,
    instanceNames: instances.map(({ name }) => name),
    interfaceNames: operations.machine.interfaces().map(({ name }) => name),
  };
}

/** Whether any of the texts holds what was typed into the filter of a list. */
export function isFound(wanted: string, texts: readonly (string | null)[]): boolean {
  const lower = wanted.trim().toLowerCase();
  return texts.some((text) => text?.toLowerCase().includes(lower) === true);
}

export function isListed<T extends { readonly name: string }>(
  objects: ObjectOperations<T>,
  name: string,
): boolean {
  return objects.get(name, "candidate").ok;
}
