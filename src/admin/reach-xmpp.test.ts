/** What the Test button says of an instance's XMPP server. */
import { afterEach, expect, test } from "bun:test";
import { ANSWER, insideIdentity, XmppPlace } from "../../test/flows/xmpp-place.ts";
import { PROCEED, STARTTLS, XmppInstance } from "../../test/peers/xmpp-end.ts";
import { realWorld } from "../io/world.ts";
import { reachXmpp } from "./reach-xmpp.ts";

const instances: XmppInstance[] = [];
afterEach(() => {
  for (const instance of instances.splice(0)) instance.close();
});

const TLS_OFFER = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
const mechanisms = (...names: string[]) =>
  `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${names.map((name) => `<mechanism>${name}</mechanism>`).join("")}</mechanisms>`;
const features = (text: string) => `${ANSWER}<stream:features>${text}</stream:features>`;

/** Asks an instance whose server answers like that, after its TLS where there is one. */
async function asked(tls: "off" | "starttls" | "direct", answer: string) {
  const instance = await XmppInstance.listen();
  instances.push(instance);
  const reached = reachXmpp(
    realWorld,
    XmppPlace.instance({
      port: instance.port,
      tls,
      caPem: insideIdentity.certificatePem,
    }),
  );
  const end = await instance.accepts();
  if (tls === "starttls") {
    await end.hears("streams'>");
    end.says(features(TLS_OFFER));
    await end.hears(STARTTLS);
    end.says(PROCEED);
  }
  if (tls !== "off") await end.acceptsTls(insideIdentity);
  await end.hears("to='mycompany'");
  end.says(answer);
  return reached;
}

test("over plain TCP all is well, unless nobody gets in without STARTTLS", async () => {
  expect(await asked("off", features(mechanisms("SCRAM-SHA-1")))).toBeNull();
  expect(await asked("off", features(TLS_OFFER + mechanisms("SCRAM-SHA-1")))).toBeNull();
  expect(await asked("off", features(TLS_OFFER))).toBe("xmpp-wants-tls");
});

test("behind TLS channel binding must not be offered", async () => {
  for (const tls of ["starttls", "direct"] as const) {
    expect(await asked(tls, features(mechanisms("SCRAM-SHA-1")))).toBe("xmpp-no-binding");
    const plus = mechanisms("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1");
    expect(await asked(tls, features(plus))).toBe("xmpp-binding");
    const told = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'/>";
    expect(await asked(tls, features(mechanisms("SCRAM-SHA-1") + told))).toBe("xmpp-binding");
  }
});

test("a server that refuses, or speaks something else, is not reached", async () => {
  expect(asked("off", `${ANSWER}<stream:error/>`)).rejects.toThrow("it refuses this domain");
  expect(asked("off", "220 smtp\r\n")).rejects.toThrow("it speaks no XMPP");
});
