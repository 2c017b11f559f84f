/**
 * The server-rendered pages, to be mounted at `/` behind the middleware of the app (headers, same origin).
 * Everything but set-up, sign-in, preferences and assets needs a signed-in user; that is decided here, once.
 */
import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Log } from "../../io/types.ts";
import { tokenOf } from "../api/guard.ts";
import type { AdminEnv } from "../api/problem.ts";
import { LONGEST_BACKUP_BYTES } from "../backup.ts";
import { refusal } from "../outcome.ts";
import { applianceRoutes } from "./appliance.tsx";
import { assetRoutes } from "./assets.ts";
import { callRoutes } from "./calls.tsx";
import { changeRoutes } from "./changes.tsx";
import { copyRoutes } from "./copies.tsx";
import { instanceRoutes } from "./instances.tsx";
import { sendRefusal } from "./layout.tsx";
import { overviewRoutes } from "./overview.tsx";
import { proxyRoutes } from "./proxies.tsx";
import { openRoutes } from "./sign-in.tsx";
import { localPath, type Site, viewOf } from "./view.ts";
import { wizardRoutes } from "./wizard.tsx";

const LONGEST_FORM_BYTES = 1_048_576;
const LONGEST_UPLOAD_BYTES = LONGEST_BACKUP_BYTES + 65_536;
/** Not pages: they answer for themselves. */
const ELSEWHERE = /^\/(?:api|metrics)(?:\/|$)/;

function limitBodies(site: Site): MiddlewareHandler<AdminEnv> {
  const limit = (maxSize: number) =>
    bodyLimit({
      maxSize,
      onError: (c) => sendRefusal(c, { view: viewOf(c, site), refusal: refusal("too-large") }),
    });
  const [small, large] = [limit(LONGEST_FORM_BYTES), limit(LONGEST_UPLOAD_BYTES)];
  return (c, next) => (c.req.path === "/add/from-backup" ? large(c, next) : small(c, next));
}

function requireSignIn({ operations: { access } }: Site): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    if (ELSEWHERE.test(c.req.path)) return next();
    if (!access.isSetUp()) return c.redirect("/setup", 303);
    const actor = access.actorOf(tokenOf(c));
    if (actor === null) {
      const back = c.req.method === "GET" ? localPath(c.req.path) : "/";
      return c.redirect(back === "/" ? "/sign-in" : `/sign-in?next=${back}`, 303);
    }
    c.set("user", actor.user);
    return next();
  };
}

export function pages(o: Site & { readonly log: Log }): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.onError((error, c) => {
    o.log.error("internal-error", { path: c.req.path, stack: error.stack });
    return sendRefusal(c, { view: viewOf(c, o), refusal: refusal("internal") });
  });
  app.use(limitBodies(o));
  app.route("/", assetRoutes());
  app.route("/", openRoutes(o));
  app.use(requireSignIn(o));
  for (const routes of [
    overviewRoutes,
    proxyRoutes,
    callRoutes,
    copyRoutes,
    instanceRoutes,
    applianceRoutes,
    changeRoutes,
    wizardRoutes,
  ]) {
    app.route("/", routes(o));
  }
  app.all("*", async (c, next) =>
    ELSEWHERE.test(c.req.path)
      ? next()
      : sendRefusal(c, { view: viewOf(c, o), refusal: refusal("not-found") }),
  );
  return app;
}
