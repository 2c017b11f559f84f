import { expect, test } from "bun:test";
import { calledDialog } from "../peers/user-agent.ts";
import { sendsExactly, sendsExactlyInDialog } from "./exact-body.ts";
import { makeEnds } from "./talk.ts";

const PIDF =
  '<?xml version="1.0"?>\r\n<presence entity="pres:100@mycompany">\n <n>M\u00fcller</n>\t</presence>';
const TYPE = "application/pidf+xml";

test("PUBLISH: body, entity tags and conditions pass, also their refusal (RFC 3903)", async () => {
  const { phone, pbx } = await makeEnds();
  const publish = (headers: readonly (readonly [string, string])[], bytes: string): void =>
    sendsExactly(phone, "PUBLISH", {
      uri: "sip:100@mycompany",
      from: `<${phone.uri}>;tag=p`,
      to: `<${phone.uri}>`,
      headers: [["Event", "presence"], ["Expires", "3600"], ...headers],
      body: { type: TYPE, bytes },
    });
  publish([], PIDF);
  const first = await pbx.receivesOn("PUBLISH");
  expect(first.message.body).toBe(PIDF);
  expect(first.message.has("Record-Route")).toBe(false);
  pbx.answers(first, 200, {
    headers: [
      ["SIP-ETag", "dx200xyz"],
      ["Expires", "1800"],
    ],
  });
  const answer = await phone.receives("200 PUBLISH");
  expect([answer.header("SIP-ETag"), answer.header("Expires")]).toEqual(["dx200xyz", "1800"]);
  publish([["SIP-If-Match", "dx200xyz"]], "");
  const second = await pbx.receivesOn("PUBLISH");
  expect(second.message.header("SIP-If-Match")).toBe("dx200xyz");
  pbx.answers(second, 412);
  await phone.receives("412 PUBLISH");
});

test("SUBSCRIBE to presence, with winfo and filters of its body, and its NOTIFY", async () => {
  const { phone, pbx } = await makeEnds();
  const filter = "<filter-set>\n</filter-set>";
  sendsExactly(phone, "SUBSCRIBE", {
    uri: "sip:101@mycompany",
    from: `<${phone.uri}>;tag=s`,
    to: "<sip:101@mycompany>",
    headers: [
      ["Event", "presence.winfo"],
      ["Contact", `<${phone.contact}>`],
      ["Supported", "eventlist"],
    ],
    body: { type: "application/simple-filter+xml", bytes: filter },
  });
  const subscribe = await pbx.receivesOn("SUBSCRIBE");
  expect(subscribe.message.body).toBe(filter);
  expect(subscribe.message.header("Event")).toBe("presence.winfo");
  expect(subscribe.message.values("Supported")).toContain("eventlist");
  pbx.replies(subscribe, 200, "pbx");
  await phone.receives("200 SUBSCRIBE");
  sendsExactlyInDialog(pbx, calledDialog(subscribe.message, "pbx"), "NOTIFY", {
    headers: [
      ["Event", "presence.winfo"],
      ["Subscription-State", "pending;expires=5"],
      ["Contact", `<${pbx.contact}>`],
    ],
    body: { type: TYPE, bytes: PIDF },
  });
  const notify = await phone.receivesOn("NOTIFY");
  expect(notify.message.body).toBe(PIDF);
  expect(notify.message.header("Subscription-State")).toBe("pending;expires=5");
  phone.answers(notify, 200);
  await pbx.receives("200 NOTIFY");
});
