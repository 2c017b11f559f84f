/**
 * Row 2.3: an instance with `rewrite_contact` puts the address it saw, which is ours, into the phone's
 * Contact and the top Record-Route. Who is meant, the token and our parameter say, never the host.
 */
import { expect, test } from "bun:test";
import { SipText, uriOf } from "../peers/sip-text.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { calledDialog } from "../peers/user-agent.ts";
import { INSIDE, Place } from "./place.ts";
import { makeEnds } from "./talk.ts";

/** As res_pjsip_nat does: host, port and transport ours, other parameters kept, the old host remembered. */
function rewritten(uri: string): string {
  const [, user, host, params = ""] = /^sip:([^@]+)@([^;]+)(.*)$/.exec(uri)!;
  const kept = params.replace(/;transport=\w+/, "");
  return `sip:${user}@${INSIDE}:15060;transport=UDP${kept};x-ast-orig-host=${host}`;
}

function rewritesContacts(pbx: TelephoneSystem, withPath: boolean): void {
  pbx.automatic = (received) => {
    const { message } = received;
    if (message.method === "OPTIONS" && message.status === 0) pbx.answers(received, 200);
    if (message.method !== "REGISTER") return message.method === "OPTIONS";
    const contact = rewritten(uriOf(message.header("Contact")));
    const path = message.values("Path");
    const source = message.from;
    const kept = withPath ? path : [];
    pbx.registrations.set("100", { contact, path: kept, source, wire: received.wire });
    const headers = [
      ["Contact", `<${contact}>;expires=600`],
      ["Path", path[0] ?? ""],
    ] as const;
    pbx.answers(received, 200, { headers });
    return true;
  };
}

for (const withPath of [true, false]) {
  test(`a call finds the phone, which sees its own Contact (Path ${withPath ? "used" : "only echoed"})`, async () => {
    const place = await Place.open();
    const pbx = await place.pbx();
    rewritesContacts(pbx, withPath);
    const phone = await place.phone();
    const answer = await phone.registers();
    expect(answer.values("Contact")).toEqual([`<${phone.contact}>;expires=600`]);
    const far = await place.pbxMedia(pbx);
    pbx.sendsInvite("100", far.sdp());
    const { message } = await phone.receivesOn("INVITE");
    expect(message.uri).toBe(phone.contact);
    expect(message.text).not.toMatch(/x-ast-orig-host|pq=|10\.0\.3/);
  });
}

test("two phones whose Contacts it has made alike: each token leads to its own", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  rewritesContacts(pbx, false);
  const first = await place.phone();
  await first.registers();
  const one = pbx.registrationOf("100");
  const second = await place.phone({ address: "192.168.1.11" });
  await second.registers();
  const two = pbx.registrationOf("100");
  expect(one.contact.split(";")[0]).toBe(two.contact.split(";")[0]!);
  pbx.registrations.set("100", one);
  pbx.requestsTo("100", "MESSAGE");
  expect((await first.receives("MESSAGE")).uri).toBe(first.contact);
  pbx.registrations.set("100", two);
  pbx.requestsTo("100", "MESSAGE");
  expect((await second.receives("MESSAGE")).uri).toBe(second.contact);
});

test("in a dialog: its rewritten Record-Route and the rewritten Contact of the phone's 200", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  // Other than registered: what the phone said in this call counts.
  const own = phone.contact.replace("sip:100@", "sip:100-line2@");
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  phone.answers(invite, 200, { tag: "phone", contact: own, body: near.sdp() });
  const { dialog } = await pbx.isAnswered();
  dialog.target = rewritten(dialog.target);
  dialog.routes = dialog.routes.map((route) => route.replace("transport=udp", "transport=UDP"));
  pbx.inDialog(dialog, "INFO");
  const info = await phone.receives("INFO");
  expect(info.uri).toBe(own);
  phone.inDialog(calledDialog(invite.message, "phone"), "BYE");
  expect((await pbx.receives("BYE")).uri).toBe(pbx.contact);
});

test("a Record-Route whose host, port and transport it has rewritten in the answer still leads back", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  const text = invite.message.text.replace(
    /(Record-Route: <sip:[^@]+@)[^>]+/,
    "$110.0.3.1:40999;transport=TCP;lr",
  );
  const message = new SipText(text, invite.message.from);
  pbx.replies({ ...invite, message }, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  expect(answer.header("Record-Route")).toContain("@203.0.113.5:5061;transport=tls;lr>");
  phone.inDialog(dialog, "BYE");
  expect((await pbx.receives("BYE")).uri).toBe(pbx.contact);
});
