import { expect, test } from "bun:test";
import type { ProxyConfig } from "../config/config.ts";
import type { HttpRequest } from "../io/http-types.ts";
import type { Instance } from "./instances.ts";
import { routeOf, type WebRoute } from "./web-routes.ts";

type Web = { readonly stripPrefix?: boolean; readonly http?: boolean };

function instance(name: string, { stripPrefix = true, http = false }: Web = {}): Instance {
  const web = { url: "http://10.0.3.150/app", stripPrefix, verifyTls: true, caPem: null };
  const xmpp = { http, httpUrl: "http://10.0.3.150:5280", verifyTls: true, caPem: null };
  return { name, config: { name, web, xmpp } } as Partial<Instance> as Instance;
}

const ALL = [
  instance("mycompany"),
  instance("Kept", { stripPrefix: false }),
  instance("chat", { http: true }),
];

function route(
  target: string,
  o: {
    readonly host?: string;
    readonly sni?: string | null;
    readonly method?: string;
    readonly settings?: Partial<ProxyConfig>;
  } = {},
): WebRoute {
  const settings = { fqdn: "h.test", manageInstances: "web-ui-and-rest", allowXmpp: true };
  const request: HttpRequest = {
    method: o.method ?? "GET",
    target,
    headers: ["Host", o.host ?? "h.test"],
    remote: { address: "192.0.2.1", port: 1 },
    isTls: true,
    serverName: o.sni === undefined ? (o.host ?? "h.test") : o.sni,
  };
  return routeOf(
    {
      instances: {
        byDomain: (name) => ALL.find((one) => one.name.toLowerCase() === name.toLowerCase()),
      },
      settings: () => ({ ...settings, ...o.settings }) as ProxyConfig,
      covers: (name) => name === "h.test" || name.endsWith(".h.test"),
    },
    request,
  );
}

/** Where it goes, in short. */
function whereTo(...asked: Parameters<typeof route>): string {
  const found = route(...asked);
  if (found.kind === "refused") return String(found.status);
  if (found.kind === "slash") return `slash ${found.location}`;
  if (found.kind === "root") return "root";
  return `${found.instance.name} ${found.at.url} ${found.target} ${found.prefix}`;
}

test("the first segment names the instance, without case; the rest goes there", () => {
  expect(whereTo("/")).toBe("root");
  expect(whereTo("/mycompany/a?b")).toBe("mycompany http://10.0.3.150/app /app/a?b /mycompany");
  expect(whereTo("/MyCompany/")).toBe("mycompany http://10.0.3.150/app /app/ /MyCompany");
  expect(whereTo("/mycompany?x")).toBe("slash /mycompany/?x");
  expect(whereTo("/kept/a")).toBe("Kept http://10.0.3.150/app /app/kept/a /kept");
  expect(whereTo("/kept")).toBe("Kept http://10.0.3.150/app /app/kept /kept");
  for (const target of ["/nobody/", "/mycompany;x/", "/mycompan%79/", "/favicon.ico"]) {
    expect(whereTo(target)).toBe("404");
  }
});

test("only REST in its one spelling where the web pages are off; nothing where both are", () => {
  const settings = { manageInstances: "rest" } as const;
  expect(whereTo("/mycompany/services/x", { settings })).toContain(" /app/services/x ");
  expect(whereTo("/mycompany/services", { settings })).toContain(" /app/services ");
  expect(whereTo("/kept/services/x", { settings })).toContain(" /app/kept/services/x ");
  const closed = [
    ...["/mycompany", "/mycompany/", "/mycompany/ui", "/mycompany/servicesx", "/kept/ui"],
    ...["/mycompany/SERVICES", "/mycompany/%73ervices", "/mycompany/services;x", "/kept"],
  ];
  for (const target of closed) expect(whereTo(target, { settings })).toBe("404");
  const host = "mycompany.h.test";
  expect(whereTo("/ui", { settings, host })).toBe("404");
  expect(whereTo("/services/x", { settings, host })).toContain(" /app/services/x ");
  expect(whereTo("/services/x", { settings, host: "kept.h.test" })).toBe("404");
  expect(whereTo("/", { settings, host: "kept.h.test" })).toBe("404");
  expect(whereTo("/kept/services/x", { settings, host: "kept.h.test" })).toContain("kept/services");
  const off = { settings: { manageInstances: "off" } } as const;
  expect(whereTo("/mycompany/services/x", off)).toBe("404");
  expect(whereTo("/mycompany/", off)).toBe(whereTo("/nobody/", off));
});

test("each instance has an origin of its own below our name", () => {
  const host = "MyCompany.h.test";
  expect(whereTo("/a", { host })).toBe("mycompany http://10.0.3.150/app /app/a ");
  expect(whereTo("/", { host })).toBe("mycompany http://10.0.3.150/app /app/ ");
  expect(whereTo("/chat/a", { host })).toBe("mycompany http://10.0.3.150/app /app/chat/a ");
  expect(whereTo("/", { host: "kept.h.test" })).toBe("slash /Kept/");
  expect(whereTo("/kept/a", { host: "kept.h.test" })).toBe(
    "Kept http://10.0.3.150/app /app/kept/a ",
  );
  for (const target of ["/mycompany/", "/keptx/", "/services/x"]) {
    expect(whereTo(target, { host: "kept.h.test" })).toBe("404");
  }
  expect(whereTo("/mycompany/", { host: "nobody.h.test" })).toBe("404");
  expect(whereTo("/mycompany/", { host: "a.mycompany.h.test" })).toBe("404");
});

test("the name of the handshake and that of the request agree, and are ours", () => {
  expect(whereTo("/", { sni: "mycompany.h.test" })).toBe("421");
  expect(whereTo("/", { host: "mycompany.h.test", sni: "h.test" })).toBe("421");
  expect(whereTo("/", { host: "elsewhere.test" })).toBe("421");
  expect(whereTo("/", { host: "192.0.2.9", sni: null })).toBe("root");
  expect(whereTo("/", { host: "h.test:8443", sni: "H.TEST" })).toBe("root");
  for (const host of ["", "a b", "h.test,x", "x@h.test", "h.test:0"]) {
    expect(whereTo("/", { host, sni: null })).toBe("400");
  }
});

test("XMPP over HTTP goes to the XMPP server, where it is on, and to nobody's web pages", () => {
  expect(whereTo("/chat/http-bind")).toBe("chat http://10.0.3.150:5280 /http-bind /chat");
  expect(whereTo("/chat/xmpp-websocket?a", { settings: { manageInstances: "off" } })).toContain(
    ":5280 /xmpp-websocket?a",
  );
  expect(whereTo("/http-bind", { host: "chat.h.test" })).toContain(":5280 /http-bind");
  expect(whereTo("/chat/http-bind", { settings: { allowXmpp: false } })).toContain(
    "/app/http-bind",
  );
  const off = { settings: { manageInstances: "off" } } as const;
  expect(whereTo("/mycompany/http-bind", off)).toBe("404");
  expect(whereTo("/chat/http-bind/x", off)).toBe("404");
});

test("what is ambiguous, and methods that are not for servers, go nowhere", () => {
  expect(whereTo("/mycompany/services/../ui")).toBe("400");
  expect(whereTo("https://h.test/mycompany/")).toBe("400");
  expect(whereTo("/mycompany/", { method: "TRACE" })).toBe("405");
});
