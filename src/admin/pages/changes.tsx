/** What waits to be applied, applying and confirming it, and the history. */
import { Hono } from "hono";
import type { AdminEnv } from "../api/problem.ts";
import { problemText } from "../i18n/texts.ts";
import type { Change, Revision } from "../operations.ts";
import { type Outcome, type Refusal, refused } from "../outcome.ts";
import { ChangeTable } from "./change-table.tsx";
import { typedText } from "./form-values.ts";
import { Page, RefusalBox, send, sendRefusal } from "./layout.tsx";
import { actorOf, goTo, readForm } from "./requests.ts";
import { Time } from "./states.tsx";
import { type PageContext, type Site, type View, viewOf } from "./view.ts";

const LONGEST_NOTE = 500;

function Waiting({ view }: { view: View }) {
  const { t, changes } = view;
  if (changes === null) return null;
  const count = changes.changes.length;
  if (count === 0) {
    const { activeRevision: number } = changes;
    return (
      <p class="empty">{number === 0 ? t("changes.none-yet") : t("changes.none", { number })}</p>
    );
  }
  return (
    <>
      <ChangeTable view={view} changes={changes.changes} />
      {changes.pending === null && <ApplyBox view={view} />}
    </>
  );
}

function ApplyBox({ view }: { view: View }) {
  const { t } = view;
  return (
    <>
      <form class="object" method="post" action="/changes/apply">
        <div class="field">
          <label class="name" for="field-note">
            {t("changes.note")}
          </label>
          <div class="entry">
            <input id="field-note" name="note" maxlength={LONGEST_NOTE} autocomplete="off" />
            <p class="hint">{t("changes.apply-hint")}</p>
          </div>
        </div>
        <div class="actions">
          <button type="submit" class="main">
            {t("button.apply")}
          </button>
        </div>
      </form>
      <form method="post" action="/changes/discard" class="discard">
        <button type="submit" class="danger">
          {t("button.discard")}
        </button>
      </form>
    </>
  );
}

function History({ view, revisions }: { view: View; revisions: readonly Revision[] }) {
  const { t } = view;
  if (revisions.length === 0) return <p class="empty">{t("changes.no-history")}</p>;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th class="number">{t("column.number")}</th>
            <th>{t("column.time")}</th>
            <th>{t("column.user")}</th>
            <th>{t("column.note")}</th>
            <th>{t("column.what")}</th>
          </tr>
        </thead>
        <tbody>
          {revisions.map(({ number, time, user, note, isActive }) => (
            <tr>
              <td class="number">{number}</td>
              <td>
                <Time iso={time} />
              </td>
              <td>{user}</td>
              <td class="value">{note}</td>
              <td>
                <a href={`/changes/${number}`}>{t("changes.diff-link")}</a>{" "}
                {isActive && <span class="state running">{t("changes.active")}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ChangesPage(o: { view: View; revisions: readonly Revision[]; refusal: Refusal | null }) {
  const { view, refusal } = o;
  const { t } = view;
  return (
    <Page view={view} title={t("changes.title")}>
      <RefusalBox view={view} refusal={refusal} />
      <ul>
        {(refusal?.problems ?? []).map(({ path, message }) => (
          <li>
            {path} {problemText(view.language, message)}
          </li>
        ))}
      </ul>
      <h2>{t("changes.waiting")}</h2>
      <Waiting view={view} />
      <h2>{t("changes.history")}</h2>
      <History view={view} revisions={o.revisions} />
    </Page>
  );
}

function RevisionPage(o: { view: View; number: number; changes: readonly Change[] }) {
  const { view, number, changes } = o;
  const { t } = view;
  return (
    <Page view={view} title={t("changes.revision", { number })}>
      {changes.length === 0 && <p class="empty">{t("changes.no-difference")}</p>}
      <ChangeTable view={view} changes={changes} />
      <form method="post" action={`/changes/${number}/restore`}>
        <p class="hint">{t("changes.put-back-hint")}</p>
        <div class="actions">
          <button type="submit">{t("button.restore", { number })}</button>
          <a class="button" href="/changes">
            {t("button.cancel")}
          </a>
        </div>
      </form>
    </Page>
  );
}

function withNumber<T>(c: PageContext, work: (number: number) => Outcome<T>): Outcome<T> {
  const text = c.req.param("number") ?? "";
  return /^[0-9]{1,9}$/.test(text) ? work(Number(text)) : refused("not-found");
}

export function changeRoutes(site: Site): Hono<AdminEnv> {
  const { changes } = site.operations;
  const app = new Hono<AdminEnv>();
  const show = (c: PageContext, refusal: Refusal | null = null) => {
    const page = (
      <ChangesPage view={viewOf(c, site)} revisions={changes.revisions()} refusal={refusal} />
    );
    return send(c, page, refusal?.status ?? 200);
  };
  app.get("/changes", (c) => show(c));
  app.post("/changes/apply", async (c) => {
    const sent = await readForm(c);
    if (!sent.ok) return show(c, sent.refusal);
    const note = typedText(sent.value.typed, "note").trim().slice(0, LONGEST_NOTE);
    const applied = await changes.apply(actorOf(c), note);
    return applied.ok ? goTo(c, "/changes", "applied") : show(c, applied.refusal);
  });
  app.post("/changes/confirm", async (c) => {
    const confirmed = await changes.confirm(actorOf(c));
    return confirmed.ok ? goTo(c, "/changes", "confirmed") : show(c, confirmed.refusal);
  });
  app.post("/changes/discard", (c) => {
    const discarded = changes.discard(actorOf(c));
    return discarded.ok ? goTo(c, "/changes", "discarded") : show(c, discarded.refusal);
  });
  app.get("/changes/:number", (c) => {
    const view = viewOf(c, site);
    const diff = withNumber(c, (number) => changes.diff(number));
    if (!diff.ok) return sendRefusal(c, { view, refusal: diff.refusal, back: "/changes" });
    const number = Number(c.req.param("number"));
    return send(c, <RevisionPage view={view} number={number} changes={diff.value} />);
  });
  app.post("/changes/:number/restore", (c) => {
    const restored = withNumber(c, (number) => changes.restore(actorOf(c), number));
    return restored.ok ? goTo(c, "/changes", "put-back") : show(c, restored.refusal);
  });
  return app;
}
