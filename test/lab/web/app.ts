/**
 * The small application of the web cases: a sign-in with a cookie, a page with XHR, events and a WebSocket, and
 * what tells how it was asked. It knows nothing of a proxy: its redirects and cookies are as if it were alone.
 * Run in a place of the lab: bun app.ts ADDRESS PORT
 */
import type { Server, ServerWebSocket } from "bun";

const [hostname = "127.0.0.1", port = "8080"] = process.argv.slice(2);
const SESSION = "session=5f1c";

/** Who listens to /events and waits for /next. */
const listeners = new Set<ReadableStreamDefaultController<string>>();
let endless = 0;

const page = (body: string): Response =>
  new Response(`<!doctype html><title>App</title>${body}`, {
    headers: { "content-type": "text/html" },
  });

const FORM = page(
  `<form method="post" action="/login"><input name="user"><input name="password" type="password"><button>Sign in</button></form>`.replace(
    'action="/login"',
    'action="login"',
  ),
);

const HOME = `<h1>Welcome, anna</h1><ul id="heard"></ul><script>
  const note = (text) => { document.title += " " + text; };
  fetch("data").then((answer) => answer.json()).then((data) => note("xhr:" + data.user));
  const socket = new WebSocket(new URL("ws", location.href).href.replace(/^http/, "ws"));
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => note("ws:" + data);
  const events = new EventSource("events");
  events.onmessage = ({ data }) => { note("event:" + data); if (data === "one") fetch("next"); };
</script>`;

async function count(request: Request): Promise<Response> {
  let bytes = 0;
  for await (const piece of request.body ?? []) bytes += piece.length;
  return Response.json({ bytes, transfer: request.headers.get("transfer-encoding") });
}

function flood(): Response {
  endless += 1;
  const piece = new Uint8Array(65_536);
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(piece),
    cancel() {
      endless -= 1;
    },
  });
  return new Response(body);
}

function events(): Response {
  let own: ReadableStreamDefaultController<string>;
  const body = new ReadableStream<string>({
    start(controller) {
      own = controller;
      listeners.add(controller);
      controller.enqueue("data: one\n\n");
    },
    cancel: () => void listeners.delete(own),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function next(): Response {
  for (const listener of listeners) listener.enqueue("data: two\n\n");
  return new Response(null, { status: 204 });
}

async function signIn(request: Request): Promise<Response> {
  const form = await request.formData();
  if (form.get("password") !== "secret") return new Response("wrong", { status: 403 });
  // An absolute URL of the inside, as frameworks make them.
  const location = `http://${request.headers.get("host")}/home`;
  const cookie = `${SESSION}; Path=/; HttpOnly; SameSite=Lax`;
  return new Response(null, { status: 303, headers: { location, "set-cookie": cookie } });
}

const headers = (): Response =>
  new Response("headers", {
    headers: [
      ["content-location", "/here"],
      ["link", "</style.css>; rel=preload"],
      ["set-cookie", "__Host-a=1; Path=/; Secure"],
      ["set-cookie", `b=2; Path=/sub; Domain=${hostname}`],
    ],
  });

function signedIn(request: Request): Response {
  const path = new URL(request.url).pathname;
  if (!(request.headers.get("cookie") ?? "").includes(SESSION)) {
    return new Response(null, { status: 302, headers: { location: "/login" } });
  }
  if (path === "/data") return Response.json({ user: "anna" });
  return path === "/home" ? page(HOME) : new Response(null, { status: 404 });
}

const routes: Readonly<Record<string, (request: Request) => Response | Promise<Response>>> = {
  "GET /login": () => FORM.clone() as Response,
  "POST /login": signIn,
  "PUT /count": count,
  "GET /endless": flood,
  "GET /events": events,
  "GET /next": next,
  "GET /headers": headers,
  "GET /asked": (request) => Response.json(Object.fromEntries(request.headers)),
  "GET /open": () => Response.json({ endless }),
};

Bun.serve({
  hostname,
  port: Number(port),
  maxRequestBodySize: 4_294_967_296,
  idleTimeout: 0,
  fetch(request: Request, server: Server<undefined>) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ws") return server.upgrade(request) ? undefined : new Response("no");
    return (routes[`${request.method} ${pathname}`] ?? signedIn)(request);
  },
  websocket: {
    maxPayloadLength: 16_777_216,
    message: (socket: ServerWebSocket<undefined>, message: string | Buffer) =>
      void socket.send(message),
  },
});
