/** Pieces that several pages have: the filter of a list, deleting, a pair of name and password. */
import type { View } from "./view.ts";

export function FilterBox(o: { view: View; action: string; wanted: string }) {
  const { t } = o.view;
  return (
    <search>
      <form class="filter" method="get" action={o.action}>
        <input type="search" name="q" value={o.wanted} aria-label={t("proxies.filter")} />
        <button type="submit">{t("proxies.filter")}</button>
      </form>
    </search>
  );
}

/** Asks once more and names the thing. */
export function DeleteBox(o: {
  view: View;
  action: string;
  etag: string;
  button: string;
  isOpen: boolean;
}) {
  const { t } = o.view;
  return (
    <details class="section danger" open={o.isOpen}>
      <summary>{t("proxy.danger")}</summary>
      <form method="post" action={o.action}>
        <input type="hidden" name="etag" value={o.etag} />
        <label class="tick">
          <input type="checkbox" name="sure" value="on" required />
          {t("confirm.delete")}
        </label>
        <button type="submit" class="danger">
          {o.button}
        </button>
      </form>
    </details>
  );
}

type LoginField = {
  readonly view: View;
  readonly name: string;
  readonly label: string;
  readonly type: "text" | "password" | "file";
  readonly value?: string;
  readonly autocomplete?: string;
  readonly hint?: string;
  readonly problems?: readonly string[];
};

/** One field of a form that is not of the configuration. */
export function PlainField(o: LoginField) {
  const problems = o.problems ?? [];
  const id = `field-${o.name}`;
  return (
    <div class={problems.length > 0 ? "field wrong" : "field"}>
      <label class="name" for={id}>
        {o.label}
      </label>
      <div class="entry">
        <input
          id={id}
          name={o.name}
          type={o.type}
          value={o.type === "text" ? (o.value ?? "") : undefined}
          autocomplete={o.autocomplete ?? "off"}
          autocapitalize="off"
          spellcheck={false}
          aria-invalid={problems.length > 0 ? "true" : undefined}
          aria-describedby={o.hint === undefined ? undefined : `${id}-hint`}
        />
        {problems.map((problem) => (
          <p class="problem">{problem}</p>
        ))}
        {o.hint !== undefined && (
          <p class="hint" id={`${id}-hint`}>
            {o.hint}
          </p>
        )}
      </div>
    </div>
  );
}
