import { expect, test } from "bun:test";
import { Hono } from "hono";
import { type AdminEnv, problemResponse, readJson } from "./problem.ts";

test("a body that ends before its time is the client's mistake, not ours", async () => {
  const app = new Hono<AdminEnv>().post("/", async (c) => {
    const json = await readJson(c);
    return json.ok ? c.json(json.value) : problemResponse(json.refusal);
  });
  const body = new ReadableStream({
    pull: (controller) => controller.error(new Error("connection closed")),
  });
  const response = await app.request("/", { method: "POST", body });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ type: "bad-request" });
});
