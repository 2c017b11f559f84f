/** Who is kept out by a proxy, with the reason and the end, and the way to let somebody in again. */
import type { TextKey } from "../i18n/texts.ts";
import type { ObservedProxy } from "../operations.ts";
import { Time } from "./states.tsx";
import type { View } from "./view.ts";

type Ban = NonNullable<ObservedProxy["status"]>["bans"][number];

/** Others (a reason that a newer proxy tells) are shown as they are. */
const REASONS: Readonly<Record<string, TextKey>> = {
  "wrong-password": "ban.wrong-password",
  refused: "ban.refused",
  "unknown-domains": "ban.unknown-domains",
  scanner: "ban.scanner",
  "too-many-requests": "ban.too-many-requests",
  "other-domain": "ban.other-domain",
  "failed-look-ups": "ban.failed-look-ups",
};

/** An attack from everywhere must not make the page endless. */
const MOST_SHOWN = 200;

function BanRow({ view, action, ban }: { view: View; action: string; ban: Ban }) {
  const { t } = view;
  const { address, user, reason, until } = ban;
  const key = REASONS[reason];
  return (
    <tr>
      <td>{address === "*" ? t("ban.everywhere") : address}</td>
      <td>{user ?? t("ban.everybody")}</td>
      <td>{key === undefined ? reason : t(key)}</td>
      <td>
        <Time iso={until} />
      </td>
      <td>
        <form method="post" action={action}>
          <input type="hidden" name="address" value={address} />
          {user !== null && <input type="hidden" name="user" value={user} />}
          <button type="submit">{t("button.unban", { who: user ?? address })}</button>
        </form>
      </td>
    </tr>
  );
}

export function Bans({ view, observed }: { view: View; observed: ObservedProxy }) {
  const { t } = view;
  const bans = observed.status?.bans ?? [];
  if (bans.length === 0) return null;
  const action = `/proxies/${observed.name}/unban`;
  return (
    <section>
      <h2>{t("section.bans")}</h2>
      <p class="hint">{t("ban.hint")}</p>
      <div class="table">
        <table>
          <thead>
            <tr>
              <th>{t("column.address")}</th>
              <th>{t("column.banned-user")}</th>
              <th>{t("column.reason")}</th>
              <th>{t("column.until")}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {bans.slice(0, MOST_SHOWN).map((ban) => (
              <BanRow view={view} action={action} ban={ban} />
            ))}
          </tbody>
        </table>
      </div>
      {bans.length > MOST_SHOWN && <p>{t("ban.more", { count: bans.length - MOST_SHOWN })}</p>}
    </section>
  );
}
