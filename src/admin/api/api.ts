/** The REST API of the admin (`/api/v1`): routes only; what they do is in ../operations.ts. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { LONGEST_BACKUP_BYTES } from "../backup.ts";
import type { Operations } from "../operations.ts";
import { refusal } from "../outcome.ts";
import { changeRoutes, machineRoutes } from "./changes.ts";
import { requireUser } from "./guard.ts";
import { applianceRoutes, objectRoutes } from "./objects.ts";
import { openApiDocument } from "./openapi.ts";
import { type AdminEnv, answer, problemResponse } from "./problem.ts";
import { proxyRoutes } from "./proxies.ts";
import { closeSession, openRoutes } from "./sessions.ts";

export const API = "/api/v1";

const LONGEST_BODY_BYTES = 1_048_576;
/** A backup and what multipart puts around it. */
const LONGEST_UPLOAD_BYTES = LONGEST_BACKUP_BYTES + 65_536;

const limited = (maxSize: number) =>
  bodyLimit({ maxSize, onError: () => problemResponse(refusal("too-large")) });

export function apiRoutes(operations: Operations): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  const small = limited(LONGEST_BODY_BYTES);
  const large = limited(LONGEST_UPLOAD_BYTES);
  app.use((c, next) => (/\/restore$/.test(c.req.path) ? large(c, next) : small(c, next)));
  app.route("/", openRoutes(operations));
  app.use(requireUser(operations));
  app.route("/", closeSession(operations));
  app.route("/proxies", proxyRoutes(operations, `${API}/proxies`));
  app.route("/proxies", objectRoutes(operations.proxies, `${API}/proxies`));
  app.post("/instances/:name/check", async (c) =>
    answer(await operations.instances.check(c.req.param("name")), (reach) => c.json(reach)),
  );
  app.route("/instances", objectRoutes(operations.instances, `${API}/instances`));
  app.route("/appliance", applianceRoutes(operations));
  app.route("/", changeRoutes(operations));
  app.route("/", machineRoutes(operations));
  app.get("/openapi.json", (c) => c.json(openApiDocument(operations.machine.version)));
  app.all("/*", () => problemResponse(refusal("not-found")));
  return app;
}
