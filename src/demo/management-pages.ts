/**
 * The small management page of the demonstration instance, and the same as REST: who is registered, how many
 * calls there are. Links are relative, so that it works below any prefix.
 */
import type { FindPage } from "./web.ts";

export type ManagedInstance = {
  readonly domain: string;
  readonly users: readonly string[];
  registered(): readonly string[];
  calls(): number;
};

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}td{padding:.2rem 1rem .2rem 0}";

function page({ domain, users, registered, calls }: ManagedInstance): string {
  const present = new Set(registered());
  const rows = users.map(
    (user) => `<tr><td>${user}<td>${present.has(user) ? "registered" : "not registered"}`,
  );
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">',
    `<title>${domain}</title><style>${STYLE}</style><h1>Telephone system "${domain}"</h1>`,
    `<p>Calls: ${calls()}. As JSON: <a href="services/users">services/users</a></p>`,
    `<table>${rows.join("")}</table></html>`,
    "",
  ].join("\n");
}

/** `/` and `/services/users`. */
export function managementPages(instance: ManagedInstance): FindPage {
  return (path) => {
    if (path === "/") return { type: "text/html; charset=utf-8", body: page(instance) };
    if (path !== "/services/users") return null;
    const present = new Set(instance.registered());
    const users = instance.users.map((user) => ({ user, registered: present.has(user) }));
    const body = `${JSON.stringify({ calls: instance.calls(), users })}\n`;
    return { type: "application/json", body };
  };
}
