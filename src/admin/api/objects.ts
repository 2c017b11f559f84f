/** Reading and changing proxies, instances and the appliance: GET, POST, PUT, DELETE with entity tags. */
import { type Context, Hono } from "hono";
import type { ConfigState, ObjectOperations, Operations, Versioned } from "../operations.ts";
import { done, type Outcome, refused } from "../outcome.ts";
import { type AdminEnv, answer, problemResponse, readJson } from "./problem.ts";

/** `?state=candidate|active`. */
function stateOf(c: Context<AdminEnv>): Outcome<ConfigState> {
  const state = c.req.query("state") ?? "candidate";
  if (state === "candidate" || state === "active") return done(state);
  const problems = [{ path: "state", message: 'must be "candidate" or "active"' }];
  return refused("invalid", { problems });
}

function versioned<T>({ value, etag }: Versioned<T>, status = 200): Response {
  return Response.json(value, { status, headers: { etag } });
}

const actorOf = (c: Context<AdminEnv>) => ({ user: c.get("user") });
const ifMatchOf = (c: Context<AdminEnv>) => c.req.header("if-match") ?? null;

/** `base` is where the collection is, for Location. */
export function objectRoutes<T extends { readonly name: string }>(
  objects: ObjectOperations<T>,
  base: string,
): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.get("/", (c) => answer(stateOf(c), (state) => versioned(objects.list(state))));
  app.post("/", async (c) => {
    const json = await readJson(c);
    if (!json.ok) return problemResponse(json.refusal);
    return answer(await objects.create(actorOf(c), json.value), (created) => {
      const response = versioned(created, 201);
      response.headers.set("location", `${base}/${created.value.name}`);
      return response;
    });
  });
  app.get("/:name", (c) => {
    const state = stateOf(c);
    if (!state.ok) return problemResponse(state.refusal);
    return answer(objects.get(c.req.param("name"), state.value), versioned);
  });
  app.put("/:name", async (c) => {
    const json = await readJson(c);
    if (!json.ok) return problemResponse(json.refusal);
    const name = c.req.param("name");
    return answer(await objects.put(actorOf(c), name, json.value, ifMatchOf(c)), versioned);
  });
  app.delete("/:name", (c) => {
    const removed = objects.remove(actorOf(c), c.req.param("name"), ifMatchOf(c));
    return answer(removed, () => c.body(null, 204));
  });
  return app;
}

export function applianceRoutes({ appliance }: Operations): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.get("/", (c) => answer(stateOf(c), (state) => versioned(appliance.get(state))));
  app.put("/", async (c) => {
    const json = await readJson(c);
    if (!json.ok) return problemResponse(json.refusal);
    return answer(appliance.put(actorOf(c), json.value, ifMatchOf(c)), versioned);
  });
  return app;
}
