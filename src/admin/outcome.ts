/**
 * How an operation of the admin ends: with a value, or refused. A refusal is what `application/problem+json`
 * (RFC 9457) carries and what a page shows; `type` is stable and is the key of the translated text.
 */
import type { Problem } from "../config/check.ts";

/** What was refused, in one word; `title` says it in English. */
export type RefusalType =
  | "bad-request"
  | "setup-required"
  | "already-set-up"
  | "wrong-code"
  | "wrong-login"
  | "sign-in-required"
  | "cross-origin"
  | "too-many-tries"
  | "too-large"
  | "unsupported-type"
  | "not-found"
  | "exists"
  | "in-use"
  | "changed-meanwhile"
  | "invalid"
  | "not-running"
  | "still-running"
  | "changes-waiting"
  | "nothing-to-confirm"
  | "confirm-pending"
  | "wrong-passphrase"
  | "damaged-backup"
  | "network-refused"
  | "state-not-reached"
  | "busy"
  | "internal";

export type Refusal = {
  /** HTTP status. */
  readonly status: number;
  readonly type: RefusalType;
  readonly title: string;
  /** One more sentence about this very case, in English. */
  readonly detail: string | null;
  /** Paths are relative to the object that was sent; empty unless `type` is invalid, exists or in-use. */
  readonly problems: readonly Problem[];
  readonly retryAfterSeconds: number | null;
};

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

const KINDS: Readonly<Record<RefusalType, readonly [status: number, title: string]>> = {
  "bad-request": [400, "The request cannot be read."],
  "setup-required": [403, "The appliance is not set up yet."],
  "already-set-up": [409, "The appliance is already set up."],
  "wrong-code": [403, "The set-up code is wrong."],
  "wrong-login": [401, "User name or password is wrong."],
  "sign-in-required": [401, "Sign in first."],
  "cross-origin": [403, "The request came from another site."],
  "too-many-tries": [429, "Too many wrong tries; wait."],
  "too-large": [413, "The request is too large."],
  "unsupported-type": [415, "The content type is not the expected one."],
  "not-found": [404, "There is no such thing."],
  exists: [409, "The name is taken."],
  "in-use": [409, "It is still in use."],
  "changed-meanwhile": [412, "It was changed meanwhile."],
  invalid: [422, "Some values are not valid."],
  "not-running": [409, "The proxy is not running."],
  "still-running": [409, "The proxy is still running."],
  "changes-waiting": [409, "Other changes have to be applied first."],
  "nothing-to-confirm": [409, "Nothing waits for a confirmation."],
  "confirm-pending": [409, "The last changes are not confirmed yet."],
  "wrong-passphrase": [422, "The passphrase is wrong, or the file is damaged."],
  "damaged-backup": [422, "The file is no backup, or it is damaged."],
  "network-refused": [502, "The network could not be changed."],
  "state-not-reached": [504, "The proxy did not reach the wanted state in time."],
  busy: [503, "Too many at one time; try again soon."],
  internal: [500, "Something went wrong inside; the log says more."],
};

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** A refusal as a value. */
export function refusal(
  type: RefusalType,
  more: Partial<Pick<Refusal, "detail" | "problems" | "retryAfterSeconds">> = {},
): Refusal {
  const [status, title] = KINDS[type];
  return { status, type, title, detail: null, problems: [], retryAfterSeconds: null, ...more };
}

export function refused(
  type: RefusalType,
  more: Partial<Pick<Refusal, "detail" | "problems" | "retryAfterSeconds">> = {},
): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal: refusal(type, more) };
}
