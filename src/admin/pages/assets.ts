/** Style, script and icon of the pages, in the binary; their addresses change with what is in them. */
import { createHash } from "node:crypto";
import { Hono } from "hono";
import type { AdminEnv } from "../api/problem.ts";
import icon from "./assets/icon.svg" with { type: "text" };
import script from "./assets/live.browser.js" with { type: "text" };
import style from "./assets/style.css" with { type: "text" };

const addressOf = (name: string, text: string): string => {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return `/assets/${hash}/${name}`;
};

export const STYLE_PATH = addressOf("style.css", style);
export const SCRIPT_PATH = addressOf("live.js", script);
export const ICON_PATH = addressOf("icon.svg", icon);

const ASSETS = [
  [STYLE_PATH, style, "text/css; charset=utf-8"],
  [SCRIPT_PATH, script, "text/javascript; charset=utf-8"],
  [ICON_PATH, icon, "image/svg+xml"],
] as const;

/** Readable by everybody: nothing in them is secret. */
export function assetRoutes(): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  for (const [path, text, type] of ASSETS) {
    app.get(path, (c) => {
      c.header("content-type", type);
      c.header("cache-control", "public, max-age=31536000, immutable");
      return c.body(text);
    });
  }
  return app;
}
