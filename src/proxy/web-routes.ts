/**
 * What a request on the web port means: which instance, which of its servers, which path there. Decided once,
 * from the Host and the path as they came; a way that is not switched on looks like one that is not there.
 */
import { isIP } from "node:net";
import type { InstanceConfig, ProxyConfig } from "../config/config.ts";
import { readAuthority } from "../http/authority.ts";
import { headerValue } from "../http/headers.ts";
import { isAtOrBelow, readTarget, splitFirst, type Target } from "../http/target.ts";
import type { HttpRequest } from "../io/http-types.ts";
import { type InsideUrl, urlParts } from "./http-inside.ts";
import type { Instance, Instances } from "./instances.ts";

export type WebRoute =
  | { readonly kind: "refused"; readonly status: 400 | 404 | 405 | 421 }
  | { readonly kind: "root" }
  | { readonly kind: "slash"; readonly location: string }
  | WebWay;

/** To an instance. */
export type WebWay = {
  readonly kind: "instance";
  readonly instance: Instance;
  readonly at: InsideUrl;
  /** Path and query below the path of the URL. */
  readonly target: string;
  /** "/mycompany" on the shared origin, "" on the instance's own. */
  readonly prefix: string;
  readonly isStripped: boolean;
  /** As the client named us. */
  readonly host: string;
};

export type WebRouting = {
  readonly instances: Pick<Instances, "byDomain">;
  settings(): ProxyConfig;
  /** Whether our certificate is for that name. */
  covers(name: string): boolean;
};

const REST = "/services";
const XMPP_PATHS = new Set(["/http-bind", "/http-bind/", "/xmpp-websocket", "/xmpp-websocket/"]);
const METHODS_NOT_PASSED = new Set(["CONNECT", "TRACE", "TRACK"]);

const refused = (status: 400 | 404 | 405 | 421): WebRoute => ({ kind: "refused", status });
const NOT_FOUND = refused(404);

export function routeOf(o: WebRouting, request: HttpRequest): WebRoute {
  const { method, headers, serverName } = request;
  const hostText = headerValue(headers, "host") ?? "";
  const authority = readAuthority(hostText);
  const target = readTarget(request.target);
  if (authority === null || target === null) return refused(400);
  if (METHODS_NOT_PASSED.has(method)) return refused(405);
  const { host } = authority;
  // One connection is for one name: what a certificate, or somebody before us, has decided by it stands.
  if (serverName !== null && serverName.toLowerCase() !== host) return refused(421);
  const fqdn = o.settings().fqdn.toLowerCase();
  const isOurs = host === fqdn || isIP(host) !== 0 || o.covers(host);
  if (!isOurs) return refused(421);
  const isBelow = host.endsWith(`.${fqdn}`) && isIP(fqdn) === 0;
  if (isBelow) return ownOrigin(o, host.slice(0, -fqdn.length - 1), target, hostText);
  return sharedOrigin(o, target, hostText);
}

function byName(o: WebRouting, name: string): Instance | null {
  const instance = o.instances.byDomain(name);
  return instance !== undefined && isNamed(instance, name) ? instance : null;
}

/** `https://NAME.FQDN/`: paths as the instance has them. */
function ownOrigin(o: WebRouting, name: string, { path, query }: Target, host: string): WebRoute {
  const instance = byName(o, name);
  if (instance === null) return NOT_FOUND;
  const { stripPrefix } = instance.config.web;
  // The same server may have others' paths beside these.
  if (!stripPrefix && !isNamed(instance, splitFirst(path).first))
    return notItsPath(o, instance, path);
  const rest = stripPrefix ? path : splitFirst(path).rest;
  const place = { instance, prefix: "", isStripped: true, host };
  return way(o, { ...place, rest, path: path + query, query });
}

/** `https://FQDN/NAME/`. */
function sharedOrigin(o: WebRouting, target: Target, host: string): WebRoute {
  const { path, query } = target;
  if (path === "/") return { kind: "root" };
  const { first, rest } = splitFirst(path);
  const instance = byName(o, first);
  if (instance === null) return NOT_FOUND;
  const { stripPrefix } = instance.config.web;
  const place = { instance, prefix: `/${first}`, isStripped: stripPrefix, host };
  const below = stripPrefix ? rest : path;
  return way(o, { ...place, rest, path: below + query, query });
}

function isNamed(instance: Instance, name: string): boolean {
  return instance.name.toLowerCase() === name.toLowerCase();
}

function notItsPath(o: WebRouting, { name }: Instance, path: string): WebRoute {
  const isTop = path === "/" && o.settings().manageInstances === "web-ui-and-rest";
  return isTop ? { kind: "slash", location: `/${name}/` } : NOT_FOUND;
}

type Asked = Omit<WebWay, "kind" | "at" | "target"> & {
  /** Behind the instance's name: what decides. */
  readonly rest: string;
  /** With the query: what is sent. */
  readonly path: string;
  readonly query: string;
};

function way(o: WebRouting, asked: Asked): WebRoute {
  const { instance, rest, prefix, isStripped, host, path, query } = asked;
  const { manageInstances, allowXmpp } = o.settings();
  const { web, xmpp } = instance.config;
  const place = { kind: "instance", instance, prefix, isStripped, host } as const;
  if (allowXmpp && xmpp.http && XMPP_PATHS.has(rest)) {
    return {
      ...place,
      at: xmppUrl(instance.config),
      target: urlParts(xmpp.httpUrl).base + rest + query,
    };
  }
  if (manageInstances === "off") return NOT_FOUND;
  if (manageInstances === "rest" && !isAtOrBelow(rest, REST)) return NOT_FOUND;
  if (rest === "" && isStripped && prefix !== "")
    return { kind: "slash", location: `${prefix}/${query}` };
  return { ...place, at: webUrl(instance.config), target: urlParts(web.url).base + path };
}

export function webUrl({ web }: Pick<InstanceConfig, "web">): InsideUrl {
  return { url: web.url, verifyTls: web.verifyTls, caPem: web.caPem };
}

/** Its certificate is looked at as that of its web pages. */
export function provisioningUrl({ web, provisioning }: InstanceConfig): InsideUrl {
  return { ...webUrl({ web }), url: provisioning.url };
}

/** BOSH (XEP-0206) and WebSocket (RFC 7395). */
export function xmppUrl({ xmpp }: InstanceConfig): InsideUrl {
  return { url: xmpp.httpUrl, verifyTls: xmpp.verifyTls, caPem: xmpp.caPem };
}
