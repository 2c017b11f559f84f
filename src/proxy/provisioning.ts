/**
 * Phones fetch their configuration, with their passwords in it: by HTTPS, and by HTTP where it is wanted. Who
 * asks for what is not his finds nothing, whatever it was: a path that means nothing, another proxy's token,
 * the plain form where only tokens are good, an instance that is unknown, switched off or behind another
 * proxy. All of it goes one way and costs the same. Neither a token nor a MAC is ever logged.
 */
import type { ProxyConfig } from "../config/config.ts";
import { sourceOf } from "../config/source.ts";
import { errorPage } from "../http/error-page.ts";
import { requestHeaders, responseHeaders } from "../http/headers.ts";
import { rewriteValue } from "../http/rewrite.ts";
import type { HttpExchange, HttpListener, HttpResponseHead } from "../io/http-types.ts";
import type { Clock, Endpoint, Identity, Log } from "../io/types.ts";
import { ProvisioningTokens } from "../provisioning/token.ts";
import type { Admission } from "./admission.ts";
import { type Entrance, onEach } from "./entrance.ts";
import type { HttpClients } from "./http-clients.ts";
import type { HttpForward } from "./http-forward.ts";
import type { Instance, Instances } from "./instances.ts";
import { Listeners, type Opened, openBoth } from "./listeners.ts";
import { type FoundPhone, type LookUp, lookUpPhone } from "./phone-look-up.ts";
import { provisioningUrl } from "./web-routes.ts";

export type ProvisioningOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly instances: Instances;
  readonly admission: Admission;
  readonly clients: HttpClients;
  readonly forward: HttpForward;
  settings(): ProxyConfig;
  /** Of the URLs; made when there is none yet. Throws StateError. */
  key(config: ProxyConfig): Uint8Array;
  random(lengthBytes: number): Uint8Array;
};

/** An address that guesses, but has phones, waits so long for each answer. */
const SLOW_MS = 2000;
const ID_BYTES = 6;
/** The instance has nothing of that phone, or keeps it. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 404, 410]);

export class Provisioning implements Entrance {
  /** Since the start. */
  requests = 0;
  readonly #o: ProvisioningOptions;
  readonly #https = this.#listeners(true);
  readonly #http = this.#listeners(false);
  /** Requests under way, by instance. */
  readonly #open = new Map<HttpExchange, Instance>();
  #tokens: { readonly of: ProxyConfig; readonly made: ProvisioningTokens } | null = null;

  constructor(o: ProvisioningOptions) {
    this.#o = o;
  }

  async open(config: ProxyConfig, addresses: readonly string[]): Promise<Opened> {
    const { phoneProvisioning: mode, ports } = config;
    if (mode !== "off") this.#o.key(config);
    const https = mode === "off" ? [] : onEach(addresses, ports.provisioningHttps);
    const http = mode === "http-and-https" ? onEach(addresses, ports.provisioningHttp) : [];
    return await openBoth(
      () => this.#https.open(https, config),
      () => this.#http.open(http, config),
    );
  }

  setIdentity(identity: Identity): void {
    const { allowTls10 } = this.#o.settings();
    for (const listener of this.#https.all) listener.setIdentity(identity, allowTls10);
  }

  get listening(): Readonly<Record<string, Endpoint>> {
    return {
      ...this.#https.named("provisioningHttps"),
      ...this.#http.named("provisioningHttp"),
    };
  }

  get pending(): number {
    return this.#all.reduce((sum, { pending }) => sum + pending, 0);
  }

  closeFrom(source: string): void {
    for (const listener of this.#all) {
      listener.closeFrom(({ address }) => sourceOf(address) === source);
    }
  }

  endOthers(instances: ReadonlySet<string>): void {
    for (const [exchange, { name }] of this.#open) if (!instances.has(name)) exchange.destroy();
  }

  stopListening(): void {
    this.#https.stop();
    this.#http.stop();
  }

  close(): void {
    this.#https.close();
    this.#http.close();
  }

  get #all(): readonly HttpListener[] {
    return [...this.#https.all, ...this.#http.all];
  }

  #listeners(isTls: boolean): Listeners<HttpListener> {
    return new Listeners({
      listen: (at, config) => this.#listen(at, config, isTls),
      closed: (listener) => listener.closeFrom(() => true),
    });
  }

  #listen(local: Endpoint, config: ProxyConfig, isTls: boolean): Promise<HttpListener> {
    return this.#o.clients.listen(local, config, {
      isTls,
      request: (exchange) => this.#request(exchange),
      upgrade: (exchange) => {
        if (this.#admits(exchange)) this.#refuse(exchange, exchange.target);
      },
    });
  }

  #request(exchange: HttpExchange): void {
    if (!this.#admits(exchange)) return;
    const { phoneProvisioning: mode } = this.#o.settings();
    const { instances } = this.#o;
    const lookUp = lookUpPhone(exchange, { mode, tokens: this.#tokensNow(), instances });
    if (lookUp.found === null) this.#refuse(exchange, lookUp.what);
    else this.#pass(exchange, lookUp.found, lookUp);
  }

  #admits(exchange: Pick<HttpExchange, "remote" | "destroy">): boolean {
    this.requests += 1;
    if (this.#o.admission.asks(exchange.remote.address)) return true;
    exchange.destroy();
    return false;
  }

  /** A reload may have brought another key. */
  #tokensNow(): ProvisioningTokens {
    const config = this.#o.settings();
    if (this.#tokens?.of !== config) {
      this.#tokens = { of: config, made: new ProvisioningTokens(this.#o.key(config)) };
    }
    return this.#tokens.made;
  }

  #refuse(exchange: Pick<HttpExchange, "answer" | "remote">, what: string): void {
    const { admission, clock } = this.#o;
    const pace = admission.lookUps.failed(exchange.remote.address, what);
    const page = errorPage(404, this.#newId());
    const answer = (): void => exchange.answer(page, page.body);
    if (pace === "now") answer();
    else clock.after(SLOW_MS, answer);
  }

  #pass(exchange: HttpExchange, found: FoundPhone, lookUp: LookUp): void {
    const { instance, target } = found;
    const at = provisioningUrl(instance.config);
    const { origin, host, pathname } = new URL(at.url);
    const base = pathname.replace(/\/$/, "");
    this.#open.set(exchange, instance);
    exchange.onEnd(() => this.#open.delete(exchange));
    const client = { address: exchange.remote.address, isTls: exchange.isTls, prefix: "" };
    const asHost = { ...client, host: this.#o.settings().fqdn };
    this.#o.forward.request(exchange, {
      at,
      target: `${base}${target}`,
      headers: requestHeaders(exchange.headers, asHost, host),
      response: (head) => {
        this.#answered(exchange.remote.address, head.status, lookUp);
        return outward(head, { ...found, origin, base });
      },
      fail: (status, reason) => {
        const page = errorPage(status, this.#logFailure(instance, status, reason));
        exchange.answer(page, page.body);
      },
    });
  }

  /**
   * A MAC of which the instance has nothing may be a guess. Behind a token there is none, and a phone that got
   * its file asks for further ones that not every instance has: none of that counts towards a rate.
   */
  #answered(address: string, status: number, { what, isByToken }: LookUp): void {
    const { admission } = this.#o;
    const { lookUps } = admission;
    if (status < 400) lookUps.found(address, what);
    if (isByToken || lookUps.isFound(address, what)) admission.served(address);
    else if (REFUSALS.has(status)) lookUps.failed(address, what);
  }

  #logFailure({ name }: Instance, status: number, reason: string): string {
    const id = this.#newId();
    this.#o.log.warn("provisioning-failed", { id, instance: name, status, reason });
    return id;
  }

  #newId(): string {
    return Buffer.from(this.#o.random(ID_BYTES)).toString("hex");
  }
}

type Sides = Pick<FoundPhone, "outside" | "inside"> & {
  readonly origin: string;
  readonly base: string;
};

/** As the phone may see it: what points into its own part points there by its own path. */
function outward(head: HttpResponseHead, sides: Sides): HttpResponseHead {
  const rewrite = (name: string, value: string): string => {
    if (name === "set-cookie") return outwardCookie(value, sides);
    return name === "location" || name === "content-location" ? outwardUrl(value, sides) : value;
  };
  return { ...head, headers: responseHeaders(head.headers, rewrite) };
}

/** A cookie is for all ports of a host, those of management included: it stays with the phone's own path. */
function outwardCookie(value: string, { outside, inside, origin, base }: Sides): string {
  const place = { prefix: outside, base: base + inside, isStripped: true, isTop: true };
  return rewriteValue("set-cookie", value, { ...place, origin, inside: origin });
}

/** No address of the inside is told, wherever else it points. */
function outwardUrl(value: string, { outside, inside, origin, base }: Sides): string {
  const isInside =
    value.toLowerCase().startsWith(origin) && /^(?:[/?#]|$)/.test(value.slice(origin.length));
  const path = isInside ? value.slice(origin.length) || "/" : value;
  const own = `${base}${inside}`;
  const isOwn = path.startsWith(own) && /^(?:[/?#]|$)/.test(path.slice(own.length));
  return isOwn ? outside + path.slice(own.length) : path;
}
