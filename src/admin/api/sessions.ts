/** POST setup, POST session, DELETE session. */
import { Hono } from "hono";
import type { Operations, SignedIn } from "../operations.ts";
import { refusal } from "../outcome.ts";
import { sessionSchema, setupSchema } from "./bodies.ts";
import { clearSessionCookie, setSessionCookie, tokenOf } from "./guard.ts";
import { type AdminEnv, problemResponse, readBody } from "./problem.ts";

const told = ({ token, expires }: SignedIn) => ({ token, expires });

/** Can be called without being signed in. */
export function openRoutes({ access }: Operations): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.post("/setup", async (c) => {
    if (access.isSetUp()) return problemResponse(refusal("already-set-up"));
    const body = await readBody(c, setupSchema);
    if (!body.ok) return problemResponse(body.refusal);
    const outcome = await access.setUp({ ...body.value, address: c.env.address });
    if (!outcome.ok) return problemResponse(outcome.refusal);
    setSessionCookie(c, outcome.value);
    return c.json(told(outcome.value), 201);
  });
  app.post("/session", async (c) => {
    if (!access.isSetUp()) return problemResponse(refusal("setup-required"));
    const body = await readBody(c, sessionSchema);
    if (!body.ok) return problemResponse(body.refusal);
    const { username, password } = body.value;
    const outcome = await access.signIn({ username, password, address: c.env.address });
    if (!outcome.ok) return problemResponse(outcome.refusal);
    setSessionCookie(c, outcome.value);
    return c.json(told(outcome.value));
  });
  return app;
}

export function closeSession({ access }: Operations): Hono<AdminEnv> {
  return new Hono<AdminEnv>().delete("/session", (c) => {
    access.signOut(tokenOf(c) ?? "");
    clearSessionCookie(c);
    return c.body(null, 204);
  });
}
