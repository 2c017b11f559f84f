/**
 * The instances' web pages and REST (`manageInstances`) on one port of the zone, with the redirection of its
 * root, of HTTP to HTTPS, and XMPP over HTTP.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { coversName } from "../config/certificate-facts.ts";
import type { ProxyConfig } from "../config/config.ts";
import { opensWeb } from "../config/opens-web.ts";
import { sourceOf } from "../config/source.ts";
import { readAuthority } from "../http/authority.ts";
import { errorPage, type Page, redirection, rootPage } from "../http/error-page.ts";
import {
  type ClientSide,
  headerValue,
  requestHeaders,
  responseHeaders,
  upgradeHeaders,
} from "../http/headers.ts";
import { rewriteValue, type Seen } from "../http/rewrite.ts";
import { readTarget } from "../http/target.ts";
import type {
  HttpExchange,
  HttpListener,
  HttpRequest,
  HttpResponseHead,
  HttpUpgrade,
} from "../io/http-types.ts";
import type { Endpoint, Identity, Log } from "../io/types.ts";
import { type Entrance, onEach } from "./entrance.ts";
import type { HttpClients } from "./http-clients.ts";
import type { Forwarded, HttpForward } from "./http-forward.ts";
import { type HttpInside, urlParts } from "./http-inside.ts";
import type { Instances } from "./instances.ts";
import { Listeners, type Opened, openBoth } from "./listeners.ts";
import {
  provisioningUrl,
  routeOf,
  type WebRoute,
  type WebRouting,
  type WebWay,
  webUrl,
  xmppUrl,
} from "./web-routes.ts";

export type WebOptions = {
  readonly log: Log;
  readonly instances: Instances;
  readonly clients: HttpClients;
  readonly inside: HttpInside;
  readonly forward: HttpForward;
  settings(): ProxyConfig;
  identity(): Identity;
  random(lengthBytes: number): Uint8Array;
  count(reason: string): void;
};

/** A year; other names below ours are none of our business. */
const HSTS = ["Strict-Transport-Security", "max-age=31536000"];
const HTTPS_PORT = 443;

export class Web implements Entrance {
  /** Since the start. */
  requests = 0;
  readonly #o: WebOptions;
  readonly #routing: WebRouting;
  readonly #https: Listeners<HttpListener>;
  readonly #http: Listeners<HttpListener>;
  #certificate: X509Certificate;
  #covered = new Map<string, boolean>();
  /** What goes on, and with which server. */
  readonly #running = new Map<HttpExchange | HttpUpgrade, WebWay>();

  constructor(o: WebOptions) {
    this.#o = o;
    this.#certificate = new X509Certificate(o.identity().certificatePem);
    this.#routing = { ...o, covers: (name) => this.#covers(name) };
    const end = (listener: HttpListener): void => listener.closeFrom(() => true);
    this.#https = new Listeners({ listen: (at, config) => this.#listen(at, config), closed: end });
    this.#http = new Listeners({
      listen: (at, config) => this.#listenHttp(at, config),
      closed: end,
    });
  }

  open(config: ProxyConfig, addresses: readonly string[]): Promise<Opened> {
    const { ports, redirectHttp } = config;
    const isOpen = opensWeb(config, this.#o.instances.configs);
    const isRedirected = isOpen && redirectHttp;
    return openBoth(
      () => this.#https.open(isOpen ? onEach(addresses, ports.web) : [], config),
      () => this.#http.open(isRedirected ? onEach(addresses, ports.webHttp) : [], config),
    );
  }

  setIdentity(identity: Identity): void {
    this.#certificate = new X509Certificate(identity.certificatePem);
    this.#covered = new Map();
    const { allowTls10 } = this.#o.settings();
    for (const listener of this.#https.all) listener.setIdentity(identity, allowTls10);
  }

  get listening(): Readonly<Record<string, Endpoint>> {
    return { ...this.#https.named("web"), ...this.#http.named("webHttp") };
  }

  get pending(): number {
    return this.#listeners.reduce((sum, { pending }) => sum + pending, 0);
  }

  closeFrom(source: string): void {
    for (const listener of this.#listeners) {
      listener.closeFrom(({ address }) => sourceOf(address) === source);
    }
  }

  /** Nor does anything go on that could not begin any more: a WebSocket stays open for days. */
  endOthers(): void {
    for (const [running, way] of this.#running) {
      const now = routeOf(this.#routing, running);
      if (now.kind !== "instance" || now.at.url !== way.at.url) running.destroy();
    }
    const known = this.#o.instances.configs;
    const urls = [webUrl, xmppUrl, provisioningUrl];
    this.#o.inside.retain(known.flatMap((config) => urls.map((urlOf) => urlOf(config))));
  }

  stopListening(): void {
    this.#https.stop();
    this.#http.stop();
  }

  close(): void {
    this.#https.close();
    this.#http.close();
    this.#o.inside.close();
  }

  get #listeners(): readonly HttpListener[] {
    return [...this.#https.all, ...this.#http.all];
  }

  #listen(local: Endpoint, config: ProxyConfig): Promise<HttpListener> {
    return this.#o.clients.listen(local, config, {
      isTls: true,
      request: (exchange) => this.#request(exchange),
      upgrade: (upgrade) => this.#upgrade(upgrade),
    });
  }

  #listenHttp(local: Endpoint, config: ProxyConfig): Promise<HttpListener> {
    return this.#o.clients.listen(local, config, {
      isTls: false,
      request: (exchange) => this.#redirect(exchange),
      upgrade: (upgrade) => this.#redirect(upgrade),
    });
  }

  #request(exchange: HttpExchange): void {
    this.requests += 1;
    const route = routeOf(this.#routing, exchange);
    if (route.kind !== "instance") return exchange.answer(...this.#page(this.#own(route)));
    const answer = (page: Page): void => exchange.answer(...this.#page(page));
    this.#watch(exchange, route);
    this.#o.forward.request(exchange, this.#forwarded(exchange, route, answer));
  }

  #upgrade(upgrade: HttpUpgrade): void {
    this.requests += 1;
    const answer = (page: Page): void => upgrade.answer(...this.#page(page));
    const route = routeOf(this.#routing, upgrade);
    if (route.kind !== "instance") return answer(this.#own(route));
    const protocol = headerValue(upgrade.headers, "upgrade") ?? "";
    // What is spoken after another one (h2c) nobody would look at any more.
    if (protocol.toLowerCase() !== "websocket" || upgrade.method !== "GET") {
      return answer(this.#error(400));
    }
    this.#watch(upgrade, route);
    this.#o.forward.upgrade(upgrade, this.#forwarded(upgrade, route, answer));
  }

  #watch(running: HttpExchange | HttpUpgrade, way: WebWay): void {
    this.#running.set(running, way);
    running.onEnd(() => this.#running.delete(running));
  }

  #forwarded(request: HttpRequest, route: WebWay, answer: (page: Page) => void): Forwarded {
    const { at, target, host, prefix, isStripped, instance } = route;
    const client: ClientSide = {
      address: request.remote.address,
      isTls: request.isTls,
      host,
      prefix: isStripped ? prefix : "",
    };
    const isUpgrade = !("hasBody" in request);
    const hostInside = instance.config.web.keepHost ? null : urlParts(at.url).host;
    const headersFor = isUpgrade ? upgradeHeaders : requestHeaders;
    const seen = seenAs(route, request);
    return {
      at,
      target,
      headers: headersFor(request.headers, client, hostInside),
      response: (head) => this.#response(head, seen),
      fail: (status, reason) => {
        const id = this.#newId();
        this.#o.log.warn("web-instance-failed", { instance: instance.name, status, reason, id });
        answer(errorPage(status, id));
      },
    };
  }

  #response({ status, reason, headers }: HttpResponseHead, seen: Seen): HttpResponseHead {
    const out = responseHeaders(headers, (name, value) => rewriteValue(name, value, seen));
    if (this.#isReal) out.push(...HSTS);
    return { status, reason, headers: out };
  }

  /** What needs no instance. */
  #own(route: Exclude<WebRoute, WebWay>): Page {
    if (route.kind === "slash") return redirection(308, route.location);
    if (route.kind === "refused") return this.#error(route.status);
    const { redirectionUrl, manageInstances } = this.#o.settings();
    if (redirectionUrl !== null) return redirection(302, redirectionUrl);
    return manageInstances === "off" ? this.#error(404) : rootPage();
  }

  #error(status: number): Page {
    this.#o.count(`http-${status}`);
    return errorPage(status, this.#newId());
  }

  #page({ status, reason, headers, body }: Page): [HttpResponseHead, string] {
    const more = this.#isReal ? HSTS : [];
    return [{ status, reason, headers: [...headers, ...more] }, body];
  }

  /** Without HSTS, which must not be said in the clear (RFC 6797 §7.2). */
  #redirect(exchange: HttpExchange | HttpUpgrade): void {
    const { status, reason, headers, body } = this.#toHttps(exchange);
    exchange.answer({ status, reason, headers }, body);
  }

  /** The same place by HTTPS; a Host that is none of ours leads to our own name. */
  #toHttps(request: HttpRequest): Page {
    this.requests += 1;
    const target = readTarget(request.target);
    const named = readAuthority(headerValue(request.headers, "host") ?? "");
    if (target === null || named === null) return this.#error(400);
    const { fqdn } = this.#o.settings();
    const isOurs = isIP(named.host) !== 0 || this.#covers(named.host);
    const host = isOurs ? named.host : fqdn;
    const port = this.#https.towards(request.remote.address)?.local.port ?? HTTPS_PORT;
    const at = `${host.includes(":") ? `[${host}]` : host}${port === HTTPS_PORT ? "" : `:${port}`}`;
    return redirection(308, `https://${at}${target.path}${target.query}`);
  }

  /** Somebody vouches for our certificate: only then a browser may be told to insist on HTTPS. */
  get #isReal(): boolean {
    return this.#certificate.issuer !== this.#certificate.subject;
  }

  #covers(name: string): boolean {
    const known = this.#covered.get(name);
    if (known !== undefined) return known;
    const covers = coversName(this.#o.identity().certificatePem, name);
    if (this.#covered.size >= COVERED_MOST) this.#covered.clear();
    this.#covered.set(name, covers);
    return covers;
  }

  #newId(): string {
    return Buffer.from(this.#o.random(6)).toString("hex");
  }
}

/** Names that clients have asked for; a new start costs a look at the certificate each. */
const COVERED_MOST = 1000;

function seenAs({ at, prefix, isStripped, host }: WebWay, { target }: HttpRequest): Seen {
  const { origin: inside, base } = urlParts(at.url);
  const isTop = target.split("?", 1)[0] === prefix;
  return { origin: `https://${host}`, prefix, isStripped, isTop, inside, base };
}
