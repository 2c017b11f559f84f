/** Row 2.5: two phones of one user whose Contacts are the same ring both, and each knows its own only. */
import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import type { Received } from "../peers/sip-peer.ts";
import { uriOf } from "../peers/sip-text.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { Place } from "./place.ts";
import { Nat } from "./simulated-nat.ts";

const SAME = "sip:100@192.168.1.10:5060;transport=tls";

type Stored = { readonly contact: string; readonly path: string };

/** Like Asterisk: a contact is known by its URI, its Path overwritten, all listed in the 200. */
function keepsContacts(pbx: TelephoneSystem): Map<string, Stored> {
  const contacts = new Map<string, Stored>();
  pbx.automatic = (received: Received) => {
    const { message } = received;
    if (message.method === "OPTIONS") pbx.answers(received, 200);
    if (message.method !== "REGISTER") return message.method === "OPTIONS";
    for (const contact of message.values("Contact")) {
      const isGone = /;expires=0$/.test(contact) || message.lines("Expires")[0] === "0";
      if (isGone) contacts.delete(uriOf(contact));
      else contacts.set(uriOf(contact), { contact: uriOf(contact), path: message.header("Path") });
    }
    const listed = [...contacts.keys()].map((uri) => ["Contact", `<${uri}>;expires=600`] as const);
    pbx.answers(received, 200, { headers: [...listed, ["Path", message.header("Path")]] });
    return true;
  };
  return contacts;
}

function calls(pbx: TelephoneSystem, { contact, path }: Stored): void {
  const source = { address: "", port: 0 };
  const wire = pbx.wire!;
  pbx.registrations.set("100", { contact, path: [path], source, wire });
  pbx.requestsTo("100", "INVITE");
}

async function registersAs(phone: Phone, contact: string): Promise<void> {
  phone.requests("REGISTER", {
    uri: "sip:mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: `<${phone.uri}>`,
    callId: phone.newId(),
    cseq: 1,
    headers: [["Contact", `<${contact}>;+sip.instance="<urn:uuid:1>"`]],
  });
  await phone.receives("200 REGISTER");
}

async function twoHomes() {
  const place = await Place.open();
  const pbx = await place.pbx();
  const contacts = keepsContacts(pbx);
  const far = new Nat({ name: "far", publicAddress: "198.51.100.20" });
  const here = await place.phone();
  const there = await place.phone({ nat: far });
  here.contact = SAME;
  there.contact = SAME;
  there.newId(); // both count from 1, and phones do not share a Call-ID
  const answers = [await here.registers(), await there.registers()];
  return { place, pbx, contacts, here, there, answers };
}

test("two homes, one private address: two contacts inside, both phones ring, each with its own Contact", async () => {
  const { pbx, contacts, here, there, answers } = await twoHomes();
  expect(contacts.size).toBe(2);
  for (const uri of contacts.keys()) {
    expect(uri).toMatch(/^sip:100@192\.168\.1\.10:5060;transport=udp;pq=[0-9a-f]{8}l$/);
  }
  for (const answer of answers) expect(answer.values("Contact").map(uriOf)).toEqual([SAME]);
  const [first, second] = [...contacts.values()];
  calls(pbx, first!);
  expect((await here.receives("INVITE")).uri).toBe(SAME);
  await there.receivesNothingMore();
  calls(pbx, second!);
  const invite = await there.receives("INVITE");
  expect(invite.uri).toBe(SAME);
  expect(invite.text).not.toContain("pq=");
  await here.receivesNothingMore();
});

test("a refresh changes nothing, and one phone's leaving leaves the other's contact", async () => {
  const { contacts, here, there } = await twoHomes();
  const before = [...contacts.keys()];
  await here.registers();
  await there.registers();
  expect([...contacts.keys()]).toEqual(before);
  await here.registers({ expires: 0 });
  expect([...contacts.keys()]).toEqual(before.slice(1));
});

test("a phone that was switched off and on again, from where it was, keeps its contact", async () => {
  const { place, contacts, here } = await twoHomes();
  const before = [...contacts.keys()];
  here.wire?.close();
  await place.network.settle();
  const again = await place.phone();
  again.contact = SAME;
  await again.registers();
  expect([...contacts.keys()]).toEqual(before);
});

test("a phone with an instance id is the same phone wherever it comes from, and its old contact goes", async () => {
  const place = await Place.open();
  const contacts = keepsContacts(await place.pbx());
  const phone = await place.phone();
  await registersAs(phone, "sip:100@192.168.1.10:40001");
  phone.wire?.close();
  await place.network.settle();
  await phone.connects();
  await registersAs(phone, "sip:100@10.9.9.9:40002");
  expect([...contacts.keys()].map((uri) => uri.split(";")[0])).toEqual(["sip:100@10.9.9.9:40002"]);
});

test("a phone without one that comes back by another port leaves no contact behind", async () => {
  const place = await Place.open();
  const contacts = keepsContacts(await place.pbx());
  const phone = await place.phone();
  await phone.registers();
  phone.wire?.close();
  await place.network.settle();
  await phone.connects();
  const answer = await phone.registers();
  expect(contacts.size).toBe(1);
  expect(answer.values("Contact").map(uriOf)).toEqual([phone.contact]);
});
