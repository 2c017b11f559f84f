import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { INSIDE, OUTSIDE, Place } from "./place.ts";

test("a phone registers over TLS and the telephone system learns a Path to it", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  const answer = await phone.registers();
  expect(answer.status).toBe(200);

  const [register] = pbx.registers;
  const path = uriOf(register?.header("Path") ?? "");
  expect(path).toMatch(new RegExp(`^sip:[A-Za-z0-9_-]+@${INSIDE}:15060;`));
  expect(path).toContain(";lr");
  expect(register?.header("Path").length).toBeLessThan(200);
  expect(register?.values("Supported")).toContain("path");
  expect(register?.header("Max-Forwards")).toBe("69");
  expect(register?.from).toEqual({ address: INSIDE, port: 15060 });
  expect(register?.lines("Via").length).toBe(2);

  expect(answer.lines("Via").length).toBe(1);
  expect(answer.has("Path")).toBe(false);
  expect(uriOf(answer.header("Contact"))).toBe(phone.contact);
  expect(place.status.sip.flows).toBe(1);
  expect(place.status.instances["mycompany"]?.flows).toBe(1);
});

test("a call from inside reaches the phone over the very connection it registered on", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  const media = await place.pbxMedia(pbx);
  pbx.sendsInvite("100", media.sdp());
  const { message: invite, wire } = await phone.receivesOn("INVITE");
  expect(wire).toBe(phone.wire as typeof wire);
  expect(invite.uri).toBe(phone.contact);
  expect(invite.has("Route")).toBe(false);
  expect(invite.values("Record-Route").length).toBe(1);
  expect(invite.header("Via")).toContain(`SIP/2.0/TLS ${OUTSIDE}:5061;`);
});

test("the digest challenge and the credentials pass through untouched", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone({ password: "secret" });
  const challenge = 'Digest realm="asterisk", nonce="17/ab", opaque="x", algorithm=MD5, qop="auth"';
  pbx.automatic = (received) => {
    if (received.message.has("Authorization")) pbx.register(received);
    else pbx.answers(received, 401, { headers: [["WWW-Authenticate", challenge]] });
    return true;
  };
  phone.sendsRegister();
  const first = await phone.receives("401 REGISTER");
  expect(first.header("WWW-Authenticate")).toBe(challenge);
  expect((await phone.registers()).status).toBe(200);
  expect(pbx.registers[0]?.header("Authorization")).toContain('username="100", realm="asterisk"');
});

test("a registration that ends is forgotten", async () => {
  const place = await Place.open();
  await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  await phone.registers({ expires: 0 });
  expect(place.status.sip.flows).toBe(0);
});

test("the phone's own outbound proxy Route is taken off silently", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  for (const host of ["mobydick.example.com", `${OUTSIDE}:5061`, "MOBYDICK.example.com:5061"]) {
    const answer = await phone.registers({
      headers: [["Route", `<sip:${host};transport=tls;lr>`]],
    });
    expect(answer.status).toBe(200);
    expect(pbx.registers.at(-1)?.has("Route")).toBe(false);
  }
});
