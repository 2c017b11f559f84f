/**
 * One XMPP client, from its first byte to its last (RFC 6120 §4, §5; XEP-0368): TLS first, from the start or
 * by STARTTLS; then the opening that names the instance is replayed to it, and from its first features on
 * both streams are one (xmpp-splice.ts). Whom an unknown name would be and whom one that is not served here
 * is, nothing tells apart.
 */
import type { Limits } from "../config/limits.ts";
import { sourceOf } from "../config/source.ts";
import type { ByteStream, ByteStreamEvents, Log, Timer, World } from "../io/types.ts";
import { type Answer, InstanceFeatures, PROCEED, STARTTLS_FEATURES } from "../xmpp/features.ts";
import { FEATURES_BYTES } from "../xmpp/server-connection.ts";
import {
  formatOpening,
  formatStreamError,
  type StreamErrorCondition,
} from "../xmpp/stream-errors.ts";
import { ClientOpening, type Heard } from "../xmpp/stream-opening.ts";
import type { Instance, Instances } from "./instances.ts";
import { connectInside } from "./xmpp-inside.ts";
import { Splice, type Traffic } from "./xmpp-splice.ts";

export type XmppClientOptions = {
  readonly world: World;
  readonly log: Log;
  readonly instances: Instances;
  readonly traffic: Traffic;
  limits(): Limits;
  /** For openings that name nobody. */
  fqdn(): string;
  /** One more of that instance has room. */
  hasRoom(instance: Instance): boolean;
  count(reason: string): void;
  /** What it found of its instance; null = the instance answered. */
  found(instance: Instance, problem: string | null): void;
  closed(client: XmppClient): void;
};

/** The first byte of a TLS record that is a handshake; no XML begins with it. */
const TLS_HANDSHAKE = 0x16;
/** A peer that never closes its half is cut off. */
const LAST_WORDS_MS = 2000;
/** A client whose one way has ended and whose other is silent. */
const HALF_CLOSED_MS = 60_000;

export class XmppClient {
  readonly source: string;
  readonly #o: XmppClientOptions;
  readonly #stream: ByteStream;
  #instance: Instance | null = null;
  #opening: ClientOpening | null;
  /** What it has said by TLS, for the instance. */
  #said: Uint8Array<ArrayBuffer>[] = [];
  #inside: ByteStream | null = null;
  #splice: Splice | null = null;
  #deadline: Timer | null = null;
  #isSecure = false;
  /** We have opened our side of the stream that is being spoken now. */
  #hasOpened = false;
  #isOver = false;

  constructor(o: XmppClientOptions, stream: ByteStream) {
    this.#o = o;
    this.#stream = stream;
    this.source = sourceOf(stream.remote.address);
    this.#opening = new ClientOpening(o.limits().xmppOpeningBytes);
    stream.events = this.#hearing((bytes) => this.#first(bytes));
    this.#openingIsDue();
    stream.resume();
  }

  /** Chosen by its opening. */
  get instance(): Instance | null {
    return this.#instance;
  }

  /** It talks with its instance. */
  get isSpliced(): boolean {
    return this.#splice !== null;
  }

  /** Time has passed; who was silent for too long is closed. */
  age(passedMs: number): void {
    const splice = this.#splice;
    if (splice === null) return;
    if (splice.isHalfGone) return this.close();
    splice.silentMs += passedMs;
    const mostMs = this.#o.limits().xmppIdleTimeout * 1000;
    if (splice.silentMs < (splice.isHalfClosed ? HALF_CLOSED_MS : mostMs)) return;
    this.#o.count("xmpp-idle");
    this.close();
  }

  /** Tells it, where it still can be told. */
  end(condition: StreamErrorCondition): void {
    if (this.#splice === null) this.#endWith(condition);
    else this.close();
  }

  close(): void {
    if (this.#splice !== null) this.#splice.close();
    else this.#stream.destroy();
  }

  #hearing(data: (bytes: Uint8Array) => void): ByteStreamEvents {
    return {
      data: (bytes) => {
        if (!this.#isOver) data(bytes);
      },
      drained() {},
      ended: () => this.#stream.end(),
      closed: () => this.#closed(),
    };
  }

  #closed(): void {
    this.#isOver = true;
    this.#deadline?.cancel();
    this.#inside?.destroy();
    this.#o.closed(this);
  }

  #first(bytes: Uint8Array): void {
    if (bytes[0] === TLS_HANDSHAKE) return this.#startTls(bytes);
    this.#stream.events = this.#hearing((more) => this.#clear(more));
    this.#clear(bytes);
  }

  #clear(bytes: Uint8Array): void {
    const opening = this.#opening;
    if (opening === null) return;
    opening.push(new Uint8Array(bytes));
    for (let heard = opening.next(); heard !== null && !this.#isOver; heard = opening.next()) {
      this.#heardInClear(heard);
    }
  }

  #heardInClear(heard: Heard): void {
    if (heard.kind === "refused") return this.#refuse(heard.condition, heard.reason);
    if (heard.kind === "end") return this.#endStream();
    if (heard.kind === "opening") {
      if (!this.#choose(heard.to)) return;
      this.#say(this.#ourOpening(heard.to ?? "") + STARTTLS_FEATURES);
      this.#hasOpened = true;
    } else {
      this.#say(PROCEED);
      this.#startTls();
    }
  }

  #startTls(first?: Uint8Array): void {
    this.#deadline?.cancel(); // a handshake has a deadline of its own
    this.#opening = null;
    this.#hasOpened = false;
    this.#stream.startTls(first).then(
      () => this.#secured(),
      (error: Error) => {
        if (this.#isOver) return;
        this.#o.count("xmpp-tls-handshake");
        this.#o.log.debug("xmpp-handshake-failed", { source: this.source, reason: error.message });
        this.#closed();
      },
    );
  }

  #secured(): void {
    if (this.#isOver) return this.#stream.destroy();
    this.#isSecure = true;
    this.#opening = new ClientOpening(this.#o.limits().xmppOpeningBytes);
    this.#stream.events = this.#hearing((bytes) => this.#secure(bytes));
    this.#openingIsDue();
    this.#stream.resume();
  }

  #secure(bytes: Uint8Array): void {
    const copy = new Uint8Array(bytes);
    this.#said.push(copy);
    this.#opening?.push(copy);
    const heard = this.#opening?.next() ?? null;
    if (heard === null) return;
    if (heard.kind === "refused") return this.#refuse(heard.condition, heard.reason);
    if (heard.kind === "opening" && this.#choose(heard.to)) this.#connect(heard.to ?? "");
  }

  /**
   * The instance is chosen once: what a client says by TLS, and the name in its handshake where that is an
   * instance's, must not lead to another than what it said before.
   */
  #choose(to: string | null): boolean {
    const { instances } = this.#o;
    const named = to === null ? undefined : instances.byDomain(to);
    const byHandshake = instances.byDomain(this.#stream.serverName ?? "");
    if (named === undefined) this.#refuse("host-unknown", "host-unknown");
    else if ([this.#instance ?? named, byHandshake ?? named].some((other) => other !== named)) {
      this.#refuse("policy-violation", "other-host");
    } else this.#instance = named;
    return this.#instance === named && !this.#isOver;
  }

  #connect(to: string): void {
    const { world, hasRoom, limits } = this.#o;
    const instance = this.#instance;
    if (instance === null) return;
    if (!hasRoom(instance)) return this.#refuse("resource-constraint", "instance-full");
    this.#deadline?.cancel(); // each step inside has its own
    this.#opening = null;
    this.#stream.pause();
    connectInside({ world, instance, to, limits: limits() }).then(
      (inside) => this.#connected(inside, instance),
      (error: Error) => this.#unreachable(error.message),
    );
  }

  #unreachable(reason: string): void {
    if (this.#instance !== null && !this.#isOver) this.#o.found(this.#instance, reason);
    this.#refuse("remote-connection-failed", "instance-unreachable");
  }

  /** Its opening goes out once more, with all that came behind it; the instance's first features pass. */
  #connected(inside: ByteStream, instance: Instance): void {
    if (this.#isOver) return inside.destroy();
    this.#inside = inside;
    const features = new InstanceFeatures(FEATURES_BYTES);
    inside.events = {
      data: (bytes) => {
        const answer = features.push(new Uint8Array(bytes));
        if (answer !== null && !this.#isOver) this.#answered(answer, inside, instance);
      },
      drained() {},
      ended: () => this.#unreachable("closed without an answer"),
      closed: (reason) => this.#unreachable(reason),
    };
    this.#arm(this.#o.limits().xmppOpeningTimeout * 1000, () => this.#unreachable("no answer"));
    for (const bytes of this.#said) {
      inside.write(bytes);
      this.#o.traffic.fromClients += bytes.length;
    }
    this.#said = [];
    inside.resume();
  }

  #answered(answer: Answer, inside: ByteStream, instance: Instance): void {
    const { config } = instance;
    if (answer.kind === "broken") return this.#unreachable("it speaks no XMPP");
    if (answer.kind === "features") {
      const { startTls, mechanisms } = answer.offer;
      if (config.xmpp.tls === "off" && startTls === "required" && mechanisms.length === 0) {
        return this.#unreachable("it requires STARTTLS, and xmpp.tls is off");
      }
    }
    this.#deadline?.cancel();
    this.#o.found(instance, null);
    inside.pause();
    const { traffic } = this.#o;
    const closed = (): void => this.#closed();
    this.#splice = new Splice({ client: this.#stream, inside, traffic, closed });
    this.#splice.heard("toClients", answer.bytes.length);
    this.#stream.write(answer.bytes);
    this.#splice.start();
  }

  #refuse(condition: StreamErrorCondition, reason: string): void {
    if (this.#isOver) return;
    this.#o.count(`xmpp-${reason}`);
    this.#endWith(condition);
  }

  /** While TLS begins nothing can be said. */
  #endWith(condition: StreamErrorCondition): void {
    if (this.#isOver) return;
    if (this.#opening === null && !this.#isSecure) return this.#stream.destroy();
    const opening = this.#hasOpened ? "" : this.#ourOpening(this.#o.fqdn());
    this.#say(opening + formatStreamError(condition));
    this.#lastWords();
  }

  #endStream(): void {
    this.#say("</stream:stream>");
    this.#lastWords();
  }

  /** What comes now is not read any more; unread bytes would make the kernel drop what we said. */
  #lastWords(): void {
    this.#isOver = true;
    this.#inside?.destroy();
    this.#stream.end();
    this.#stream.resume();
    this.#arm(LAST_WORDS_MS, () => this.#stream.destroy());
  }

  #say(text: string): void {
    this.#stream.write(Buffer.from(text));
  }

  #ourOpening(from: string): string {
    return formatOpening({ from, id: Buffer.from(this.#o.world.random(12)).toString("hex") });
  }

  #openingIsDue(): void {
    const late = (): void => this.#refuse("connection-timeout", "opening-timeout");
    this.#arm(this.#o.limits().xmppOpeningTimeout * 1000, late);
  }

  #arm(delayMs: number, fire: () => void): void {
    this.#deadline?.cancel();
    this.#deadline = this.#o.world.clock.after(delayMs, fire);
  }
}
