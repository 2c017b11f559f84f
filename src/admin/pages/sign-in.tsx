/** Signing in and out, the first account with the one-time code, language and colours. */
import { type Context, Hono } from "hono";
import { setCookie } from "hono/cookie";
import { clearSessionCookie, setSessionCookie, tokenOf } from "../api/guard.ts";
import type { AdminEnv } from "../api/problem.ts";
import { LANGUAGES, problemText } from "../i18n/texts.ts";
import type { Refusal } from "../outcome.ts";
import { refusal as makeRefusal } from "../outcome.ts";
import { typedText } from "./form-values.ts";
import { Page, RefusalBox, send, sendRefusal } from "./layout.tsx";
import { PlainField } from "./parts.tsx";
import { goTo, readForm } from "./requests.ts";
import { WizardSteps } from "./steps.tsx";
import {
  LANGUAGE_COOKIE,
  localPath,
  type Site,
  THEME_COOKIE,
  THEMES,
  type View,
  viewOf,
} from "./view.ts";

const YEAR_SECONDS = 31_536_000;

type Account = { readonly code: string; readonly username: string };
type AccountProps = {
  readonly view: View;
  readonly given: Account;
  readonly refusal: Refusal | null;
};

function SignInPage(o: { view: View; username: string; next: string; refusal: Refusal | null }) {
  const { view } = o;
  const { t } = view;
  return (
    <Page view={view} title={t("sign-in.title")}>
      <RefusalBox view={view} refusal={o.refusal} />
      <form class="object narrow" method="post" action="/sign-in">
        <input type="hidden" name="next" value={o.next} />
        <PlainField
          view={view}
          name="username"
          label={t("sign-in.username")}
          type="text"
          value={o.username}
          autocomplete="username"
        />
        <PlainField
          view={view}
          name="password"
          label={t("sign-in.password")}
          type="password"
          autocomplete="current-password"
        />
        <div class="actions">
          <button type="submit" class="main">
            {t("button.sign-in")}
          </button>
        </div>
      </form>
    </Page>
  );
}

function AccountPage({ view, given, refusal }: AccountProps) {
  const { t, language } = view;
  const problems = (path: string) =>
    (refusal?.problems ?? [])
      .filter((problem) => problem.path === path)
      .map(({ message }) =>
        path === "repeat" ? t("setup.not-same") : problemText(language, message),
      );
  return (
    <Page view={view} title={t("setup.title")}>
      <WizardSteps view={view} current="account" />
      <RefusalBox view={view} refusal={refusal} />
      <p>{t("setup.welcome")}</p>
      <form class="object narrow" method="post" action="/setup">
        <PlainField
          view={view}
          name="code"
          label={t("setup.code")}
          type="text"
          value={given.code}
          autocomplete="one-time-code"
          hint={t("setup.code-hint")}
        />
        <PlainField
          view={view}
          name="username"
          label={t("sign-in.username")}
          type="text"
          value={given.username}
          autocomplete="username"
          hint={t("setup.username-hint")}
          problems={problems("username")}
        />
        <PlainField
          view={view}
          name="password"
          label={t("sign-in.password")}
          type="password"
          autocomplete="new-password"
          hint={t("setup.password-hint")}
          problems={problems("password")}
        />
        <PlainField
          view={view}
          name="repeat"
          label={t("setup.repeat")}
          type="password"
          autocomplete="new-password"
          problems={problems("repeat")}
        />
        <div class="actions">
          <button type="submit" class="main">
            {t("setup.create")}
          </button>
        </div>
      </form>
    </Page>
  );
}

/** Only the code in the form of the console, so that nobody's password lands in it by autofill. */
const codeIn = (text: string): string => text.trim().slice(0, 64);

async function setUp(c: Context<AdminEnv>, site: Site) {
  const view = viewOf(c, site);
  const sent = await readForm(c);
  if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal });
  const { typed } = sent.value;
  const given = { code: codeIn(typedText(typed, "code")), username: typedText(typed, "username") };
  const password = typedText(typed, "password");
  const show = (refusal: Refusal) =>
    send(c, <AccountPage view={view} given={given} refusal={refusal} />, refusal.status);
  if (password !== typedText(typed, "repeat")) {
    return show(makeRefusal("invalid", { problems: [{ path: "repeat", message: "" }] }));
  }
  const created = await site.operations.access.setUp({
    ...given,
    password,
    address: c.env.address,
  });
  if (!created.ok) return show(created.refusal);
  setSessionCookie(c, created.value);
  return goTo(c, "/setup");
}

async function signIn(c: Context<AdminEnv>, site: Site) {
  const view = viewOf(c, site);
  const sent = await readForm(c);
  if (!sent.ok) return sendRefusal(c, { view, refusal: sent.refusal });
  const { typed } = sent.value;
  const username = typedText(typed, "username");
  const next = localPath(typedText(typed, "next"));
  const password = typedText(typed, "password");
  const { address } = c.env;
  const signedIn = await site.operations.access.signIn({ username, password, address });
  if (signedIn.ok) {
    setSessionCookie(c, signedIn.value);
    return goTo(c, next);
  }
  const { refusal } = signedIn;
  const page = <SignInPage view={view} username={username} next={next} refusal={refusal} />;
  return send(c, page, refusal.status);
}

/** Kept for a year in the browser; neither is a secret. */
async function setPreferences(c: Context<AdminEnv>, site: Site) {
  const sent = await readForm(c);
  if (!sent.ok) return sendRefusal(c, { view: viewOf(c, site), refusal: sent.refusal });
  const { typed } = sent.value;
  const wanted = [
    [LANGUAGE_COOKIE, LANGUAGES.find((one) => one === typedText(typed, "language"))],
    [THEME_COOKIE, THEMES.find((one) => one === typedText(typed, "theme"))],
  ] as const;
  for (const [cookie, value] of wanted) {
    if (value === undefined) continue;
    setCookie(c, cookie, value, {
      path: "/",
      sameSite: "Lax",
      maxAge: YEAR_SECONDS,
      httpOnly: true,
    });
  }
  return goTo(c, localPath(typedText(typed, "back")));
}

/** What can be reached without being signed in. */
export function openRoutes(site: Site): Hono<AdminEnv> {
  const { access } = site.operations;
  const app = new Hono<AdminEnv>();
  app.post("/preferences", (c) => setPreferences(c, site));
  app.get("/sign-in", (c) => {
    const view = viewOf(c, site);
    if (!view.isSetUp) return goTo(c, "/setup");
    if (view.user !== null) return goTo(c, "/");
    const next = localPath(c.req.query("next"));
    return send(c, <SignInPage view={view} username="" next={next} refusal={null} />);
  });
  app.post("/sign-in", (c) => signIn(c, site));
  app.get("/setup", async (c, next) => {
    if (access.isSetUp()) return next();
    const given = { code: "", username: "admin" };
    return send(c, <AccountPage view={viewOf(c, site)} given={given} refusal={null} />);
  });
  app.post("/setup", (c) => setUp(c, site));
  app.post("/sign-out", (c) => {
    access.signOut(tokenOf(c) ?? "");
    clearSessionCookie(c);
    return goTo(c, "/sign-in", "signed-out");
  });
  return app;
}
