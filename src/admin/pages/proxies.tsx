/** Proxies: list, creating, changing, starting, stopping, deleting. */
import { Hono } from "hono";
import type { AdminEnv } from "../api/problem.ts";
import { optionOf } from "../i18n/texts.ts";
import type { ObservedProxy, PublicProxy, Versioned } from "../operations.ts";
import type { Refusal } from "../outcome.ts";
import { Bans } from "./bans.tsx";
import { CopyBox } from "./copies.tsx";
import { ObjectForm } from "./form.tsx";
import { objectOf, typedText } from "./form-values.ts";
import type { FormState } from "./inputs.tsx";
import { Page, RefusalBox, send, sendRefusal } from "./layout.tsx";
import { DeleteBox, FilterBox } from "./parts.tsx";
import { ProxyTable } from "./proxy-table.tsx";
import { actorOf, etagIn, formOf, goTo, isFound, readForm, refusedForm } from "./requests.ts";
import { fieldsIn, proxySections } from "./sections.ts";
import { Counts, ObservedState, Services, Warnings } from "./states.tsx";
import { type PageContext, type Site, type View, viewOf } from "./view.ts";

const addressOf = (name: string): string => `/proxies/${name}`;

function SwitchBox({ view, observed }: { view: View; observed: ObservedProxy }) {
  const { t } = view;
  const { name, state } = observed;
  const isOff = state === "stopped";
  return (
    <form method="post" action={`${addressOf(name)}/${isOff ? "start" : "stop"}`} class="switch">
      <button type="submit" class={isOff ? "main" : "danger"}>
        {t(isOff ? "button.start" : "button.stop", { name })}
      </button>
      {!isOff && <span class="hint">{t("confirm.stop")}</span>}
    </form>
  );
}

function ObservedBox(o: { view: View; observed: ObservedProxy; proxy: PublicProxy }) {
  const { view, observed, proxy } = o;
  return (
    <section id="live-proxy" class="box" data-live>
      <ObservedState view={view} observed={observed} />
      <SwitchBox view={view} observed={observed} />
      <div class="columns">
        <div>
          <h2>{view.t("section.services")}</h2>
          <Services view={view} observed={observed} voipSip={proxy.voipSip} />
        </div>
        <Counts view={view} observed={observed} />
      </div>
      <p>
        <a href={`${addressOf(observed.name)}/calls`}>{view.t("calls.open")}</a>
      </p>
      <Bans view={view} observed={observed} />
      {(observed.status?.warnings.length ?? 0) > 0 && <Warnings view={view} all={[observed]} />}
    </section>
  );
}

type ProxyPageProps = {
  readonly view: View;
  readonly stored: Versioned<PublicProxy>;
  readonly observed: ObservedProxy;
  readonly form: FormState;
  /** Of another action than saving. */
  readonly refusal: Refusal | null;
  readonly isDeleting?: boolean;
};

function ProxyPage({ view, stored, observed, form, refusal, isDeleting }: ProxyPageProps) {
  const { t, language } = view;
  const { name, network } = stored.value;
  const mode = optionOf(language, { of: "proxy", path: "network.mode" }, network.mode);
  return (
    <Page view={view} title={t("proxy.title", { name })}>
      <RefusalBox view={view} refusal={refusal} />
      <ObservedBox view={view} observed={observed} proxy={stored.value} />
      <h2>{t("proxy.settings")}</h2>
      <p class="hint">{t("field.mode-fixed", { mode })}</p>
      <ObjectForm
        view={view}
        action={addressOf(name)}
        sections={proxySections(network.mode)}
        form={form}
        etag={stored.etag}
        submit="button.save"
      />
      <CopyBox view={view} name={name} isRunning={observed.status !== null} />
      <DeleteBox
        view={view}
        action={`${addressOf(name)}/delete`}
        etag={stored.etag}
        button={t("button.delete-proxy", { name })}
        isOpen={isDeleting === true}
      />
    </Page>
  );
}

/** The page of one proxy; `typed` what was sent and refused. */
async function showProxy(
  c: PageContext,
  site: Site,
  o: { form?: (stored: PublicProxy) => FormState; refusal?: Refusal; isDeleting?: boolean } = {},
) {
  const view = viewOf(c, site);
  const { proxies } = site.operations;
  const name = c.req.param("name") ?? "";
  const stored = proxies.get(name, "candidate");
  if (!stored.ok) return sendRefusal(c, { view, refusal: stored.refusal, back: "/proxies" });
  const observed = await proxies.status(stored.value.value.name);
  if (!observed.ok) return sendRefusal(c, { view, refusal: observed.refusal, back: "/proxies" });
  const proxy = stored.value.value;
  const fields = fieldsIn(proxySections(proxy.network.mode));
  const form = o.form?.(proxy) ?? formOf(site, fields, proxy);
  const page = (
    <ProxyPage
      view={view}
      stored={stored.value}
      observed={observed.value}
      form={form}
      refusal={o.refusal ?? null}
      isDeleting={o.isDeleting === true}
    />
  );
  return send(c, page, o.refusal?.status ?? form.refusal?.status ?? 200);
}

function NewProxy({ view, form }: { view: View; form: FormState }) {
  return (
    <Page view={view} title={view.t("proxy.new")}>
      <ObjectForm
        view={view}
        action="/add/proxy"
        sections={proxySections(null)}
        form={form}
        etag={null}
        submit="button.create-proxy"
      >
        <a class="button" href="/proxies">
          {view.t("button.cancel")}
        </a>
      </ObjectForm>
    </Page>
  );
}

function ProxyList({
  view,
  wanted,
  listed,
  all,
}: {
  view: View;
  wanted: string;
  listed: readonly PublicProxy[];
  all: readonly ObservedProxy[];
}) {
  const { t } = view;
  const found = listed.filter(({ name, fqdn, network }) =>
    isFound(wanted, [name, fqdn, network.mode === "manual" ? network.address : "eth0"]),
  );
  return (
    <Page view={view} title={t("proxies.title")}>
      <p>{t("proxies.intro")}</p>
      <div class="actions">
        <a class="button main" href="/add/proxy">
          {t("proxies.add")}
        </a>
        <a class="button" href="/add/from-backup">
          {t("proxies.from-backup")}
        </a>
      </div>
      {listed.length > 1 && <FilterBox view={view} action="/proxies" wanted={wanted} />}
      <div id="live-proxies" data-live>
        {listed.length > 0 && found.length === 0 ? (
          <p class="empty">{t("proxies.no-match")}</p>
        ) : (
          <ProxyTable view={view} listed={found} all={all} />
        )}
      </div>
    </Page>
  );
}

export function proxyRoutes(site: Site): Hono<AdminEnv> {
  const { proxies } = site.operations;
  const app = new Hono<AdminEnv>();
  app.get("/proxies", async (c) => {
    const view = viewOf(c, site);
    const listed = proxies.list("candidate").value;
    const wanted = c.req.query("q") ?? "";
    const all = await proxies.statuses();
    return send(c, <ProxyList view={view} wanted={wanted} listed={listed} all={all} />);
  });
  const newFields = fieldsIn(proxySections(null));
  app.get("/add/proxy", (c) =>
    send(c, <NewProxy view={viewOf(c, site)} form={formOf(site, newFields, {})} />),
  );
  app.post("/add/proxy", async (c) => {
    const view = viewOf(c, site);
    const sent = await readForm(c);
    if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal });
    const { typed } = sent.value;
    const created = await proxies.create(actorOf(c), objectOf(newFields, typed, {}));
    if (created.ok) return goTo(c, addressOf(created.value.value.name), "created");
    const { refusal } = created;
    const form = refusedForm(site, { fields: newFields, stored: null, typed, refusal });
    return send(c, <NewProxy view={view} form={form} />, refusal.status);
  });
  app.get("/proxies/:name", (c) => showProxy(c, site));
  app.post("/proxies/:name", (c) => saveProxy(c, site));
  app.post("/proxies/:name/start", async (c) => {
    const started = await proxies.start(actorOf(c), c.req.param("name"));
    if (!started.ok) return showProxy(c, site, { refusal: started.refusal });
    return goTo(c, addressOf(c.req.param("name")), "started");
  });
  app.post("/proxies/:name/stop", async (c) => {
    const stopped = await proxies.stop(actorOf(c), c.req.param("name"));
    if (!stopped.ok) return showProxy(c, site, { refusal: stopped.refusal });
    return goTo(c, addressOf(c.req.param("name")), "stopped");
  });
  app.post("/proxies/:name/unban", async (c) => {
    const sent = await readForm(c);
    if (!sent.ok) return showProxy(c, site, { refusal: sent.refusal });
    const { typed } = sent.value;
    const who = { address: typedText(typed, "address"), user: typedText(typed, "user") || null };
    const lifted = await proxies.unban(actorOf(c), c.req.param("name"), who);
    if (!lifted.ok) return showProxy(c, site, { refusal: lifted.refusal });
    return goTo(c, addressOf(c.req.param("name")), "unbanned");
  });
  app.post("/proxies/:name/delete", async (c) => {
    const sent = await readForm(c);
    if (!sent.ok) return showProxy(c, site, { refusal: sent.refusal });
    const { typed } = sent.value;
    if (!typed.has("sure")) return showProxy(c, site, { isDeleting: true });
    const removed = proxies.remove(actorOf(c), c.req.param("name"), etagIn(typed));
    if (!removed.ok) return showProxy(c, site, { refusal: removed.refusal, isDeleting: true });
    return goTo(c, "/proxies", "deleted");
  });
  return app;
}

/** Read over the stored entry, so that what is not on the form stays. */
async function saveProxy(c: PageContext, site: Site) {
  const { proxies } = site.operations;
  const name = c.req.param("name") ?? "";
  const stored = proxies.get(name, "candidate");
  if (!stored.ok) return showProxy(c, site);
  const sent = await readForm(c);
  if (!sent.ok) return showProxy(c, site, { refusal: sent.refusal });
  const { typed } = sent.value;
  const proxy = stored.value.value;
  const fields = fieldsIn(proxySections(proxy.network.mode));
  const object = objectOf(fields, typed, proxy);
  const put = await proxies.put(actorOf(c), name, withIdentity(object, typed), etagIn(typed));
  if (put.ok) return goTo(c, addressOf(put.value.value.name), "saved");
  const { refusal } = put;
  const form = (now: PublicProxy) => refusedForm(site, { fields, stored: now, typed, refusal });
  return showProxy(c, site, { form });
}

/** A new key needs a new certificate: both are made together. */
export function withIdentity(
  object: Readonly<Record<string, unknown>>,
  typed: ReadonlyMap<string, unknown>,
): Readonly<Record<string, unknown>> {
  if (!typed.has("certificateKey.renew")) return object;
  return { ...object, certificatePem: null, certificateKey: null };
}
