/** What phones see of the inside: nothing. What they send back is again what the instance had said. */
import { expect, test } from "bun:test";
import { SipText, uriOf } from "../peers/sip-text.ts";
import { calledDialog } from "../peers/user-agent.ts";
import { INSIDE, PBX, Place } from "./place.ts";
import { makeEnds, pbxCalls, phoneCalls } from "./talk.ts";

const HOPS = ["<sip:10.0.3.7;lr>", "<sip:edge@10.0.3.8:5070;transport=udp;lr>"] as const;
const VIAS = [
  "SIP/2.0/UDP 10.0.3.7:5060;branch=z9hG4bKseven",
  "SIP/2.0/TCP 10.0.3.8:5070 ;branch=z9hG4bKeight;alias",
] as const;

test("a call of a phone: Contact and Record-Route are ours, requests go to the true target by the true route", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  // Two proxies of the instance stand between it and us.
  const ours = invite.message.header("Record-Route");
  const recorded = [...HOPS].reverse().map((value) => `Record-Route: ${value}\r\n`);
  const { text } = invite.message;
  const withHops = text.replace("Record-Route:", `${recorded.join("")}Record-Route:`);
  const seen = { ...invite, message: new SipText(withHops, invite.message.from) };
  pbx.contact = "sip:asterisk@10.0.3.150:5060;line=7;x-tag=a.b";
  pbx.replies(seen, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  expect(answer.text).not.toMatch(/10\.0\.3/);
  expect(answer.values("Record-Route").length).toBe(1);
  const ack = await pbx.receives("ACK");
  expect(ack.uri).toBe(pbx.contact);
  expect(ack.values("Route")).toEqual([...HOPS]);
  phone.inDialog(dialog, "BYE");
  const bye = await pbx.receives("BYE");
  expect(bye.uri).toBe(pbx.contact);
  expect(bye.values("Route")).toEqual([...HOPS]);
  expect(ours).toContain(`@${INSIDE}:15060;transport=udp;lr`);
});

test("a call to a phone: the Vias and Record-Routes of the inside come back as they were", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  const headers = [
    ...VIAS.map((value) => ["Via", value] as const),
    ...HOPS.map((value) => ["Record-Route", value] as const),
  ];
  pbx.sendsInvite("100", far.sdp(), { headers });
  const invite = await phone.receivesOn("INVITE");
  expect(invite.message.lines("Via").length).toBe(1);
  expect(invite.message.lines("Record-Route").length).toBe(1);
  expect(invite.message.text).not.toMatch(/10\.0\.3/);
  phone.replies(invite, 180, "phone");
  phone.replies(invite, 200, "phone", near.sdp());
  for (const what of ["180 INVITE", "200 INVITE"]) {
    const answer = await pbx.receives(what);
    expect(answer.lines("Via").slice(1)).toEqual([...VIAS]);
    const [ours, ...theirs] = answer.values("Record-Route");
    expect(ours).toContain(`@${INSIDE}:15060;transport=udp;lr`);
    expect(theirs).toEqual([...HOPS]);
  }
  // Called, the phone goes by the route set as the INVITE showed it.
  const dialog = calledDialog(invite.message, "phone");
  phone.inDialog(dialog, "BYE");
  const bye = await pbx.receives("BYE");
  expect(bye.values("Route")).toEqual([...HOPS]);
  expect(bye.uri).toBe(pbx.contact);
});

test("a phone that leaves Record-Route out of its answer is reached all the same", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  const bare = invite.message.text.replace(/Record-Route:.*\r\n/, "");
  const message = new SipText(bare, invite.message.from);
  phone.replies({ ...invite, message }, 200, "phone", near.sdp());
  const { dialog } = await pbx.isAnswered();
  pbx.inDialog(dialog, "BYE");
  expect((await phone.receives("BYE")).uri).toBe(phone.contact);
});

test("after a restart of the proxy a phone's BYE still goes to the true target by the true route", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, far, near } = ends;
  pbx.sendsInvite("100", far.sdp(), { headers: [["Record-Route", HOPS[0]]] });
  const invite = await phone.receivesOn("INVITE");
  phone.replies(invite, 200, "phone", near.sdp());
  await pbx.isAnswered();
  place.proxy.close();
  await place.network.settle();
  await Place.open({ state: place.state }, place.network);
  await phone.connects();
  phone.inDialog(calledDialog(invite.message, "phone"), "BYE");
  const bye = await pbx.receives("BYE");
  expect([bye.uri, ...bye.values("Route")]).toEqual([pbx.contact, HOPS[0]]);
});

test("another state folder cannot read what was sealed: 403, counted", async () => {
  const talk = await phoneCalls(await makeEnds());
  talk.place.proxy.close();
  await talk.place.network.settle();
  const other = await Place.open({}, talk.place.network);
  await talk.phone.connects();
  talk.phone.inDialog({ ...talk.phoneSide, routes: [] }, "BYE");
  await talk.phone.receives("403 BYE");
  expect(other.status.drops["token-refused"]).toBe(1);
});

test("REFER with Replaces: the target the phone names is the instance's own again", async () => {
  const first = await phoneCalls(await makeEnds());
  const { phone, pbx, near, far } = first;
  pbx.contact = `sip:consult@${PBX}:5060`;
  const second = await phoneCalls({ ...first, near, far });
  const replaces = `Replaces=${second.phoneSide.callId}%3Bto-tag%3Dpbx%3Bfrom-tag%3Dx`;
  const target = second.phoneSide.target;
  phone.inDialog(first.phoneSide, "REFER", {
    headers: [
      ["Contact", `<${phone.contact}>`],
      ["Refer-To", `<${target}?${replaces}>`],
      ["Referred-By", `<${phone.uri}>`],
    ],
  });
  const refer = await pbx.receives("REFER");
  expect(refer.header("Refer-To")).toBe(`<sip:consult@${PBX}:5060?${replaces}>`);
  expect(refer.header("Referred-By")).toBe(`<${phone.uri}>`);
});

test("a REFER of the instance names a place the phone can call", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { phone, pbx, near } = talk;
  for (const [said, called] of [
    [`sip:300@${PBX}:5060`, "sip:300@mycompany"],
    ["sip:bridge@10.0.9.9:5070;x=1", "sip:bridge@10.0.9.9:5070;x=1"],
    ["sip:301@mycompany", "sip:301@mycompany"],
  ] as const) {
    pbx.inDialog(talk.pbxSide, "REFER", { headers: [["Refer-To", `<${said}?Replaces=a%40b>`]] });
    const refer = await phone.receives("REFER");
    expect(refer.text).not.toMatch(/10\.0\.[39]/);
    const to = uriOf(refer.header("Refer-To"));
    expect(to).toEndWith("?Replaces=a%40b");
    const invite = phone.sendsInvite("x", near.sdp(), { uri: to.split("?")[0]! });
    const seen = await pbx.receivesOn("INVITE");
    expect(seen.message.uri).toBe(called);
    pbx.answers(seen, 486);
    phone.acknowledges(invite, await phone.receives("486 INVITE"));
  }
});

test("a 302 of the instance leads where it said", async () => {
  const { phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.answers(invite, 302, { headers: [["Contact", "<sip:601@10.0.3.150:5080>;q=0.5"]] });
  const moved = await phone.receives("302 INVITE");
  phone.acknowledges(sent, moved);
  expect(moved.header("Contact")).toEndWith(";q=0.5");
  phone.sendsInvite("600", near.sdp(), { uri: uriOf(moved.header("Contact")) });
  expect((await pbx.receives("INVITE")).uri).toBe("sip:601@10.0.3.150:5080");
});

test("a GRUU of the instance's domain stays as it is", async () => {
  const ends = await makeEnds();
  const { phone, pbx } = ends;
  pbx.contact = "sip:conf@mycompany;gr=urn:uuid:f81d4fae";
  const talk = await phoneCalls(ends);
  expect(talk.phoneSide.target).toBe(pbx.contact);
  phone.inDialog(talk.phoneSide, "INFO");
  expect((await pbx.receives("INFO")).uri).toBe(pbx.contact);
});

test("From and To with inside addresses: the phone reads the domain, the instance gets its own back", async () => {
  const { phone, pbx } = await makeEnds();
  const { contact, path } = pbx.registrationOf("100");
  const from = `"Bob" <sip:200@${PBX}:5060>;tag=bob`;
  const to = `<${contact}>`;
  const routes = path.map((value) => ["Route", value] as const);
  const headers = [...routes, ["Contact", `<${pbx.contact}>`] as const];
  const parts = { uri: contact, from, to, callId: "asterisk", cseq: 1, headers, body: "" };
  pbx.requests("MESSAGE", parts, { routes: path });
  const message = await phone.receivesOn("MESSAGE");
  expect(message.message.header("From")).toBe('"Bob" <sip:200@mycompany>;tag=bob');
  expect(message.message.header("To")).toBe(`<${phone.contact}>`);
  phone.answers(message, 200, { tag: "phone" });
  const answer = await pbx.receives("200 MESSAGE");
  expect(answer.header("From")).toBe(from);
  expect(answer.header("To")).toBe(`${to};tag=phone`);
});

test("Service-Route leads through us to where the instance said (RFC 3608)", async () => {
  const { phone, pbx } = await makeEnds();
  pbx.automatic = (received) => {
    if (received.message.method !== "REGISTER") return false;
    const contact = received.message.header("Contact");
    const path = received.message.header("Path");
    const headers = [
      ["Contact", contact],
      ["Path", path],
      ["Service-Route", HOPS[0]],
    ] as const;
    pbx.answers(received, 200, { headers });
    return true;
  };
  const answer = await phone.registers();
  const [route] = answer.values("Service-Route");
  expect(answer.text).not.toMatch(/10\.0\.3/);
  phone.requests("MESSAGE", {
    uri: "sip:600@mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: "<sip:600@mycompany>",
    callId: "service",
    cseq: 1,
    headers: [["Route", route!]],
  });
  expect((await pbx.receives("MESSAGE")).values("Route")).toEqual([HOPS[0]]);
});

test("Server and User-Agent of the instance are kept from phones where wanted", async () => {
  for (const hideSoftware of [false, true]) {
    const ends = await makeEnds({ instance: { sip: { hideSoftware } } });
    const { phone, pbx } = ends;
    const talk = await phoneCalls(ends);
    phone.inDialog(talk.phoneSide, "INFO", { headers: [["User-Agent", "Snom"]] });
    const info = await pbx.receivesOn("INFO");
    expect(info.message.header("User-Agent")).toBe("Snom");
    pbx.answers(info, 200, { headers: [["Server", "Asterisk"]] });
    expect((await phone.receives("200 INFO")).has("Server")).toBe(!hideSoftware);
    pbx.inDialog(talk.pbxSide, "INFO", { headers: [["User-Agent", "Asterisk"]] });
    expect((await phone.receives("INFO")).has("User-Agent")).toBe(!hideSoftware);
  }
});

test("routes too long to be carried are counted, and the call goes on without them", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, far, near } = ends;
  const long = `<sip:${"x".repeat(300)}@10.0.3.7;lr>`;
  pbx.sendsInvite("100", far.sdp(), { headers: [["Record-Route", long]] });
  const invite = await phone.receivesOn("INVITE");
  phone.replies(invite, 200, "phone", near.sdp());
  await pbx.isAnswered();
  expect(place.status.drops["routes-too-long"]).toBe(1);
  phone.inDialog(calledDialog(invite.message, "phone"), "BYE");
  const bye = await pbx.receives("BYE");
  expect([bye.uri, ...bye.values("Route")]).toEqual([pbx.contact]);
});

test("a strict router's request, our Route in the Request-URI and the target last, arrives as well", async () => {
  const { phone, pbx, phoneSide } = await phoneCalls(await makeEnds());
  const [route = ""] = phoneSide.routes;
  phone.inDialog({ ...phoneSide, target: uriOf(route), routes: [`<${phoneSide.target}>`] }, "BYE");
  const bye = await pbx.receives("BYE");
  expect([bye.uri, bye.has("Route")]).toEqual([pbx.contact, false]);
});
