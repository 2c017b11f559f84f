/**
 * The pages we answer with ourselves. They tell no address, no version and no instance; the request's id
 * finds it in the log.
 */

export type Page = {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly string[];
  readonly body: string;
};

const TEXTS: Readonly<Record<number, readonly [reason: string, text: string]>> = {
  400: ["Bad Request", "This address cannot be understood."],
  404: ["Not Found", "There is nothing here."],
  405: ["Method Not Allowed", "This cannot be done here."],
  421: ["Misdirected Request", "This name is served elsewhere."],
  429: ["Too Many Requests", "Please come again later."],
  502: ["Bad Gateway", "The telephone system does not answer."],
  503: ["Service Unavailable", "The telephone system is busy. Please come again later."],
  504: ["Gateway Timeout", "The telephone system takes too long to answer."],
};

const FIXED = ["Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store"];

function page(title: string, lines: readonly string[]): string {
  const body = lines.map((line) => `<p>${line}</p>`).join("");
  const style =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem}";
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style><h1>${title}</h1>${body}</html>\n`;
}

/** `id` is shown; it is ours, never a client's. */
export function errorPage(status: number, id: string): Page {
  const [reason, text] = TEXTS[status] ?? ["Error", "This did not work."];
  const lines = [text, `Request ${id}`];
  return { status, reason, headers: FIXED, body: page(reason, lines) };
}

/** The root of the shared origin, where nothing else is set. */
export function rootPage(): Page {
  const lines = ["Please use the address you were given."];
  return { status: 200, reason: "OK", headers: FIXED, body: page("Welcome", lines) };
}

/** `location` as it is: the caller has made sure of it. */
export function redirection(status: 302 | 308, location: string): Page {
  const reason = status === 302 ? "Found" : "Permanent Redirect";
  const headers = ["Location", location, "Cache-Control", "no-store"];
  return { status, reason, headers, body: "" };
}
