/** All proxies in one table: what was saved of them beside what is seen. */
import { optionOf } from "../i18n/texts.ts";
import type { ObservedProxy, PublicProxy } from "../operations.ts";
import { State } from "./states.tsx";
import type { View } from "./view.ts";

function networkText({ network, bindAddress }: PublicProxy, mode: string): string {
  if (bindAddress !== null) return bindAddress;
  return network.mode === "auto" ? `eth0 (${mode})` : `${network.interface} · ${network.address}`;
}

function Row(o: { view: View; proxy: PublicProxy; observed: ObservedProxy | undefined }) {
  const { view, proxy, observed } = o;
  const { language } = view;
  const option = (path: string, value: string) => optionOf(language, { of: "proxy", path }, value);
  return (
    <tr>
      <td>
        <a href={`/proxies/${proxy.name}`}>{proxy.name}</a>
      </td>
      <td>
        <State view={view} observed={observed} />
      </td>
      <td>{proxy.fqdn}</td>
      <td>{networkText(proxy, option("network.mode", proxy.network.mode))}</td>
      <td>{option("voipSip", proxy.voipSip)}</td>
      <td>{option("voipMedia", proxy.voipMedia)}</td>
      <td class="number">{observed?.status?.media.sessions ?? "–"}</td>
      <td class="number">{observed?.status?.sip.flows ?? "–"}</td>
    </tr>
  );
}

export function ProxyTable(o: {
  view: View;
  listed: readonly PublicProxy[];
  all: readonly ObservedProxy[];
}) {
  const { view, listed, all } = o;
  const { t } = view;
  if (listed.length === 0) {
    return (
      <p class="empty">
        {t("proxies.empty")} <a href="/add/proxy">{t("proxies.add")}</a>
      </p>
    );
  }
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th>{t("column.name")}</th>
            <th>{t("column.state")}</th>
            <th>{t("column.fqdn")}</th>
            <th>{t("column.mode")}</th>
            <th>{t("column.sip")}</th>
            <th>{t("column.media")}</th>
            <th class="number">{t("column.calls")}</th>
            <th class="number">{t("column.flows")}</th>
          </tr>
        </thead>
        <tbody>
          {listed.map((proxy) => (
            <Row view={view} proxy={proxy} observed={all.find(({ name }) => name === proxy.name)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
