/** Revisions, apply, confirm; and what the machine tells: interfaces, events, metrics. */
import { type Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { AdminEvent, Operations } from "../operations.ts";
import { type Outcome, refusal, refused } from "../outcome.ts";
import { applySchema } from "./bodies.ts";
import { tokenOf } from "./guard.ts";
import { type AdminEnv, answer, problemResponse, readBody } from "./problem.ts";

const MOST_LISTENERS = 20;
const HEARTBEAT_MS = 15_000;
const MOST_WAITING_EVENTS = 1000;

/** `undefined` = not there is told as null: JSON has no other word. */
const asChanges = (changes: readonly { path: string; before: unknown; after: unknown }[]) =>
  changes.map(({ path, before, after }) => ({
    path,
    before: before ?? null,
    after: after ?? null,
  }));

function numbered<T>(c: Context, work: (number: number) => Outcome<T>): Outcome<T> {
  const text = c.req.param("number") ?? "";
  return /^[0-9]{1,9}$/.test(text) ? work(Number(text)) : refused("not-found");
}

export function changeRoutes({ changes }: Operations): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.get("/revisions", (c) => c.json(changes.revisions()));
  app.get("/revisions/:number/diff", (c) => {
    const diff = numbered(c, (number) => changes.diff(number));
    return answer(diff, (found) => c.json({ changes: asChanges(found) }));
  });
  app.post("/revisions/:number/restore", (c) => {
    const actor = { user: c.get("user") };
    const restored = numbered(c, (number) => changes.restore(actor, number));
    return answer(restored, (found) => c.json({ changes: asChanges(found) }));
  });
  app.get("/changes", (c) => {
    const view = changes.view();
    return c.json({ ...view, changes: asChanges(view.changes) });
  });
  app.delete("/changes", (c) =>
    answer(changes.discard({ user: c.get("user") }), () => c.body(null, 204)),
  );
  app.post("/apply", async (c) => {
    const body = await readBody(c, applySchema, {});
    if (!body.ok) return problemResponse(body.refusal);
    const applied = await changes.apply({ user: c.get("user") }, body.value.note);
    return answer(applied, (value) => c.json(value));
  });
  app.post("/apply/confirm", async (c) =>
    answer(await changes.confirm({ user: c.get("user") }), (value) => c.json(value)),
  );
  return app;
}

export function machineRoutes(operations: Operations): Hono<AdminEnv> {
  const { machine } = operations;
  const app = new Hono<AdminEnv>();
  app.get("/interfaces", (c) => c.json(machine.interfaces()));
  app.get("/provisioning-urls", (c) => {
    const { instance = "", mac = "" } = c.req.query();
    return answer(machine.provisioningUrls(instance, mac), (urls) => c.json(urls));
  });
  app.get("/metrics", async (c) => {
    c.header("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return c.body(await machine.metrics());
  });
  app.get("/events", eventStream(operations));
  return app;
}

/** Server-sent events; ends with the session. A comment now and then keeps the connection known alive. */
function eventStream({ machine, access }: Operations) {
  let listeners = 0;
  return (c: Context<AdminEnv>) => {
    if (listeners >= MOST_LISTENERS) return problemResponse(refusal("busy"));
    listeners += 1;
    const token = tokenOf(c);
    return streamSSE(c, async (stream) => {
      const waiting: AdminEvent[] = [];
      let wake: () => void = () => undefined;
      const end = machine.subscribe((event) => {
        if (waiting.length < MOST_WAITING_EVENTS) waiting.push(event);
        wake();
      });
      stream.onAbort(() => wake());
      try {
        await stream.write(": hello\n\n");
        while (!stream.aborted && access.actorOf(token) !== null) {
          for (const { type, ...told } of waiting.splice(0)) {
            await stream.writeSSE({ event: type, data: JSON.stringify(told) });
          }
          const woken = new Promise<void>((settle) => {
            wake = settle;
          });
          const isQuiet = (await Promise.race([woken, stream.sleep(HEARTBEAT_MS)])) === undefined;
          if (isQuiet && waiting.length === 0 && !stream.aborted) await stream.write(": \n\n");
        }
      } finally {
        end();
        listeners -= 1;
      }
    });
  };
}
