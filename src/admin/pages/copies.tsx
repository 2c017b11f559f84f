/** Backup of a running proxy into a file, and restoring one from a file while it is off. */
import { Hono } from "hono";
import type { AdminEnv } from "../api/problem.ts";
import { problemText } from "../i18n/texts.ts";
import type { BackupSecret, RestoreReport } from "../operations.ts";
import { type Refusal, refusal } from "../outcome.ts";
import { ChangeTable } from "./change-table.tsx";
import { type Typed, typedText } from "./form-values.ts";
import { Page, RefusalBox, send, sendRefusal } from "./layout.tsx";
import { PlainField } from "./parts.tsx";
import { actorOf, goTo, readForm } from "./requests.ts";
import { type PageContext, type Site, timeText, type View, viewOf } from "./view.ts";

export function CopyBox(o: { view: View; name: string; isRunning: boolean }) {
  const { view, name, isRunning } = o;
  const { t } = view;
  return (
    <details class="section">
      <summary>{t("proxy.copies")}</summary>
      <p class="hint">{t("proxy.backup-when-on")}</p>
      {isRunning && (
        <form method="post" action={`/proxies/${name}/backup`}>
          <PlainField
            view={view}
            name="passphrase"
            label={t("backup.passphrase")}
            type="password"
            autocomplete="new-password"
            hint={t("backup.passphrase-hint")}
          />
          <label class="tick">
            <input type="checkbox" name="plain" value="on" />
            {t("backup.plain")}
          </label>
          <div class="actions">
            <button type="submit">{t("button.backup")}</button>
          </div>
        </form>
      )}
      <p class="hint">{t("proxy.restore-when-off")}</p>
      {!isRunning && (
        <p>
          <a class="button" href={`/add/from-backup?name=${name}`}>
            {t("restore.title")}
          </a>
        </p>
      )}
    </details>
  );
}

const secretOf = (typed: Typed): BackupSecret =>
  typed.has("plain") ? { plain: true } : { passphrase: typedText(typed, "passphrase") };

async function sendBackup(c: PageContext, site: Site) {
  const name = c.req.param("name") ?? "";
  const back = `/proxies/${name}`;
  const view = viewOf(c, site);
  const sent = await readForm(c);
  if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal, back });
  const backup = await site.operations.proxies.backup(name, secretOf(sent.value.typed));
  if (!backup.ok) {
    const problems = backup.refusal.problems.map(({ path, message }) => ({
      path,
      message: `${view.t("backup.passphrase")}: ${problemText(view.language, message)}`,
    }));
    return sendRefusal(c, { view, refusal: { ...backup.refusal, problems }, back });
  }
  const { fileName, bytes } = backup.value;
  c.header("content-type", "application/octet-stream");
  c.header("content-disposition", `attachment; filename="${fileName.replace(/[^\w.-]/g, "_")}"`);
  return c.body(new Uint8Array(bytes));
}

function Report({ view, report }: { view: View; report: RestoreReport }) {
  const { t } = view;
  const { name } = report.proxy;
  const { added, kept, differing } = report.instances;
  const lists = [
    ["restore.added", added],
    ["restore.kept", kept],
    ["restore.differing", differing],
  ] as const;
  return (
    <section class="box">
      <h2>{t("restore.report")}</h2>
      <p>{t(report.isNew ? "restore.is-new" : "restore.replaces", { name })}</p>
      <p>{t("restore.taken", { time: timeText(report.takenAt) })}</p>
      <p>{t(report.hasState ? "restore.state-yes" : "restore.state-no")}</p>
      {lists.map(([key, names]) =>
        names.length === 0 ? null : <p>{t(key, { names: names.join(", ") })}</p>,
      )}
      <ChangeTable view={view} changes={report.changes} />
      <p>
        <strong>{t("restore.choose-again")}</strong>
      </p>
    </section>
  );
}

function RestorePage(o: {
  view: View;
  name: string;
  report: RestoreReport | null;
  refusal: Refusal | null;
}) {
  const { view, refusal } = o;
  const { t } = view;
  const messages = (path: string) =>
    (refusal?.problems ?? [])
      .filter((problem) => problem.path === path)
      .map(({ message }) => problemText(view.language, message));
  const others = (refusal?.problems ?? []).filter(
    ({ path }) => !["name", "file", "passphrase"].includes(path),
  );
  return (
    <Page view={view} title={t("restore.title")}>
      <RefusalBox view={view} refusal={refusal} />
      <ul>
        {others.map(({ path, message }) => (
          <li>
            {path} {problemText(view.language, message)}
          </li>
        ))}
      </ul>
      {o.report !== null && <Report view={view} report={o.report} />}
      <p>{t("restore.intro")}</p>
      <form class="object" method="post" action="/add/from-backup" enctype="multipart/form-data">
        <PlainField
          view={view}
          name="name"
          label={t("restore.name")}
          type="text"
          value={o.name}
          hint={t("restore.name-hint")}
          problems={messages("name")}
        />
        <PlainField
          view={view}
          name="file"
          label={t("restore.file")}
          type="file"
          problems={messages("file")}
        />
        <PlainField
          view={view}
          name="passphrase"
          label={t("backup.passphrase")}
          type="password"
          hint={t("restore.passphrase-hint")}
          problems={messages("passphrase")}
        />
        <div class="actions">
          <button type="submit" name="what" value="check" class="main">
            {t("button.restore-check")}
          </button>
          <button type="submit" name="what" value="restore">
            {t("button.restore-now")}
          </button>
          <a class="button" href="/proxies">
            {t("button.cancel")}
          </a>
        </div>
      </form>
    </Page>
  );
}

async function restore(c: PageContext, site: Site) {
  const view = viewOf(c, site);
  const sent = await readForm(c);
  if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal, back: "/proxies" });
  const { typed, files } = sent.value;
  const name = typedText(typed, "name").trim();
  const file = files.get("file");
  const required = { message: "is required" };
  const problems = [
    ...(name === "" ? [{ path: "name", ...required }] : []),
    ...(file === undefined || file.size === 0 ? [{ path: "file", ...required }] : []),
  ];
  const show = (report: RestoreReport | null, refused: Refusal | null) =>
    send(
      c,
      <RestorePage view={view} name={name} report={report} refusal={refused} />,
      refused?.status ?? 200,
    );
  if (problems.length > 0 || file === undefined)
    return show(null, refusal("invalid", { problems }));
  const dryRun = typedText(typed, "what") !== "restore";
  const restored = await site.operations.proxies.restore(actorOf(c), name, {
    file: new Uint8Array(await file.arrayBuffer()),
    passphrase: typedText(typed, "passphrase") || null,
    dryRun,
  });
  if (!restored.ok) return show(null, restored.refusal);
  if (dryRun) return show(restored.value, null);
  return goTo(c, `/proxies/${restored.value.proxy.name}`, "restored");
}

export function copyRoutes(site: Site): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.post("/proxies/:name/backup", (c) => sendBackup(c, site));
  app.get("/add/from-backup", (c) => {
    const name = c.req.query("name") ?? "";
    const view = viewOf(c, site);
    return send(c, <RestorePage view={view} name={name} report={null} refusal={null} />);
  });
  app.post("/add/from-backup", (c) => restore(c, site));
  return app;
}
