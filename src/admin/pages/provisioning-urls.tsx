/** On the page of an instance: a MAC is typed in, the URLs that this phone gets come out. */
import type { ProxyUrls } from "../operations.ts";
import { PlainField } from "./parts.tsx";
import type { View } from "./view.ts";

export type AskedUrls = {
  readonly mac: string;
  /** null = the MAC was none. */
  readonly urls: readonly ProxyUrls[] | null;
  readonly problems: readonly string[];
};

function UrlTable({ view, urls }: { view: View; urls: readonly ProxyUrls[] }) {
  const { t } = view;
  if (urls.length === 0) return <p class="empty">{t("urls.no-proxy")}</p>;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th>{t("column.proxy")}</th>
            <th>{t("column.url")}</th>
          </tr>
        </thead>
        <tbody>
          {urls.map(({ proxy, urls: own }) => (
            <tr>
              <td>{proxy}</td>
              <td>
                {own.length === 0
                  ? t("urls.off")
                  : own.map((url) => <code class="url">{url}</code>)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function ProvisioningUrls(o: { view: View; name: string; asked: AskedUrls | null }) {
  const { view, name, asked } = o;
  const { t } = view;
  return (
    <section class="box">
      <h2>{t("urls.title")}</h2>
      <form method="post" action={`/instances/${name}/urls`}>
        <PlainField
          view={view}
          name="mac"
          label={t("urls.mac")}
          type="text"
          value={asked?.mac ?? ""}
          hint={t("urls.hint")}
          problems={asked?.problems ?? []}
        />
        <button type="submit">{t("button.urls")}</button>
      </form>
      {asked?.urls != null && <UrlTable view={view} urls={asked.urls} />}
    </section>
  );
}
