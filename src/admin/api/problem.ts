/** Refusals as `application/problem+json` (RFC 9457), and request bodies that become values or refusals. */
import type { Context } from "hono";
import type { z } from "zod";
import { JsonSyntaxError, parseJsonText } from "../../config/json-text.ts";
import { done, type Outcome, type Refusal, refused } from "../outcome.ts";

/** What comes in beside the request: who sent it. */
export type AdminEnv = { Bindings: { address: string }; Variables: { user: string } };

/** `type` is relative to nothing: a word of the API, not an address. */
export function problemResponse(refusal: Refusal): Response {
  const { status, type, title, detail, problems, retryAfterSeconds } = refusal;
  const body = {
    type,
    title,
    status,
    ...(detail === null ? {} : { detail }),
    ...(problems.length === 0 && status !== 422 ? {} : { problems }),
  };
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (retryAfterSeconds !== null) headers.set("retry-after", String(retryAfterSeconds));
  return new Response(JSON.stringify(body), { status, headers });
}

/** The body as JSON value; `empty` is what no body at all means. Refusals: bad-request. */
export async function readJson(c: Context<AdminEnv>, empty?: unknown): Promise<Outcome<unknown>> {
  const text = await readText(c);
  if (text === null) return refused("bad-request", { detail: "The body did not come whole." });
  if (text.trim() === "" && empty !== undefined) return done(empty);
  try {
    return done(parseJsonText(text));
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const detail = `JSON, line ${error.line}, column ${error.column}: ${error.message}`;
    return refused("bad-request", { detail });
  }
}

/** null = the client went away, or was too slow. */
async function readText(c: Context<AdminEnv>): Promise<string | null> {
  try {
    return await c.req.text();
  } catch {
    return null;
  }
}

/** The body as the schema wants it. Refusals: bad-request, invalid. */
export async function readBody<T>(
  c: Context<AdminEnv>,
  schema: z.ZodType<T>,
  empty?: unknown,
): Promise<Outcome<T>> {
  const json = await readJson(c, empty);
  if (!json.ok) return json;
  const parsed = schema.safeParse(json.value);
  return parsed.success ? done(parsed.data) : refused("invalid", { problems: problemsOf(parsed) });
}

function problemsOf({ error }: { error: z.ZodError }) {
  return error.issues.flatMap((issue) => {
    const path = issue.path.join(".");
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({
      path: path === "" ? key : `${path}.${key}`,
      message: "unknown field",
    }));
  });
}

/** A value with 200, or the refusal. */
export function answer<T>(outcome: Outcome<T>, respond: (value: T) => Response): Response {
  return outcome.ok ? respond(outcome.value) : problemResponse(outcome.refusal);
}
