/** One client at the demonstration's XMPP server: sign-in, binding, and the few questions every client asks. */
import type { Connection, ConnectionEvents } from "../io/types.ts";
import { SASL } from "../xmpp/names.ts";
import { escapeXml, formatOpening, formatStreamError } from "../xmpp/stream-errors.ts";
import { ScramSignIn } from "./xmpp-sign-in.ts";
import { childOf, type Stanza, StanzaReader } from "./xmpp-stanzas.ts";

const STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas";
const BIND = "urn:ietf:params:xml:ns:xmpp-bind";
const ROSTER = "jabber:iq:roster";
const DISCO = "http://jabber.org/protocol/disco#info";

export type DemoXmppRoom = {
  readonly domain: string;
  readonly users: readonly string[];
  readonly password: string;
  random(lengthBytes: number): Uint8Array;
  /** A client has said that it is there. */
  present(client: DemoXmppClient): void;
  /** For somebody else, or for `echo`. */
  message(from: DemoXmppClient, to: string, body: string): void;
  closed(client: DemoXmppClient): void;
};

export class DemoXmppClient {
  readonly #room: DemoXmppRoom;
  readonly #connection: Connection;
  readonly #signIn: ScramSignIn;
  #reader: StanzaReader;
  #isPresent = false;
  #user: string | null = null;
  #resource = "";

  constructor(room: DemoXmppRoom, connection: Connection) {
    this.#room = room;
    this.#connection = connection;
    const passwordOf = (user: string) => (room.users.includes(user) ? room.password : null);
    this.#signIn = new ScramSignIn(passwordOf, (length) => room.random(length));
    this.#reader = this.#newReader();
  }

  get events(): ConnectionEvents {
    return {
      data: (bytes) => this.#reader.push(bytes),
      closed: () => this.#room.closed(this),
    };
  }

  get user(): string | null {
    return this.#user;
  }

  get isPresent(): boolean {
    return this.#isPresent;
  }

  get address(): string {
    return `${this.#user}@${this.#room.domain}/${this.#resource}`;
  }

  say(xml: string): void {
    this.#connection.write(Buffer.from(xml));
  }

  close(): void {
    this.say(formatStreamError("system-shutdown"));
    this.#connection.end();
  }

  #newReader(): StanzaReader {
    return new StanzaReader({
      opened: (to) => this.#opened(to),
      stanza: (stanza) => (this.#user === null ? this.#authenticate(stanza) : this.#take(stanza)),
      ended: () => {
        this.say("</stream:stream>");
        this.#connection.end();
      },
    });
  }

  #opened(to: string): void {
    const { domain, random } = this.#room;
    const id = Buffer.from(random(9)).toString("hex");
    this.say(formatOpening({ from: domain, id }));
    if (to.toLowerCase() !== domain) {
      this.say(formatStreamError("host-unknown"));
      return this.#connection.end();
    }
    const offer =
      this.#user === null
        ? `<mechanisms xmlns='${SASL}'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>`
        : `<bind xmlns='${BIND}'/>`;
    this.say(`<stream:features>${offer}</stream:features>`);
  }

  #authenticate({ name, namespace, text }: Stanza): void {
    const given = Buffer.from(text, "base64").toString();
    const isFirst = name === "auth";
    if (namespace !== SASL || (!isFirst && name !== "response")) return this.#refuse();
    if (isFirst) {
      const challenge = this.#signIn.challenge(given);
      if (challenge === null) return this.#refuse();
      return this.say(`<challenge xmlns='${SASL}'>${base64(challenge)}</challenge>`);
    }
    const done = this.#signIn.finish(given);
    if (done === null) return this.#refuse();
    this.#user = done.user;
    this.#reader = this.#newReader(); // the stream begins anew (RFC 6120 §6.4.6)
    this.say(`<success xmlns='${SASL}'>${base64(done.proof)}</success>`);
  }

  #refuse(): void {
    this.say(`<failure xmlns='${SASL}'><not-authorized/></failure>`);
  }

  #take(stanza: Stanza): void {
    if (stanza.name === "iq") return this.#asked(stanza);
    if (stanza.name === "presence" && !stanza.attributes.has("type")) {
      this.#isPresent = true;
      return this.#room.present(this);
    }
    const body = childOf(stanza, "body");
    if (stanza.name !== "message" || body === undefined) return;
    this.#room.message(this, stanza.attributes.get("to") ?? "", body.text);
  }

  #asked(iq: Stanza): void {
    const type = iq.attributes.get("type");
    if (type !== "get" && type !== "set") return;
    const id = escapeXml(iq.attributes.get("id") ?? "");
    const answer = this.#answer(iq.children[0]);
    if (answer !== null) return this.say(`<iq type='result' id='${id}'>${answer}</iq>`);
    const error = `<error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error>`;
    this.say(`<iq type='error' id='${id}'>${error}</iq>`);
  }

  #answer(asked: Stanza | undefined): string | null {
    if (asked === undefined) return null;
    const { name, namespace } = asked;
    if (namespace === BIND) {
      const wanted = childOf(asked, "resource")?.text ?? "";
      this.#resource = wanted || Buffer.from(this.#room.random(6)).toString("hex");
      return `<bind xmlns='${BIND}'><jid>${escapeXml(this.address)}</jid></bind>`;
    }
    if (namespace === ROSTER) return `<query xmlns='${ROSTER}'>${this.#contacts()}</query>`;
    if (namespace === DISCO) {
      return `<query xmlns='${DISCO}'><identity category='server' type='im'/></query>`;
    }
    return name === "ping" || name === "session" ? "" : null;
  }

  /** Everybody else, and who repeats what he hears. */
  #contacts(): string {
    const others = ["echo", ...this.#room.users.filter((user) => user !== this.#user)];
    return others
      .map((user) => `<item jid='${user}@${this.#room.domain}' subscription='both'/>`)
      .join("");
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
