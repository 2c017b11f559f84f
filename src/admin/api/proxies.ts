/** What can be done with a proxy beyond its configuration: start, stop, status, backup, restore. */
import { type Context, Hono } from "hono";
import { BACKUP_TYPE, LONGEST_BACKUP_BYTES } from "../backup.ts";
import type { ObservedProxy, Operations, RestoreReport } from "../operations.ts";
import { done, type Outcome, refused } from "../outcome.ts";
import { backupSchema } from "./bodies.ts";
import { type AdminEnv, answer, problemResponse, readBody } from "./problem.ts";

/** The status of the process itself, and what is seen when there is none. */
function statusBody({ name, state, reason, observedAt, shallRun, status }: ObservedProxy) {
  return { ...status, proxy: name, state, reason, observedAt, shallRun };
}

type Upload = { readonly file: Uint8Array; readonly passphrase: string | null };

const PARTS = ["file", "passphrase"];

async function readUpload(c: Context<AdminEnv>): Promise<Outcome<Upload>> {
  if (!/^multipart\/form-data\b/i.test(c.req.header("content-type") ?? "")) {
    return refused("unsupported-type", { detail: "Send multipart/form-data." });
  }
  let form: FormData;
  try {
    form = await c.req.formData();
  } catch {
    return refused("bad-request", { detail: "The multipart body cannot be read." });
  }
  const file = form.get("file");
  const passphrase = form.get("passphrase");
  const problems = [...new Set(form.keys())]
    .filter((key) => !PARTS.includes(key))
    .map((path) => ({ path, message: "unknown field" }));
  if (file === null) problems.push({ path: "file", message: "is required" });
  if (passphrase !== null && typeof passphrase !== "string") {
    problems.push({ path: "passphrase", message: "must be a text" });
  }
  if (problems.length > 0) return refused("invalid", { problems });
  const bytes = typeof file === "string" ? Buffer.from(file, "utf8") : await bytesOf(file);
  if (bytes.length > LONGEST_BACKUP_BYTES) return refused("too-large");
  return done({ file: bytes, passphrase: typeof passphrase === "string" ? passphrase : null });
}

async function bytesOf(file: Blob | null): Promise<Uint8Array> {
  return file === null ? new Uint8Array() : new Uint8Array(await file.arrayBuffer());
}

export function proxyRoutes({ proxies }: Operations, base: string): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.post("/:name/start", async (c) => {
    const started = await proxies.start({ user: c.get("user") }, c.req.param("name"));
    return answer(started, ({ proxy, revision }) => c.json({ ...statusBody(proxy), revision }));
  });
  app.post("/:name/stop", async (c) => {
    const stopped = await proxies.stop({ user: c.get("user") }, c.req.param("name"));
    return answer(stopped, ({ proxy, revision }) => c.json({ ...statusBody(proxy), revision }));
  });
  app.get("/:name/status", async (c) =>
    answer(await proxies.status(c.req.param("name")), (proxy) => c.json(statusBody(proxy))),
  );
  app.get("/:name/calls", async (c) =>
    answer(await proxies.calls(c.req.param("name"), c.req.query("q") ?? ""), (all) => c.json(all)),
  );
  app.get("/:name/bans", async (c) =>
    answer(await proxies.bans(c.req.param("name")), (bans) => c.json(bans)),
  );
  app.delete("/:name/bans/:address", async (c) => {
    const who = { address: c.req.param("address"), user: c.req.query("user") ?? null };
    const lifted = await proxies.unban({ user: c.get("user") }, c.req.param("name"), who);
    return answer(lifted, () => c.body(null, 204));
  });
  app.post("/:name/backup", async (c) => {
    const body = await readBody(c, backupSchema);
    if (!body.ok) return problemResponse(body.refusal);
    return answer(await proxies.backup(c.req.param("name"), body.value), ({ bytes, fileName }) => {
      const headers = {
        "content-type": BACKUP_TYPE,
        "content-disposition": `attachment; filename="${fileName}"`,
      };
      return new Response(Uint8Array.from(bytes), { headers });
    });
  });
  app.put("/:name/restore", async (c) => {
    const upload = await readUpload(c);
    if (!upload.ok) return problemResponse(upload.refusal);
    const name = c.req.param("name");
    const dryRun = ["1", "true"].includes(c.req.query("dryRun") ?? "");
    const actor = { user: c.get("user") };
    const restored = await proxies.restore(actor, name, { ...upload.value, dryRun });
    return answer(restored, (report) => restoreResponse(report, `${base}/${name}`, dryRun));
  });
  return app;
}

function restoreResponse(report: RestoreReport, location: string, dryRun: boolean): Response {
  const isCreated = report.isNew && !dryRun;
  const headers = new Headers(isCreated ? { location } : {});
  return Response.json({ ...report, dryRun }, { status: isCreated ? 201 : 200, headers });
}
