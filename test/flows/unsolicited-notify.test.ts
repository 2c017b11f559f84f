import { expect, test } from "bun:test";
import type { ExtraHeaders } from "../peers/user-agent.ts";
import { sendsExactly } from "./exact-body.ts";
import { type Ends, makeEnds } from "./talk.ts";

const VOICEMAIL =
  "Messages-Waiting: yes\r\nMessage-Account: sip:100@mycompany\r\nVoice-Message: 2/8 (0/2)\r\n";

/** Sent along the Path to a phone that has not asked for it. */
function tells({ pbx }: Ends, headers: ExtraHeaders, type: string, bytes: string): void {
  const { contact, path } = pbx.registrationOf("100");
  const routes = path.map((value) => ["Route", value] as const);
  sendsExactly(pbx, "NOTIFY", {
    uri: contact,
    from: "<sip:100@mycompany>;tag=mwi",
    to: "<sip:100@mycompany>",
    headers: [...routes, ["Contact", `<${pbx.contact}>`], ...headers],
    body: { type, bytes },
  });
}

for (const transport of ["tls", "udp"] as const) {
  for (const routing of ["path", "contact"]) {
    test(`message waiting comes unasked with every byte, by ${transport}, ${routing} mode`, async () => {
      const proxy = transport === "udp" ? { voipSip: "udp", voipMedia: "rtp" } : {};
      const ends = await makeEnds({ transport, proxy, instance: { sip: { routing } } });
      const { phone, pbx } = ends;
      const headers = [
        ["Event", "message-summary"],
        ["Subscription-State", "active"],
      ] as const;
      tells(ends, headers, "application/simple-message-summary", VOICEMAIL);
      const notify = await phone.receivesOn("NOTIFY");
      expect(notify.message.body).toBe(VOICEMAIL);
      expect(notify.message.uri).toBe(phone.contact);
      phone.answers(notify, 200);
      await pbx.receives("200 NOTIFY");
    });
  }
}

test("check-sync: the phone's challenge goes back and the credentials come (outside dialogs)", async () => {
  const ends = await makeEnds();
  const { phone, pbx } = ends;
  const event = [["Event", "check-sync;reboot=true"]] as const;
  const challenge = 'Digest realm="100",nonce="n", algorithm=MD5,qop="auth"';
  tells(ends, event, "text/plain", "");
  const first = await phone.receivesOn("NOTIFY");
  expect(first.message.header("Event")).toBe("check-sync;reboot=true");
  phone.answers(first, 401, { headers: [["WWW-Authenticate", challenge]] });
  const asked = await pbx.receives("401 NOTIFY");
  expect(asked.header("WWW-Authenticate")).toBe(challenge);
  const credentials = 'Digest username="100",realm="100", nonce="n",response="0"';
  tells(ends, [...event, ["Authorization", credentials]], "text/plain", "");
  const second = await phone.receivesOn("NOTIFY");
  expect(second.message.header("Authorization")).toBe(credentials);
  phone.answers(second, 200);
  await pbx.receives("200 NOTIFY");
});

test("odd events of makers pass: what a phone does with them is its own affair", async () => {
  const ends = await makeEnds();
  for (const event of ["resync", "ua-profile", "talk", "hold", "ACTION-URI", "x-vendor;a=b"]) {
    tells(ends, [["Event", event]], "application/x-anything", "\u00ff\n");
    const notify = await ends.phone.receivesOn("NOTIFY");
    expect(notify.message.header("Event")).toBe(event);
    expect(notify.message.body).toBe("\u00ff\n");
    ends.phone.answers(notify, 489);
    await ends.pbx.receives("489 NOTIFY");
  }
});
