/** The first page: every proxy as it is seen, instances, warnings, interfaces. */
import { Hono } from "hono";
import type { InstanceStatus, TargetStatus } from "../../health/status.ts";
import type { AdminEnv } from "../api/problem.ts";
import { problemText } from "../i18n/texts.ts";
import type { InterfaceReport, ObservedProxy } from "../operations.ts";
import { Page, send } from "./layout.tsx";
import { ProxyTable } from "./proxy-table.tsx";
import { Warnings } from "./states.tsx";
import { type Site, type View, viewOf } from "./view.ts";

function InstanceList(o: {
  view: View;
  names: readonly { name: string; isEnabled: boolean }[];
  all: readonly ObservedProxy[];
}) {
  const { view, names, all } = o;
  const { t } = view;
  if (names.length === 0) {
    return (
      <p class="empty">
        {t("instances.empty")} <a href="/add/instance">{t("instances.add")}</a>
      </p>
    );
  }
  return (
    <ul class="cards">
      {names.map(({ name, isEnabled }) => (
        <li>
          <a href={`/instances/${name}`}>{name}</a>{" "}
          {!isEnabled && <span class="state stopped">{t("service.off")}</span>}
          <InstanceSeen view={view} name={name} all={all} />
        </li>
      ))}
    </ul>
  );
}

const reachStates: ReadonlyMap<boolean | null, string> = new Map([
  [true, "running"],
  [false, "failing"],
]);

type InstanceCounts = Pick<
  InstanceStatus,
  "flows" | "dialogs" | "requests" | "bans" | "xmppClients"
>;

/** What each running proxy knows of the instance. */
export function InstanceSeen(o: { view: View; name: string; all: readonly ObservedProxy[] }) {
  const { view, name, all } = o;
  const { t, language } = view;
  const seen = all.flatMap((proxy) => {
    const status = proxy.status?.instances[name];
    return status === undefined ? [] : [{ proxy: proxy.name, ...status }];
  });
  if (seen.length === 0) return <p class="hint">{t("instance.no-proxy")}</p>;
  return (
    <ul class="plain">
      {seen.map(
        ({ proxy, reachable, reason, targets, dns, routing, routingReason: why, ...figures }) => (
          <li>
            {proxy}{" "}
            <span class={`state ${reachStates.get(reachable) ?? "unknown"}`}>
              {reachable === null ? t("reach.unknown") : t(reachable ? "reach.yes" : "reach.no")}
            </span>
            {reason !== null && <span class="reason"> {problemText(language, reason)}</span>}
            <span class="reason">
              {" "}
              {t(`reach.${routing}`, { why: problemText(language, why) })}
            </span>
            <span class="reason"> {t("reach.counts", countsOf(figures))}</span>
            {dns !== null && (
              <span class="reason"> {t("reach.dns", { reason: problemText(language, dns) })}</span>
            )}
            {targets.length > 1 && <Targets view={view} targets={targets} />}
          </li>
        ),
      )}
    </ul>
  );
}

const countsOf = ({ flows, dialogs, requests, bans, xmppClients }: InstanceCounts) => ({
  flows,
  dialogs,
  requests,
  bans,
  xmppClients,
});

/** Where an instance is by DNS, in the order in which its addresses are tried. */
function Targets({ view, targets }: { view: View; targets: readonly TargetStatus[] }) {
  const { t } = view;
  return (
    <ul>
      {targets.map(({ at, priority, weight, reachable, reason, restsUntil }) => (
        <li>
          {t("reach.target", { at, priority, weight })}{" "}
          <span class={`state ${reachStates.get(reachable) ?? "unknown"}`}>
            {reachable === null ? t("reach.unknown") : t(reachable ? "reach.yes" : "reach.no")}
          </span>
          {reason !== null && <span class="reason"> {problemText(view.language, reason)}</span>}
          {restsUntil !== null && (
            <span class="reason"> {t("reach.rests", { until: restsUntil })}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

export function Interfaces(o: { view: View; interfaces: readonly InterfaceReport[] }) {
  const { view, interfaces } = o;
  const { t } = view;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th>{t("column.interface")}</th>
            <th>{t("column.up")}</th>
            <th>{t("column.addresses")}</th>
            <th>{t("column.used-by")}</th>
          </tr>
        </thead>
        <tbody>
          {interfaces.map(({ name, isUp, addresses, usedBy }) => (
            <tr>
              <td>{name}</td>
              <td>{t(isUp ? "column.up-yes" : "column.up-no")}</td>
              <td class="addresses">
                {addresses.map((address) => (
                  <span>{address}</span>
                ))}
              </td>
              <td>{usedBy.join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function overviewRoutes(site: Site): Hono<AdminEnv> {
  const { proxies, instances, machine } = site.operations;
  return new Hono<AdminEnv>().get("/", async (c) => {
    const view = viewOf(c, site);
    const { t } = view;
    const all = await proxies.statuses();
    const listed = proxies.list("candidate").value;
    const names = instances.list("candidate").value.map(({ name, enabled }) => ({
      name,
      isEnabled: enabled,
    }));
    const isUnfinished = listed.length === 0 || view.changes?.activeRevision === 0;
    return send(
      c,
      <Page view={view} title={t("overview.title")}>
        {isUnfinished && (
          <p class="banner notice">
            {t("banner.resume")} <a href="/setup">{t("banner.resume-link")}</a>
          </p>
        )}
        <section id="live-overview" data-live>
          <h2>{t("proxies.title")}</h2>
          <ProxyTable view={view} listed={listed} all={all} />
          <h2>{t("overview.warnings")}</h2>
          <Warnings view={view} all={all} />
          <h2>{t("instances.title")}</h2>
          <InstanceList view={view} names={names} all={all} />
          <h2>{t("overview.interfaces")}</h2>
          <Interfaces view={view} interfaces={machine.interfaces()} />
        </section>
      </Page>,
    );
  });
}
