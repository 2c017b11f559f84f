/** Instances: list, creating, changing, checking, deleting. */
import { Hono } from "hono";
import type { InstanceDocument } from "../../config/instance.ts";
import type { AdminEnv } from "../api/problem.ts";
import { optionOf, problemText } from "../i18n/texts.ts";
import type { ObservedProxy, ServiceReach, Versioned } from "../operations.ts";
import type { Refusal } from "../outcome.ts";
import { ObjectForm } from "./form.tsx";
import { objectOf, typedText } from "./form-values.ts";
import type { FormState } from "./inputs.tsx";
import { Page, RefusalBox, send, sendRefusal } from "./layout.tsx";
import { InstanceSeen } from "./overview.tsx";
import { DeleteBox, FilterBox } from "./parts.tsx";
import { type AskedUrls, ProvisioningUrls } from "./provisioning-urls.tsx";
import { actorOf, etagIn, formOf, goTo, isFound, readForm, refusedForm } from "./requests.ts";
import { fieldsIn, instanceSections } from "./sections.ts";
import { Reach } from "./states.tsx";
import { type PageContext, type Site, type View, viewOf } from "./view.ts";

const addressOf = (name: string): string => `/instances/${name}`;
const FIELDS = fieldsIn(instanceSections(false));
const NEW_FIELDS = fieldsIn(instanceSections(true));

type InstancePageProps = {
  readonly view: View;
  readonly stored: Versioned<InstanceDocument>;
  readonly all: readonly ObservedProxy[];
  readonly form: FormState;
  readonly reach: readonly ServiceReach[] | null;
  readonly urls: AskedUrls | null;
  readonly refusal: Refusal | null;
  readonly isDeleting: boolean;
};

function InstancePage(props: InstancePageProps) {
  const { view, stored, all, form, reach, urls, refusal, isDeleting } = props;
  const { t } = view;
  const { name } = stored.value;
  return (
    <Page view={view} title={t("instance.title", { name })}>
      <RefusalBox view={view} refusal={refusal} />
      <ul>
        {(refusal?.problems ?? []).map(({ message }) => (
          <li>{problemText(view.language, message)}</li>
        ))}
      </ul>
      <section class="box">
        <div id="live-instance" data-live>
          <h2>{t("instance.seen")}</h2>
          <InstanceSeen view={view} name={name} all={all} />
        </div>
        <form method="post" action={`${addressOf(name)}/check`}>
          <button type="submit">{t("button.check", { name })}</button>{" "}
          <span class="hint">{t("instance.check-hint")}</span>
        </form>
        {reach !== null && (
          <>
            <h2>{t("instance.checked")}</h2>
            <Reach view={view} reach={reach} />
          </>
        )}
      </section>
      <ProvisioningUrls view={view} name={name} asked={urls} />
      <h2>{t("proxy.settings")}</h2>
      <ObjectForm
        view={view}
        action={addressOf(name)}
        sections={instanceSections(false)}
        form={form}
        etag={stored.etag}
        submit="button.save"
      />
      <DeleteBox
        view={view}
        action={`${addressOf(name)}/delete`}
        etag={stored.etag}
        button={t("button.delete-instance", { name })}
        isOpen={isDeleting}
      />
    </Page>
  );
}

type Shown = {
  readonly form?: (stored: InstanceDocument) => FormState;
  readonly reach?: readonly ServiceReach[];
  readonly urls?: AskedUrls;
  readonly refusal?: Refusal;
  readonly isDeleting?: boolean;
};

async function showInstance(c: PageContext, site: Site, o: Shown = {}) {
  const view = viewOf(c, site);
  const { instances, proxies } = site.operations;
  const stored = instances.get(c.req.param("name") ?? "", "candidate");
  if (!stored.ok) return sendRefusal(c, { view, refusal: stored.refusal, back: "/instances" });
  const instance = stored.value.value;
  const form = o.form?.(instance) ?? formOf(site, FIELDS, instance);
  const page = (
    <InstancePage
      view={view}
      stored={stored.value}
      all={await proxies.statuses()}
      form={form}
      reach={o.reach ?? null}
      urls={o.urls ?? null}
      refusal={o.refusal ?? null}
      isDeleting={o.isDeleting === true}
    />
  );
  const isMacWrong = o.urls?.urls === null;
  return send(c, page, o.refusal?.status ?? form.refusal?.status ?? (isMacWrong ? 422 : 200));
}

function NewInstance({ view, form }: { view: View; form: FormState }) {
  return (
    <Page view={view} title={view.t("instance.new")}>
      <ObjectForm
        view={view}
        action="/add/instance"
        sections={instanceSections(true)}
        form={form}
        etag={null}
        submit="button.create-instance"
      >
        <a class="button" href="/instances">
          {view.t("button.cancel")}
        </a>
      </ObjectForm>
    </Page>
  );
}

function Row({
  view,
  instance,
  all,
}: {
  view: View;
  instance: InstanceDocument;
  all: readonly ObservedProxy[];
}) {
  const { name, address, sip, media, enabled } = instance;
  const option = (path: string, value: string) =>
    optionOf(view.language, { of: "instance", path }, value);
  return (
    <tr>
      <td>
        <a href={addressOf(name)}>{name}</a>{" "}
        {!enabled && <span class="state stopped">{view.t("service.off")}</span>}
      </td>
      <td>{address}</td>
      <td>
        {option("sip.transport", sip.transport)} {sip.port ?? ""}
      </td>
      <td>{option("media", media)}</td>
      <td>
        <InstanceSeen view={view} name={name} all={all} />
      </td>
    </tr>
  );
}

function InstanceList(o: {
  view: View;
  wanted: string;
  listed: readonly InstanceDocument[];
  all: readonly ObservedProxy[];
}) {
  const { view, wanted, listed, all } = o;
  const { t } = view;
  const found = listed.filter(({ name, address, aliases }) =>
    isFound(wanted, [name, address, ...aliases]),
  );
  return (
    <Page view={view} title={t("instances.title")}>
      <p>{t("instances.intro")}</p>
      <div class="actions">
        <a class="button main" href="/add/instance">
          {t("instances.add")}
        </a>
      </div>
      {listed.length > 1 && <FilterBox view={view} action="/instances" wanted={wanted} />}
      <div id="live-instances" data-live>
        {listed.length === 0 && <p class="empty">{t("instances.empty")}</p>}
        {listed.length > 0 && found.length === 0 && <p class="empty">{t("proxies.no-match")}</p>}
        {found.length > 0 && (
          <div class="table">
            <table>
              <thead>
                <tr>
                  <th>{t("column.name")}</th>
                  <th>{t("column.address")}</th>
                  <th>{t("column.sip")}</th>
                  <th>{t("column.media")}</th>
                  <th>{t("column.reachable")}</th>
                </tr>
              </thead>
              <tbody>
                {found.map((instance) => (
                  <Row view={view} instance={instance} all={all} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </div>
    </Page>
  );
}

async function saveInstance(c: PageContext, site: Site) {
  const { instances } = site.operations;
  const name = c.req.param("name") ?? "";
  const stored = instances.get(name, "candidate");
  if (!stored.ok) return showInstance(c, site);
  const sent = await readForm(c);
  if (!sent.ok) return showInstance(c, site, { refusal: sent.refusal });
  const { typed } = sent.value;
  const object = objectOf(FIELDS, typed, stored.value.value);
  const put = await instances.put(actorOf(c), name, object, etagIn(typed));
  if (put.ok) return goTo(c, addressOf(put.value.value.name), "saved");
  const { refusal } = put;
  const form = (now: InstanceDocument) =>
    refusedForm(site, { fields: FIELDS, stored: now, typed, refusal });
  return showInstance(c, site, { form });
}

async function showUrls(c: PageContext, site: Site) {
  const sent = await readForm(c);
  if (!sent.ok) return showInstance(c, site, { refusal: sent.refusal });
  const mac = typedText(sent.value.typed, "mac");
  const found = site.operations.machine.provisioningUrls(c.req.param("name") ?? "", mac);
  if (found.ok) return showInstance(c, site, { urls: { mac, urls: found.value, problems: [] } });
  const { refusal } = found;
  // Saved, but not applied yet: no proxy serves its phones.
  if (refusal.type === "not-found") {
    return showInstance(c, site, { urls: { mac, urls: [], problems: [] } });
  }
  const { language } = viewOf(c, site);
  const problems = refusal.problems.map(({ message }) => problemText(language, message));
  return showInstance(c, site, { urls: { mac, urls: null, problems } });
}

export function instanceRoutes(site: Site): Hono<AdminEnv> {
  const { instances, proxies } = site.operations;
  const app = new Hono<AdminEnv>();
  app.get("/instances", async (c) => {
    const view = viewOf(c, site);
    const listed = instances.list("candidate").value;
    const wanted = c.req.query("q") ?? "";
    const all = await proxies.statuses();
    return send(c, <InstanceList view={view} wanted={wanted} listed={listed} all={all} />);
  });
  app.get("/add/instance", (c) =>
    send(c, <NewInstance view={viewOf(c, site)} form={formOf(site, NEW_FIELDS, {})} />),
  );
  app.post("/add/instance", async (c) => {
    const view = viewOf(c, site);
    const sent = await readForm(c);
    if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal });
    const { typed } = sent.value;
    const created = await instances.create(actorOf(c), objectOf(NEW_FIELDS, typed, {}));
    if (created.ok) return goTo(c, addressOf(created.value.value.name), "created");
    const { refusal } = created;
    const form = refusedForm(site, { fields: NEW_FIELDS, stored: null, typed, refusal });
    return send(c, <NewInstance view={view} form={form} />, refusal.status);
  });
  app.get("/instances/:name", (c) => showInstance(c, site));
  app.post("/instances/:name", (c) => saveInstance(c, site));
  app.post("/instances/:name/check", async (c) => {
    const reach = await instances.check(c.req.param("name"));
    return reach.ok
      ? showInstance(c, site, { reach: reach.value })
      : showInstance(c, site, { refusal: reach.refusal });
  });
  app.post("/instances/:name/urls", (c) => showUrls(c, site));
  app.post("/instances/:name/delete", async (c) => {
    const sent = await readForm(c);
    if (!sent.ok) return showInstance(c, site, { refusal: sent.refusal });
    const { typed } = sent.value;
    if (!typed.has("sure")) return showInstance(c, site, { isDeleting: true });
    const removed = instances.remove(actorOf(c), c.req.param("name"), etagIn(typed));
    if (!removed.ok) return showInstance(c, site, { refusal: removed.refusal, isDeleting: true });
    return goTo(c, "/instances", "deleted");
  });
  return app;
}
