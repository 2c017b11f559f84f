/**
 * The first set-up after the account: an instance, a proxy with its interface and name, its certificate, and
 * applying. Each step saves what it asks for, so the wizard can be left and is resumed where it was.
 */
import { type Context, Hono } from "hono";
import type { AdminEnv } from "../api/problem.ts";
import type { PublicProxy, Versioned } from "../operations.ts";
import type { Outcome } from "../outcome.ts";
import { ChangeTable } from "./change-table.tsx";
import { ObjectForm, type Section } from "./form.tsx";
import { objectOf } from "./form-values.ts";
import type { FormState } from "./inputs.tsx";
import { Page, send, sendRefusal } from "./layout.tsx";
import { Interfaces } from "./overview.tsx";
import { withIdentity } from "./proxies.tsx";
import { actorOf, etagIn, formOf, goTo, readForm, refusedForm } from "./requests.ts";
import { fieldsIn, WIZARD } from "./sections.ts";
import { State } from "./states.tsx";
import { type Step, WizardSteps } from "./steps.tsx";
import { type Site, type View, viewOf } from "./view.ts";

type FormStep = keyof typeof WIZARD;
type Stored = Versioned<unknown> & { readonly name: string };

const NEXT: Readonly<Record<FormStep, Step>> = {
  instance: "proxy",
  proxy: "certificate",
  certificate: "apply",
};

/** What the step is about, as far as it is there. */
function storedFor(step: FormStep, { operations }: Site): Stored | null {
  const objects = step === "instance" ? operations.instances : operations.proxies;
  const name = objects.list("candidate").value[0]?.name;
  if (name === undefined) return null;
  const stored = objects.get(name, "candidate");
  return stored.ok ? { ...stored.value, name } : null;
}

/** The name of what is there cannot be changed, nor the mode of its network. */
function sectionsFor(step: FormStep, stored: Stored | null): readonly Section[] {
  if (stored === null) return WIZARD[step];
  const { network } = stored.value as Partial<PublicProxy>;
  return WIZARD[step]
    .filter(({ when }) => when !== "manual" || network?.mode === "manual")
    .map((section) => ({
      ...section,
      fields: section.fields.filter(({ path }) => path !== "name" && path !== "network.mode"),
    }))
    .filter(({ fields }) => fields.length > 0);
}

function save(
  c: Context<AdminEnv>,
  site: Site,
  o: { step: FormStep; stored: Stored | null; object: unknown; etag: string | null },
): Promise<Outcome<unknown>> {
  const { instances, proxies } = site.operations;
  const { step, stored, object, etag } = o;
  const objects = step === "instance" ? instances : proxies;
  if (stored === null) return objects.create(actorOf(c), object);
  return objects.put(actorOf(c), stored.name, object, etag);
}

function introOf(view: View, step: FormStep, stored: Stored | null): string {
  const { t } = view;
  if (step !== "certificate") return t(`setup.${step}`);
  const { fqdn } = (stored?.value ?? {}) as Partial<PublicProxy>;
  return t("setup.certificate", { fqdn: fqdn ?? "" });
}

function FormPage(o: {
  view: View;
  site: Site;
  step: FormStep;
  stored: Stored | null;
  form: FormState;
}) {
  const { view, step, stored } = o;
  const { t } = view;
  return (
    <Page view={view} title={t("setup.title")}>
      <WizardSteps view={view} current={step} />
      <p>{introOf(view, step, stored)}</p>
      {step === "proxy" && (
        <Interfaces view={view} interfaces={o.site.operations.machine.interfaces()} />
      )}
      <ObjectForm
        view={view}
        action={`/setup/${step}`}
        sections={sectionsFor(step, stored)}
        form={o.form}
        etag={stored?.etag ?? null}
        submit="button.next"
      >
        {(stored !== null || step === "certificate") && (
          <a class="button" href={`/setup/${NEXT[step]}`}>
            {t("button.skip")}
          </a>
        )}
      </ObjectForm>
      <p class="hint">{t("setup.later")}</p>
    </Page>
  );
}

async function ApplyPage(view: View, { operations }: Site) {
  const { t } = view;
  const count = view.changes?.changes.length ?? 0;
  const all = await operations.proxies.statuses();
  return (
    <Page view={view} title={t("setup.title")}>
      <WizardSteps view={view} current="apply" />
      {count > 0 ? (
        <>
          <p>{t("setup.apply")}</p>
          <ChangeTable view={view} changes={view.changes?.changes ?? []} />
          <form method="post" action="/changes/apply" class="object">
            <p class="hint">{t("changes.apply-hint")}</p>
            <div class="actions">
              <button type="submit" class="main">
                {t("button.apply")}
              </button>
            </div>
          </form>
        </>
      ) : (
        <section id="live-setup" data-live>
          {all.map((observed) => (
            <p>
              {t("setup.finished", { name: observed.name })}{" "}
              <State view={view} observed={observed} />
            </p>
          ))}
          <p class="hint">{t("setup.next")}</p>
          <p>
            <a class="button" href="/instances">
              {t("instances.title")}
            </a>{" "}
            <a class="button main" href="/">
              {t("overview.title")}
            </a>
          </p>
        </section>
      )}
    </Page>
  );
}

/** Where it goes on. */
function firstUnfinished({ operations }: Site): string {
  if (operations.instances.list("candidate").value.length === 0) return "/setup/instance";
  if (operations.proxies.list("candidate").value.length === 0) return "/setup/proxy";
  return operations.changes.view().activeRevision === 0 ? "/setup/certificate" : "/setup/apply";
}

function formRoutes(site: Site, step: FormStep): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  const isTooEarly = (stored: Stored | null) => step === "certificate" && stored === null;
  app.get(`/setup/${step}`, (c) => {
    const view = viewOf(c, site);
    const stored = storedFor(step, site);
    if (isTooEarly(stored)) return goTo(c, "/setup/proxy");
    const form = formOf(site, fieldsIn(sectionsFor(step, stored)), stored?.value ?? {});
    return send(c, <FormPage view={view} site={site} step={step} stored={stored} form={form} />);
  });
  app.post(`/setup/${step}`, async (c) => {
    const view = viewOf(c, site);
    const sent = await readForm(c);
    if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal, back: "/setup" });
    const { typed } = sent.value;
    const stored = storedFor(step, site);
    if (isTooEarly(stored)) return goTo(c, "/setup/proxy");
    const fields = fieldsIn(sectionsFor(step, stored));
    const object = withIdentity(objectOf(fields, typed, stored?.value ?? {}), typed);
    const saved = await save(c, site, { step, stored, object, etag: etagIn(typed) });
    if (saved.ok) return goTo(c, `/setup/${NEXT[step]}`);
    const { refusal } = saved;
    const form = refusedForm(site, { fields, stored: stored?.value ?? null, typed, refusal });
    const page = <FormPage view={view} site={site} step={step} stored={stored} form={form} />;
    return send(c, page, refusal.status);
  });
  return app;
}

export function wizardRoutes(site: Site): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.get("/setup", (c) => goTo(c, firstUnfinished(site)));
  for (const step of ["instance", "proxy", "certificate"] as const) {
    app.route("/", formRoutes(site, step));
  }
  app.get("/setup/apply", async (c) => send(c, await ApplyPage(viewOf(c, site), site)));
  return app;
}
