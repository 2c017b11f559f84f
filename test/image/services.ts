/**
 * What a customer has beside calls, through the appliance: a phone that fetches its configuration, a browser
 * and a script that ask the telephone system, a chat client that signs in.
 */
import { expect } from "bun:test";
import net from "node:net";
import { ConfigurationServer, fetches } from "../peers/phone-http.ts";
import { OPENING, PROCEED, STARTTLS, XmppEnd, XmppInstance } from "../peers/xmpp-end.ts";

const FEATURES =
  "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>";

/** Web pages, configurations and chat of a telephone system, at the ports where they usually are. */
export class Inside {
  readonly web = new ConfigurationServer();
  readonly chat: XmppInstance;

  private constructor(chat: XmppInstance) {
    this.chat = chat;
  }

  static async open(address: string): Promise<Inside> {
    const inside = new Inside(await XmppInstance.listen({ address, port: 5222 }));
    await inside.web.opens(address, 80);
    return inside;
  }

  close(): void {
    this.web.close();
    this.chat.close();
  }
}

export type Customer = {
  readonly proxy: string;
  /** Of the client. */
  readonly from: string;
  readonly fqdn: string;
  /** Certificate of the proxy. */
  readonly ca: string;
};

/** The path of a provisioning URL, whose name no DNS of a test knows. */
export async function fetchesConfiguration(who: Customer, url: string): Promise<string> {
  const { pathname, port } = new URL(url);
  const { status, body } = await fetches({
    at: `${who.proxy}:${port}`,
    path: pathname,
    from: who.from,
  });
  expect(status).toBe(200);
  return body;
}

/** Status and body of a page of the telephone system. */
export async function opensPage(who: Customer, path: string): Promise<string> {
  const headers = { Host: who.fqdn };
  const { status, body } = await fetches({
    at: `${who.proxy}:443`,
    path,
    from: who.from,
    headers,
  });
  return `${status} ${body}`;
}

/** By STARTTLS up to the features of the telephone system. */
export async function signsInToChat(who: Customer, name: string, inside: Inside): Promise<void> {
  const socket = net.connect({
    host: who.proxy,
    port: 5222,
    localAddress: who.from,
    allowHalfOpen: true,
  });
  const client = new XmppEnd(socket);
  client.says(OPENING(name));
  await client.hears("</stream:features>");
  client.says(STARTTLS);
  await client.hears(PROCEED);
  await client.startsTls(who.ca, { servername: who.fqdn });
  client.says(OPENING(name));
  const system = await inside.chat.accepts();
  await system.hears(OPENING(name));
  system.says(OPENING("client") + FEATURES);
  await client.hears(FEATURES);
  client.closes();
  await system.hearsTheEnd();
  system.closes();
}
