/** The frame of every page: head, menu, what waits to be done, foot. Works without JavaScript. */
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { LANGUAGES, problemText, refusalText } from "../i18n/texts.ts";
import type { Refusal } from "../outcome.ts";
import { ICON_PATH, SCRIPT_PATH, STYLE_PATH } from "./assets.ts";
import { type PageContext, THEMES, timeText, type View } from "./view.ts";

const MENU = [
  ["/", "nav.overview"],
  ["/proxies", "nav.proxies"],
  ["/instances", "nav.instances"],
  ["/appliance", "nav.appliance"],
  ["/changes", "nav.changes"],
  ["/account", "nav.account"],
] as const;

const isWithin = (path: string, menu: string): boolean =>
  menu === "/" ? path === "/" : path === menu || path.startsWith(`${menu}/`);

function Menu({ view }: { view: View }) {
  const waiting = view.changes?.changes.length ?? 0;
  return (
    <nav aria-label={view.t("nav.label")}>
      {MENU.map(([href, key]) => (
        <a href={href} aria-current={isWithin(view.path, href) ? "page" : undefined}>
          {view.t(key)}
          {href === "/changes" && waiting > 0 && <span class="count">{waiting}</span>}
        </a>
      ))}
    </nav>
  );
}

function PendingBanner({ view }: { view: View }) {
  const pending = view.changes?.pending;
  if (!pending) return null;
  const { t, confirmSeconds } = view;
  return (
    <form
      class="banner warning"
      id="pending"
      method="post"
      action="/changes/confirm"
      data-confirm={view.hasApplied ? "auto" : "by-hand"}
    >
      <p data-countdown={confirmSeconds}>
        {t("banner.pending", { number: pending.revision, seconds: confirmSeconds })}
        {view.hasApplied && <span class="with-script"> {t("banner.pending-auto")}</span>}
      </p>
      <button type="submit">{t("button.confirm")}</button>
    </form>
  );
}

/** What waits to be done, on every page until it is. */
function Banners({ view }: { view: View }) {
  const { t, changes } = view;
  if (changes === null) return null;
  const { undone, pending } = changes;
  const count = changes.changes.length;
  return (
    <div id="banners" data-live>
      {undone !== null && (
        <p class="banner danger" role="alert">
          {t("banner.undone", { number: undone.revision, time: timeText(undone.time) })}
        </p>
      )}
      <PendingBanner view={view} />
      {count > 0 && pending === null && view.path !== "/changes" && (
        <p class="banner notice">
          {count === 1 ? t("banner.waiting-one") : t("banner.waiting", { count })}{" "}
          <a href="/changes">{t("banner.waiting-link")}</a>
        </p>
      )}
    </div>
  );
}

/** Language and colours; also for those who are not signed in. */
export function Preferences({ view }: { view: View }) {
  const { t } = view;
  return (
    <form class="preferences" method="post" action="/preferences">
      <input type="hidden" name="back" value={view.path} />
      <fieldset>
        <legend>{t("language.label")}</legend>
        {LANGUAGES.map((language) => (
          <button
            type="submit"
            name="language"
            value={language}
            lang={language}
            aria-pressed={language === view.language ? "true" : "false"}
          >
            {t(`language.${language}`)}
          </button>
        ))}
      </fieldset>
      <fieldset>
        <legend>{t("theme.label")}</legend>
        {THEMES.map((theme) => (
          <button
            type="submit"
            name="theme"
            value={theme}
            aria-pressed={theme === view.theme ? "true" : "false"}
          >
            {t(`theme.${theme}`)}
          </button>
        ))}
      </fieldset>
    </form>
  );
}

function Foot({ view }: { view: View }) {
  return (
    <footer>
      <p>
        {view.version} · <a href="/api/v1/openapi.json">{view.t("footer.api")}</a>
      </p>
      <Preferences view={view} />
    </footer>
  );
}

type PageProps = { readonly view: View; readonly title: string; readonly children?: Child };

export function Page({ view, title, children }: PageProps) {
  const { t } = view;
  const product = t("product");
  return (
    <html lang={view.language} data-theme={view.theme}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{t("title", { page: title, product })}</title>
        <link rel="stylesheet" href={STYLE_PATH} />
        <link rel="icon" type="image/svg+xml" href={ICON_PATH} />
        {view.user !== null && <script src={SCRIPT_PATH} defer />}
      </head>
      <body>
        <a class="skip" href="#content">
          {t("nav.skip")}
        </a>
        <header>
          <a class="product" href="/">
            <img src={ICON_PATH} alt="" width="28" height="28" />
            {product}
          </a>
          {view.user !== null && <Menu view={view} />}
        </header>
        <main id="content">
          <Banners view={view} />
          <h1>{title}</h1>
          {view.done !== null && (
            <p class="banner good" role="status">
              {t(view.done)}
            </p>
          )}
          {children}
        </main>
        <Foot view={view} />
      </body>
    </html>
  );
}

export function RefusalBox({ view, refusal }: { view: View; refusal: Refusal | null }) {
  if (refusal === null) return null;
  return (
    <p class="banner danger" role="alert">
      {refusalText(view.t, refusal)}
    </p>
  );
}

/** A page that says what did not work and leads back. */
export function RefusalPage(o: { view: View; refusal: Refusal; back?: string }) {
  const { view, refusal } = o;
  return (
    <Page view={view} title={view.t("error.title")}>
      <RefusalBox view={view} refusal={refusal} />
      <ul>
        {refusal.problems.map(({ message }) => (
          <li>{problemText(view.language, message)}</li>
        ))}
      </ul>
      <p>
        <a class="button" href={o.back ?? "/"}>
          {o.back === undefined ? view.t("error.back") : view.t("button.cancel")}
        </a>
      </p>
    </Page>
  );
}

/** `page` is a whole document; everything in it was escaped when it was rendered. */
export function send(
  c: PageContext,
  page: { toString(): string },
  status = 200,
): Response | Promise<Response> {
  return c.html(`<!doctype html>${page.toString()}`, status as ContentfulStatusCode);
}

export function sendRefusal(
  c: PageContext,
  o: { readonly view: View; readonly refusal: Refusal; readonly back?: string },
): Response | Promise<Response> {
  return send(c, <RefusalPage {...o} />, o.refusal.status);
}
