/**
 * What a message may not carry over our border, and what it gets back on its way home. Phones see one hop,
 * us: the inside's Via, Record-Route and Path, the instance's Contact and every address of the inside stay
 * inside. The Vias wait in the transaction (RFC 3261 §16.7 step 3 wants them back); what outlives it is
 * sealed into what the phone sends back, so that it survives a restart.
 *
 * Call-ID, tags and CSeq are never touched, nor credentials: they are the dialog's and the ends'.
 */
import { DEFAULT_SOURCE_HEADER } from "../config/instance.ts";
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget, FlowTokens } from "../sip/flow-token.ts";
import type { SipMessage, SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import type { SealedTexts } from "../sip/sealed-text.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { plainHost } from "./addresses.ts";
import type { Call } from "./calls.ts";
import { type Core, outerPlace } from "./core.ts";
import { InsideNames } from "./inside-names.ts";
import type { Instance } from "./instances.ts";
import { Masks, MOST_MASKS } from "./masks.ts";
import { mapUris, requestUriInside, toInside, toPhone } from "./phone-contact.ts";
import { phoneUri } from "./phone-uri.ts";
import { makesDialog, type Place, RouteTokens, routeUri } from "./routes.ts";
import {
  applyRules,
  changeContactParams,
  changeContacts,
  removeSdp,
  restoreEnds,
} from "./texts.ts";

/** One request on its way through: between which phone and which instance. */
export type Passage = {
  readonly instance: Instance;
  /** How the phone is found again. */
  readonly phone: FlowTarget;
  readonly flow: Flow;
  /** Where the instance finds us. */
  readonly inside: Place;
  readonly call: Call | null;
  /** Routes beyond us that our own carried. */
  readonly hidden: readonly string[];
};

/** Sets right what comes back for a request that has crossed. */
export type WayBack = (response: SipResponse) => SipResponse;

/** What stood in Record-Route, and the token of ours if a dialog begins here. */
type Recorded = { readonly before: readonly string[]; readonly token: string | null };

const isSips = (uri: string | undefined): boolean => /^[^<]*<?sips:/i.test(uri ?? "");
/** There a call's media session has made the SDP its own. */
const NEGOTIATING = new Set(["INVITE", "ACK", "UPDATE", "PRACK"]);

export class Border {
  readonly routes: RouteTokens;
  readonly masks: Masks;
  readonly #names: InsideNames;
  readonly #core: () => Core;
  /** What a phone calls itself in a call: an instance may have rewritten it beyond recognition. */
  readonly #dialogContacts = new WeakMap<Call, string>();

  constructor(core: () => Core, tokens: FlowTokens, seals: SealedTexts) {
    this.#core = core;
    this.routes = new RouteTokens(tokens, seals);
    this.masks = new Masks(seals);
    this.#names = new InsideNames(core);
  }

  /** A request of a phone, our Routes taken off it already. */
  toInstance(request: SipRequest, received: SipRequest, o: Passage): WayBack {
    const speaksSips = isSips(received.uri) || isSips(received.headers.get("contact"));
    const outside = this.#outside(o, speaksSips);
    const recorded = this.#record(request, o, o.inside);
    for (const route of o.hidden) request.headers.append("route", route);
    request.uri = requestUriInside(request.uri, o.inside.transport);
    this.#fromPhone(request, request.method, o);
    this.#tellSource(request, o);
    return (response) => {
      this.#recordBack(response, o, recorded, outside());
      this.#fromInstance(response, request.method, o, outside());
      restoreEnds(response, request, received);
      return response;
    };
  }

  /** A request of an instance, our Routes taken off it already. */
  toPhone(request: SipRequest, received: SipRequest, o: Passage): WayBack {
    const dialogContact = (o.call && this.#dialogContacts.get(o.call)) ?? null;
    const who = { instance: o.instance, target: o.phone, dialogContact };
    request.uri = phoneUri(this.#core(), request.uri, who);
    request.headers.remove("via");
    const outside = this.#outside(o, isSips(request.uri))();
    const recorded = this.#record(request, o, outside);
    for (const route of o.hidden) request.headers.append("route", route);
    this.#ownNames(request, (uri) =>
      uri === received.uri ? request.uri : phoneUri(this.#core(), uri, who),
    );
    this.#fromInstance(request, request.method, o, outside);
    return (response) => {
      this.#recordBack(response, o, recorded, o.inside);
      this.#fromPhone(response, request.method, o);
      restoreEnds(response, request, received);
      return response;
    };
  }

  /** A REGISTER, whose Contacts are dealt with elsewhere. */
  registerToInstance(
    request: SipRequest,
    o: Pick<Passage, "instance" | "flow"> & { readonly transport: Place["transport"] },
  ): void {
    request.headers.remove("record-route");
    request.uri = requestUriInside(request.uri, o.transport);
    this.#inward(request, o);
    this.#tellSource(request, o);
  }

  /** The answer to a REGISTER; its Contacts are the phone's own again. `phone` null: it has none. */
  answerToRegister(
    response: SipResponse,
    sent: SipRequest,
    received: SipRequest,
    o: Pick<Passage, "instance" | "flow"> & { readonly phone: FlowTarget | null },
  ): void {
    const hops = response.headers.values("service-route");
    this.#outward(response, o);
    response.headers.remove("record-route");
    const names = this.#names.of(o.instance);
    changeContactParams(response, (text) => names.hide(text));
    if (hops.length > 0 && o.phone !== null) {
      // RFC 3608: what the phone shall send its requests by.
      const uri = routeUri(outerPlace(this.#core(), o.flow), this.#user(o.phone, hops));
      response.headers.append("service-route", `<${uri}>`);
    }
    restoreEnds(response, sent, received);
  }

  /** Where the phone finds us; asked for when it is needed, since a reload may change it. */
  #outside({ flow }: Passage, speaksSips: boolean): () => Place {
    return () => ({ ...outerPlace(this.#core(), flow), isSips: speaksSips });
  }

  /** Where the phone really is; what it says of that itself was taken off. */
  #tellSource(request: SipRequest, o: Pick<Passage, "instance" | "flow">): void {
    const name = o.instance.config.sip.sourceHeader;
    if (name !== null) request.headers.append(name.toLowerCase(), o.flow.remote.address);
  }

  /** Takes the Record-Routes off that are there; leaves ours, with them sealed in, where a dialog begins. */
  #record(request: SipRequest, o: Passage, place: Place): Recorded {
    const before = request.headers.values("record-route");
    request.headers.remove("record-route");
    if (!makesDialog(request, tagOf(request.headers.get("to") ?? "")))
      return { before, token: null };
    const user = this.#user(o.phone, before);
    request.headers.prepend("record-route", `<${routeUri(place, user)}>`);
    return { before, token: user.split(".", 1)[0]! };
  }

  /**
   * What the far side has recorded stands above our Record-Route; the near side gets ours with that sealed
   * in, in the order of travel, and below it what it had recorded itself (RFC 3261 §12.1.2). A far end that
   * left ours out would leave the dialog without a way back, so it is there in any case.
   */
  #recordBack(response: SipResponse, o: Passage, recorded: Recorded, place: Place): void {
    const { before, token } = recorded;
    const all = response.headers.values("record-route");
    response.headers.remove("record-route");
    if (response.status === 100 || response.status >= 300) return;
    if (token !== null) {
      const ours = all.findIndex((value) => value.includes(token));
      const beyond = all.slice(0, Math.max(ours, 0)).reverse();
      const uri = routeUri(place, this.#user(o.phone, beyond));
      response.headers.append("record-route", `<${uri}>`);
    }
    for (const value of before) response.headers.append("record-route", value);
  }

  #user(phone: FlowTarget, hidden: readonly string[]): string {
    const user = this.routes.make(phone, hidden);
    if (user !== null) return user;
    this.#core().count("routes-too-long");
    return this.#core().tokens.make(phone);
  }

  /** From and To of an instance may be the Contact we gave it: the phone reads its own. */
  #ownNames({ headers }: SipRequest, own: (uri: string) => string): void {
    for (const name of ["from", "to"]) {
      const value = headers.get(name) ?? "";
      const changed = mapUris(value, own);
      if (changed !== value) headers.set(name, changed);
    }
  }

  #fromPhone(message: SipMessage, method: string, o: Passage): void {
    const { transport } = o.inside;
    const isDialogs = message.kind === "request" || message.status < 300;
    const left = { masks: MOST_MASKS };
    const inside = (uri: string): string => {
      if (o.call !== null && isDialogs) this.#dialogContacts.set(o.call, uri);
      return toInside(this.masks.openAll(uri, o.instance.tag, left), null, transport);
    };
    changeContacts(message, inside, "passes");
    // The instance may know a call where we do not: it would send its media wherever the phone says.
    if (o.call === null && NEGOTIATING.has(method)) removeSdp(message);
    this.#inward(message, o, left);
  }

  #inward(
    message: SipMessage,
    { instance }: Pick<Passage, "instance">,
    left = { masks: MOST_MASKS },
  ): void {
    const isSource = sourceHeadersOf(instance);
    applyRules(message, {
      isDropped: isSource,
      touches: (text) => this.masks.isIn(text),
      change: (text) => this.masks.openAll(text, instance.tag, left),
    });
  }

  #fromInstance(message: SipMessage, method: string, o: Passage, outside: Place): void {
    const mask = (uri: string): string => this.#masked(uri, o.instance, outside);
    changeContacts(message, mask, "is-dropped");
    if (o.call === null || !NEGOTIATING.has(method)) removeSdp(message);
    this.#outward(message, o);
  }

  #outward(message: SipMessage, { instance, flow }: Pick<Passage, "instance" | "flow">): void {
    const { hideSoftware } = instance.config.sip;
    const names = this.#names.of(instance);
    const isSource = sourceHeadersOf(instance);
    const isSoftware = (name: string): boolean => name === "server" || name === "user-agent";
    applyRules(message, {
      isDropped: (name) =>
        name === "path" ||
        name === "service-route" ||
        isSource(name) ||
        (hideSoftware && isSoftware(name)),
      touches: (text, name) => name === "refer-to" || text.includes(";pq=") || names.isIn(text),
      change: (text, name) => {
        const own = names.hide(mapUris(text, toPhone));
        if (name !== "refer-to") return own;
        // Replaces and the like stay behind the URI (RFC 3891 §3).
        const place = outerPlace(this.#core(), flow);
        return mapUris(own, (uri) => this.#masked(uri, instance, place));
      },
    });
  }

  /** What a phone may be sent to: by the instance's domain as it is, anything else sealed. */
  #masked(uri: string, instance: Instance, place: Place): string {
    if (!isSipUri(uri)) return uri;
    const host = plainHost(parseSipUri(uri).host);
    if (this.#core().instances.byDomain(host) === instance) return uri;
    const masked = this.masks.mask(uri, instance.tag, place);
    if (masked !== null) return masked;
    this.#core().count("contact-too-long");
    return this.#names.of(instance).hide(uri);
  }
}

const DEFAULT_SOURCE = DEFAULT_SOURCE_HEADER.toLowerCase();

/** Asked for each line of a message. */
function sourceHeadersOf({ config }: Instance): (name: string) => boolean {
  const own = config.sip.sourceHeader?.toLowerCase();
  return (name) => name === DEFAULT_SOURCE || name === own;
}
