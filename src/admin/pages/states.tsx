/** What is observed of proxies and instances, as small pieces of pages. Nothing here reads the configuration. */
import { optionOf, problemText, type TextKey } from "../i18n/texts.ts";
import type { ObservedProxy, ServiceReach } from "../operations.ts";
import { timeText, type View } from "./view.ts";

export function Time({ iso }: { iso: string }) {
  return <time datetime={iso}>{timeText(iso)}</time>;
}

/** `observed` undefined = it is not known to run anywhere. */
export function State({ view, observed }: { view: View; observed: ObservedProxy | undefined }) {
  const state = observed?.state ?? "stopped";
  return (
    <>
      <span class={`state ${state}`}>{view.t(`state.${state}`)}</span>
      {observed?.reason && <span class="reason"> {observed.reason}</span>}
    </>
  );
}

/** The state with its reason, its age, and whether it is what is wanted. */
export function ObservedState({ view, observed }: { view: View; observed: ObservedProxy }) {
  const { t } = view;
  const { status, shallRun } = observed;
  return (
    <div class="observed">
      <p>
        <State view={view} observed={observed} />{" "}
        {status !== null && t("state.since", { time: timeText(status.since) })}
      </p>
      {!shallRun && observed.state === "stopped" && <p class="hint">{t("state.not-wanted")}</p>}
      {shallRun && observed.state === "stopped" && <p class="hint">{t("state.wanted")}</p>}
      {status?.config.error && (
        <p class="problem">{t("state.config-error", { reason: status.config.error })}</p>
      )}
      <p class="hint">{t("state.observed", { time: timeText(observed.observedAt) })}</p>
    </div>
  );
}

type ServiceLine = { readonly label: string; readonly text: string; readonly isOpen: boolean };

function sipLine(view: View, observed: ObservedProxy, voipSip: string): ServiceLine {
  const { t, language } = view;
  const field = { of: "proxy", path: "voipSip" };
  const label = `SIP ${optionOf(language, field, voipSip)}`;
  const { sipTls, sipUdp, sipTls6, sipUdp6 } = observed.status?.listening ?? {};
  const open = [sipTls, sipUdp, sipTls6, sipUdp6].filter((one) => one !== undefined);
  if (open.length > 0) {
    const kind = sipTls === undefined ? "udp" : "tls";
    const address = open.join(", ");
    const text = t("service.open", { address });
    return { label: `SIP ${optionOf(language, field, kind)}`, text, isOpen: true };
  }
  const text = voipSip === "off" ? t("service.off") : t("service.not-open");
  return { label: voipSip === "off" ? "SIP" : label, text, isOpen: false };
}

function xmppLine({ t }: View, { status }: ObservedProxy): ServiceLine {
  const label = t("section.xmpp");
  const { xmpp: address, xmpp6 } = status?.listening ?? {};
  if (status === null || address === undefined) {
    return { label, text: t("service.not-open"), isOpen: false };
  }
  const open = xmpp6 === undefined ? address : `${address}, ${xmpp6}`;
  const text = t("service.xmpp", { address: open, clients: status.xmpp.clients });
  return { label, text, isOpen: true };
}

/** By HTTPS and, where it is wanted, by HTTP. */
function provisioningLine({ t }: View, { status }: ObservedProxy): ServiceLine {
  const { provisioningHttps, provisioningHttps6, provisioningHttp, provisioningHttp6 } =
    status?.listening ?? {};
  const https = [provisioningHttps, provisioningHttps6].filter((one) => one !== undefined);
  const http = [provisioningHttp, provisioningHttp6].filter((one) => one !== undefined);
  const open = [...https.map((one) => `HTTPS ${one}`), ...http.map((one) => `HTTP ${one}`)];
  const isOpen = open.length > 0;
  const text = isOpen ? t("service.open", { address: open.join(", ") }) : t("service.not-open");
  return { label: t("section.provisioning"), text, isOpen };
}

function webLine({ t }: View, { status }: ObservedProxy): ServiceLine {
  const label = t("section.management");
  const { web, web6, webHttp, webHttp6 } = status?.listening ?? {};
  const open = [web, web6, webHttp, webHttp6].filter((one) => one !== undefined);
  if (status === null || open.length === 0) {
    return { label, text: t("service.not-open"), isOpen: false };
  }
  const { requests } = status.http;
  return { label, text: t("service.web", { address: open.join(", "), requests }), isOpen: true };
}

function serviceLines(view: View, observed: ObservedProxy, voipSip: string): ServiceLine[] {
  const { t } = view;
  const lines = [sipLine(view, observed, voipSip)];
  const media = observed.status?.media;
  const label = t("column.media");
  if (media === undefined) lines.push({ label, text: t("service.not-open"), isOpen: false });
  else {
    const text = t("service.media", { used: media.portsInUse, total: media.portsTotal });
    lines.push({ label, text, isOpen: true });
  }
  const inside = observed.status?.listening.sipInside ?? [];
  const isOpen = inside.length > 0;
  const text = isOpen ? t("service.open", { address: inside.join(", ") }) : t("service.not-open");
  return [
    ...lines,
    provisioningLine(view, observed),
    xmppLine(view, observed),
    webLine(view, observed),
    { label: t("service.inside"), text, isOpen },
  ];
}

/** What is open, as it was observed. */
export function Services(o: { view: View; observed: ObservedProxy; voipSip: string }) {
  const { view, observed, voipSip } = o;
  return (
    <dl class="facts">
      {serviceLines(view, observed, voipSip).map(({ label, text, isOpen }) => (
        <>
          <dt>{label}</dt>
          <dd class={isOpen ? "open" : "not-open"}>{text}</dd>
        </>
      ))}
    </dl>
  );
}

export function Counts({ view, observed }: { view: View; observed: ObservedProxy }) {
  const { t } = view;
  const { status } = observed;
  if (status === null) return null;
  const counts: readonly (readonly [TextKey, number])[] = [
    ["count.calls", status.media.sessions],
    ["count.flows", status.sip.flows],
    ["count.flowsDead", status.sip.flowsDead],
    ["count.dialogs", status.sip.dialogs],
    ["count.ports", status.media.portsInUse],
  ];
  const drops = Object.entries(status.drops).filter(([, count]) => count > 0);
  return (
    <div>
      <h2>{t("section.counts")}</h2>
      <dl class="facts">
        {counts.map(([key, count]) => (
          <>
            <dt>{t(key)}</dt>
            <dd>{count}</dd>
          </>
        ))}
      </dl>
      {drops.length > 0 && (
        <details>
          <summary>{t("count.drops")}</summary>
          <dl class="facts">
            {drops.map(([reason, count]) => (
              <>
                <dt>{reason}</dt>
                <dd>{count}</dd>
              </>
            ))}
          </dl>
        </details>
      )}
    </div>
  );
}

/** Warnings of all proxies that tell any. */
export function Warnings({ view, all }: { view: View; all: readonly ObservedProxy[] }) {
  const { t } = view;
  const rows = all.flatMap(({ name, status }) =>
    (status?.warnings ?? []).map((warning) => ({ name, ...warning })),
  );
  if (rows.length === 0) return <p class="empty">{t("overview.no-warnings")}</p>;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th>{t("column.proxy")}</th>
            <th>{t("column.text")}</th>
            <th>{t("column.since")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, text, since }) => (
            <tr>
              <td>
                <a href={`/proxies/${name}`}>{name}</a>
              </td>
              <td>{problemText(view.language, text)}</td>
              <td>
                <Time iso={since} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Reach({ view, reach }: { view: View; reach: readonly ServiceReach[] }) {
  const { t } = view;
  return (
    <dl class="facts">
      {reach.map(({ service, reachable, reason, advice, tookMs }) => (
        <>
          <dt>{t(`reach.${service}`)}</dt>
          <dd class={reachable ? "open" : "not-open"}>
            {reachable ? t("reach.yes") : t("reach.no")}
            {reachable && ` · ${t("reach.answered", { ms: Math.round(tookMs) })}`}
            {reason !== null && ` · ${problemText(view.language, reason)}`}
            {advice !== null && <p class="hint">{t(`reach.${advice}`)}</p>}
          </dd>
        </>
      ))}
    </dl>
  );
}
