/**
 * Forms of the configuration: every field with its name, hint and default, and what is wrong with it beside
 * it; what belongs to experts in closed groups.
 */
import type { Child } from "hono/jsx";
import { hintOf, labelOf, problemText, refusalText, type TextKey } from "../i18n/texts.ts";
import { CertificateBox } from "./certificate.tsx";
import type { Field } from "./fields.ts";
import { columnName, inputOf } from "./form-values.ts";
import {
  type FormState,
  INTERFACES,
  Input,
  type InputProps,
  inputId,
  Messages,
  messagesFor,
  type RowProps,
} from "./inputs.tsx";
import type { View } from "./view.ts";

/** A group of fields. `isClosed` = in a <details>; `when` = a class that hides it by the mode. */
export type Section = {
  readonly title: TextKey;
  readonly fields: readonly Field[];
  readonly isClosed: boolean;
  readonly when: "manual" | "static" | null;
};
/** The hint and, where they help, the form of a list or the bounds of a number. */
function Hint({ view, field, name }: Pick<InputProps, "view" | "field" | "name">) {
  const { t } = view;
  const words = [hintOf(view.language, field)];
  if (field.kind === "lines") words.push(t("field.optional-lines"));
  if (field.kind === "routes") words.push(t("field.routes-form"));
  if (field.least !== null && field.most !== null) {
    words.push(t("field.range", { least: field.least, most: field.most }));
  }
  return (
    <p class="hint" id={`${inputId(name)}-hint`}>
      {words.join(" ")}
    </p>
  );
}

function FieldRow(props: InputProps) {
  const { view, field, form, name } = props;
  const messages = messagesFor(view, form, name);
  return (
    <div class={messages.length > 0 ? "field wrong" : "field"}>
      <label class="name" for={inputId(name)}>
        {labelOf(view.language, field)}
        {field.isRequired && <span class="required">{view.t("field.required")}</span>}
      </label>
      <div class="entry">
        <Input {...props} />
        <Messages messages={messages} />
        <Hint view={view} field={field} name={name} />
        {field.path === "certificatePem" && <CertificateBox view={view} stored={form.stored} />}
      </div>
    </div>
  );
}

/** The entries of a list of objects, and an empty one to add. */
function Rows({ view, field, form }: RowProps) {
  let count = 0;
  while (field.columns.some((column) => form.typed.has(columnName(column, count)))) count += 1;
  const rows = Array.from({ length: count + 1 }, (_, row) => row);
  return (
    <div class="rows" id={inputId(field.path)}>
      <p class="hint">{hintOf(view.language, field)}</p>
      <Messages messages={messagesFor(view, form, field.path)} />
      {rows.map((row) => (
        <fieldset class="row">
          <legend>
            {row === count ? view.t("field.row-new") : view.t("field.row", { number: row + 1 })}
          </legend>
          {field.columns.map((column) => (
            <FieldRow view={view} field={column} form={form} name={columnName(column, row)} />
          ))}
        </fieldset>
      ))}
    </div>
  );
}

function SectionFields({ view, section, form }: { view: View; section: Section; form: FormState }) {
  return (
    <>
      {section.fields.map((field) =>
        field.kind === "rows" ? (
          <Rows view={view} field={field} form={form} />
        ) : (
          <FieldRow view={view} field={field} form={form} name={field.path} />
        ),
      )}
    </>
  );
}

function hasProblem(section: Section, form: FormState): boolean {
  return (form.refusal?.problems ?? []).some(
    (problem) =>
      inputOf(section.fields, problem) === inputOf(form.fields, problem) &&
      inputOf(section.fields, problem) !== null,
  );
}

function SectionBox({ view, section, form }: { view: View; section: Section; form: FormState }) {
  const title = view.t(section.title);
  const fields = <SectionFields view={view} section={section} form={form} />;
  if (section.isClosed) {
    return (
      <details class="section" open={hasProblem(section, form)}>
        <summary>{title}</summary>
        {fields}
      </details>
    );
  }
  return (
    <fieldset class={section.when === null ? "section" : `section when-${section.when}`}>
      <legend>{title}</legend>
      {fields}
    </fieldset>
  );
}

/** All problems in one place, each leading to its field. */
function Problems({ view, form }: { view: View; form: FormState }) {
  const { refusal } = form;
  if (refusal === null) return null;
  return (
    <div class="banner danger" role="alert" id="problems">
      <p>{refusalText(view.t, refusal)}</p>
      {refusal.type === "changed-meanwhile" && <p>{view.t("error.meanwhile")}</p>}
      <ul>
        {refusal.problems.map((problem) => {
          const name = inputOf(form.fields, problem);
          const message = problemText(view.language, problem.message);
          if (name === null) {
            return (
              <li>
                {problem.path === "" ? "" : `${problem.path} (${view.t("problems.elsewhere")}): `}
                {message}
              </li>
            );
          }
          const path = name.replace(/\[[0-9]+\]/, "[]");
          const of = form.fields[0]?.of ?? "";
          return (
            <li>
              <a href={`#${inputId(name)}`}>{labelOf(view.language, { of, path })}</a>: {message}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

type FormProps = {
  readonly view: View;
  readonly action: string;
  readonly sections: readonly Section[];
  readonly form: FormState;
  /** Of what was read; null = new. */
  readonly etag: string | null;
  readonly submit: TextKey;
  readonly children?: Child;
};

export function ObjectForm({ view, action, sections, form, etag, submit, children }: FormProps) {
  const open = sections.filter(({ isClosed }) => !isClosed);
  const closed = sections.filter(({ isClosed }) => isClosed);
  const box = (section: Section) => <SectionBox view={view} section={section} form={form} />;
  return (
    <form class="object" method="post" action={action} novalidate>
      <Problems view={view} form={form} />
      {etag !== null && <input type="hidden" name="etag" value={etag} />}
      <datalist id={INTERFACES}>
        {form.interfaceNames.map((name) => (
          <option value={name} />
        ))}
      </datalist>
      {open.map(box)}
      {closed.length > 0 && <h2>{view.t("section.advanced")}</h2>}
      {closed.map(box)}
      <div class="actions">
        <button type="submit" class="main">
          {view.t(submit)}
        </button>
        {children}
      </div>
    </form>
  );
}
