/** The appliance itself, and the account of whoever is signed in. */
import { Hono } from "hono";
import type { AdminEnv } from "../api/problem.ts";
import { ObjectForm } from "./form.tsx";
import { objectOf } from "./form-values.ts";
import type { FormState } from "./inputs.tsx";
import { Page, Preferences, send, sendRefusal } from "./layout.tsx";
import { Interfaces } from "./overview.tsx";
import { actorOf, etagIn, formOf, goTo, readForm, refusedForm } from "./requests.ts";
import { applianceSections, fieldsIn } from "./sections.ts";
import { type PageContext, type Site, viewOf } from "./view.ts";

const SECTIONS = applianceSections();
const FIELDS = fieldsIn(SECTIONS);

function showAppliance(c: PageContext, site: Site, refused?: FormState) {
  const { appliance, machine } = site.operations;
  const view = viewOf(c, site);
  const { t } = view;
  const stored = appliance.get("candidate");
  const page = (
    <Page view={view} title={t("appliance.title")}>
      <p>{t("appliance.intro")}</p>
      <p class="banner notice">{t("appliance.not-yet")}</p>
      {!machine.plansNetwork && <p class="banner notice">{t("appliance.no-network")}</p>}
      <ObjectForm
        view={view}
        action="/appliance"
        sections={SECTIONS}
        form={refused ?? formOf(site, FIELDS, stored.value)}
        etag={stored.etag}
        submit="button.save"
      />
      <h2>{t("overview.interfaces")}</h2>
      <Interfaces view={view} interfaces={machine.interfaces()} />
    </Page>
  );
  return send(c, page, refused?.refusal?.status ?? 200);
}

export function applianceRoutes(site: Site): Hono<AdminEnv> {
  const { appliance } = site.operations;
  const app = new Hono<AdminEnv>();
  app.get("/appliance", (c) => showAppliance(c, site));
  app.post("/appliance", async (c) => {
    const sent = await readForm(c);
    if (!sent.ok) return sendRefusal(c, { view: viewOf(c, site), refusal: sent.refusal });
    const { typed } = sent.value;
    const { value: stored } = appliance.get("candidate");
    const put = appliance.put(actorOf(c), objectOf(FIELDS, typed, stored), etagIn(typed));
    if (put.ok) return goTo(c, "/appliance", "saved");
    const { refusal } = put;
    return showAppliance(c, site, refusedForm(site, { fields: FIELDS, stored, typed, refusal }));
  });
  app.get("/account", (c) => {
    const view = viewOf(c, site);
    const { t } = view;
    return send(
      c,
      <Page view={view} title={t("account.title")}>
        <p>
          {t("account.signed-in")} <strong>{view.user}</strong>
        </p>
        <form method="post" action="/sign-out">
          <button type="submit">{t("button.sign-out")}</button>
        </form>
        <p class="hint">{t("account.session")}</p>
        <p class="hint">{t("account.password")}</p>
        <h2>{t("account.view")}</h2>
        <Preferences view={view} />
      </Page>,
    );
  });
  return app;
}
