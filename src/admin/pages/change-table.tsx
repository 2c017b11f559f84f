/** Differences of two documents in words: the thing, the field by its name, before and after. */
import { X509Certificate } from "node:crypto";
import { labelOf, optionOf, type TextKey } from "../i18n/texts.ts";
import type { Change } from "../operations.ts";
import { fieldsOf } from "./fields.ts";
import type { View } from "./view.ts";

type Place = { readonly of: "proxy" | "instance" | "appliance"; readonly name: string | null };
type Told = { readonly place: Place; readonly path: string };

const MASK = "(secret)";

/** `proxies[dmz].ports.web` is the field ports.web of proxy dmz; null = something else. */
export function placeOf(path: string): Told | null {
  const named = /^(proxies|instances)\[([^\]]*)\](?:\.(.*))?$/.exec(path);
  if (named !== null) {
    const [, list, name = "", rest = ""] = named;
    return { place: { of: list === "proxies" ? "proxy" : "instance", name }, path: rest };
  }
  const [, rest] = /^appliance(?:\.(.*))?$/.exec(path) ?? [];
  return path.startsWith("appliance")
    ? { place: { of: "appliance", name: null }, path: rest ?? "" }
    : null;
}

function thingOf(view: View, { of, name }: Place): string {
  const key: TextKey = `changes.${of}`;
  return view.t(key, { name: name ?? "" });
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A certificate by its end and fingerprint; null = the text is none. */
function certificateText(view: View, text: string): string | null {
  if (!text.includes("-----BEGIN CERTIFICATE-----")) return null;
  try {
    const { validTo, fingerprint256 } = new X509Certificate(text);
    return view.t("value.certificate", { until: validTo, fingerprint: fingerprint256 });
  } catch {
    return null;
  }
}

/** The value of a field as people read it. */
function valueText(view: View, field: { of: string; path: string }, value: unknown): string {
  const { t, language } = view;
  if (value === undefined || value === null || value === "") return t("value.none");
  if (value === MASK) return t("value.secret");
  if (value === true) return t("value.yes");
  if (value === false) return t("value.no");
  if (field.path === "instances" && value === "all") return t("value.all");
  if (typeof value === "string") {
    return certificateText(view, value) ?? optionOf(language, field, value);
  }
  if (!Array.isArray(value)) return isMembers(value) ? JSON.stringify(value) : String(value);
  if (value.length === 0) return t("value.none");
  return value.map((one) => (isMembers(one) ? JSON.stringify(one) : String(one))).join(", ");
}

/** Fields inside an object that came or went as a whole, e.g. a network of another mode. */
function fieldsWithin(path: string, value: unknown): (readonly [string, unknown])[] {
  if (!isMembers(value)) return path === "" ? [] : [[path, value]];
  return Object.entries(value).flatMap(([key, member]) =>
    fieldsWithin(path === "" ? key : `${path}.${key}`, member),
  );
}

/** What a new object has beyond the defaults. */
function isRemarkable(of: Place["of"], path: string, value: unknown): boolean {
  const field = fieldsOf(of).find((one) => one.path === path);
  const isDefault = JSON.stringify(field?.standard ?? null) === JSON.stringify(value ?? null);
  return field === undefined || field.isRequired || !isDefault;
}

const isWhole = ({ place, path }: Told): boolean => place.of !== "appliance" && path === "";

function WholeRow({ view, told, change }: { view: View; told: Told; change: Change }) {
  const { t, language } = view;
  const isAdded = change.before === undefined || change.before === null;
  const { of } = told.place;
  const fields = fieldsWithin("", isAdded ? change.after : change.before).filter(([path, value]) =>
    isRemarkable(of, path, value),
  );
  return (
    <tr>
      <td>{thingOf(view, told.place)}</td>
      <td colspan={3}>
        <details>
          <summary>{t(isAdded ? "changes.added" : "changes.removed")}</summary>
          <dl class="facts">
            {fields.map(([path, value]) => (
              <>
                <dt>{labelOf(language, { of, path })}</dt>
                <dd class="value">{valueText(view, { of, path }, value)}</dd>
              </>
            ))}
          </dl>
        </details>
      </td>
    </tr>
  );
}

function Row({ view, change }: { view: View; change: Change }) {
  const told = placeOf(change.path);
  if (told !== null && isWhole(told)) return <WholeRow view={view} told={told} change={change} />;
  const of = told?.place.of ?? "";
  const path = told?.path ?? change.path;
  const field = { of, path };
  return (
    <tr>
      <td>{told === null ? "" : thingOf(view, told.place)}</td>
      <td>{labelOf(view.language, field)}</td>
      <td class="value">{valueText(view, field, change.before)}</td>
      <td class="value">{valueText(view, field, change.after)}</td>
    </tr>
  );
}

export function ChangeTable({ view, changes }: { view: View; changes: readonly Change[] }) {
  const { t } = view;
  if (changes.length === 0) return null;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th>{t("column.what")}</th>
            <th>{t("column.name")}</th>
            <th>{t("column.before")}</th>
            <th>{t("column.after")}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <Row view={view} change={change} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
