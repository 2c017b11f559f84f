/** What every page knows: who looks at it, in which language and colours, and what waits to be done. */
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import type { Clock } from "../../io/types.ts";
import { tokenOf } from "../api/guard.ts";
import type { AdminEnv } from "../api/problem.ts";
import {
  chooseLanguage,
  type Language,
  type TextKey,
  type Translate,
  translator,
} from "../i18n/texts.ts";
import type { ChangesView, Operations } from "../operations.ts";

export const LANGUAGE_COOKIE = "pequod-language";
export const THEME_COOKIE = "pequod-theme";
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** What the pages are made from. */
export type Site = { readonly operations: Operations; readonly clock: Pick<Clock, "now"> };
export type PageContext = Context<AdminEnv>;

export type View = {
  readonly language: Language;
  readonly t: Translate;
  readonly theme: Theme;
  /** null = nobody is signed in. */
  readonly user: string | null;
  readonly version: string;
  /** The address of this page, to come back to. */
  readonly path: string;
  /** null = nobody is signed in. */
  readonly changes: ChangesView | null;
  /** Seconds until an apply that waits for its confirmation is undone. */
  readonly confirmSeconds: number;
  /** This browser has just applied, so it may confirm by itself. */
  readonly hasApplied: boolean;
  /** What the last request did. */
  readonly done: TextKey | null;
  readonly isSetUp: boolean;
};

const DONE = [
  "saved",
  "created",
  "deleted",
  "unchanged",
  "started",
  "stopped",
  "unbanned",
  "applied",
  "confirmed",
  "discarded",
  "put-back",
  "restored",
  "signed-out",
] as const;
export type Done = (typeof DONE)[number];

/** Only what we have a text for: the address bar cannot put words on our pages. */
function doneOf(c: PageContext): TextKey | null {
  const done = DONE.find((one) => one === c.req.query("done"));
  return done === undefined ? null : `done.${done}`;
}

/** The page that is shown: the answer to a form shows the one that the form stands on. */
function pageOf(c: PageContext): string {
  const verb = /\/(?:start|stop|delete|check|urls|backup|apply|confirm|discard|restore)$/;
  return c.req.method === "POST" ? c.req.path.replace(verb, "") : c.req.path;
}

function secondsUntil(changes: ChangesView | null, nowMs: number): number {
  if (!changes?.pending) return 0;
  return Math.max(0, Math.ceil((Date.parse(changes.pending.confirmBefore) - nowMs) / 1000));
}

export function viewOf(c: PageContext, { operations, clock }: Site): View {
  const language = chooseLanguage(getCookie(c, LANGUAGE_COOKIE), c.req.header("accept-language"));
  const user = operations.access.actorOf(tokenOf(c))?.user ?? null;
  const changes = user === null ? null : operations.changes.view();
  return {
    language,
    t: translator(language),
    theme: THEMES.find((theme) => theme === getCookie(c, THEME_COOKIE)) ?? "system",
    user,
    version: operations.machine.version,
    path: pageOf(c),
    changes,
    confirmSeconds: secondsUntil(changes, clock.now()),
    hasApplied: c.req.query("done") === "applied",
    done: doneOf(c),
    isSetUp: operations.access.isSetUp(),
  };
}

/** A path of our own to go to; anything else is the overview. `//host` and `/\host` are no such path. */
export function localPath(path: string | undefined): string {
  return path !== undefined && /^\/(?:[A-Za-z0-9._~-][A-Za-z0-9/._~-]*)?$/.test(path) ? path : "/";
}

/** `2026-11-24 07:45:20 UTC`. */
export function timeText(iso: string): string {
  return iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d).*$/, "$1 $2 UTC");
}
