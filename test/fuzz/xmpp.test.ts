/**
 * Broken openings and features against the XMPP readers: whatever comes, nothing is thrown, and what is heard
 * does not depend on how the bytes were split. PEQUOD_FUZZ and PEQUOD_SEED as in fuzz.test.ts.
 */
import { expect, test } from "bun:test";
import { InstanceFeatures } from "../../src/xmpp/features.ts";
import { ClientOpening } from "../../src/xmpp/stream-opening.ts";
import { Random } from "./random.ts";

const TRIES = Math.max(500, Number(process.env["PEQUOD_FUZZ"] ?? 20_000) / 10);
const SEED = Number(process.env["PEQUOD_SEED"] ?? 1);

const STREAM =
  "<?xml version='1.0' encoding='UTF-8'?><stream:stream to='mycompany' from=\"jörg@mycompany\" version='1.0' xml:lang='de' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const CORPUS = [
  `${STREAM}\n<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`,
  `${STREAM}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth></stream:stream>`,
  `${STREAM}<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>PLAIN</mechanism></mechanisms><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'/></stream:features><iq/>`,
  "<!DOCTYPE a [<!ENTITY b 'c'>]><!-- d --><?e f?><![CDATA[ g ]]>&amp;&#x41;&h;",
].map((text) => Buffer.from(text));

function mutant(random: Random): Buffer<ArrayBuffer> {
  let bytes = Buffer.from(random.pick(CORPUS));
  for (let changes = random.below(6); changes > 0; changes--) {
    const at = random.below(bytes.length + 1);
    const other = random.pick(CORPUS);
    const from = random.below(other.length);
    const piece = other.subarray(from, from + random.below(40));
    const cut = random.below(3) === 0 ? 0 : random.below(20);
    const byte = Buffer.from([random.below(256)]);
    const middle = random.below(2) === 0 ? byte : piece;
    bytes = Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(at + cut)]);
  }
  return bytes;
}

function pieces(bytes: Buffer<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer>[] {
  const all: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(30);
    all.push(new Uint8Array(bytes.subarray(at, end)));
    at = end;
  }
  return all;
}

/** What a client is heard to say. Of two faults in one piece the later may be told: why is of no matter. */
function heard(all: readonly Uint8Array<ArrayBuffer>[]) {
  const opening = new ClientOpening(1024);
  const said: string[] = [];
  let isInjected = false;
  for (const piece of all) {
    opening.push(piece);
    for (let one = opening.next(); one !== null; one = opening.next()) {
      if (one.kind === "refused") isInjected = one.reason === "starttls-injection";
      said.push(one.kind === "opening" ? `opening to ${one.to}` : one.kind);
    }
  }
  return { said: said.join(), isInjected };
}

/** What of an instance's answer passes; without what has come behind it, which the split decides. */
function passed(all: readonly Uint8Array<ArrayBuffer>[]): string {
  const features = new InstanceFeatures(1024);
  for (const piece of all) {
    const answer = features.push(piece);
    if (answer !== null) return JSON.stringify("offer" in answer ? answer.offer : answer.kind);
  }
  return "";
}

test("broken openings and features are heard alike in one piece and in many", () => {
  let opened = 0;
  for (let at = 0; at < TRIES; at++) {
    const random = new Random(SEED * 1_000_000 + at);
    const bytes = mutant(random);
    const { said: whole, isInjected } = heard([new Uint8Array(bytes)]);
    const { said: split } = heard(pieces(bytes, random));
    // Bytes behind <starttls/> are seen only where they came with it.
    if (!isInjected) expect(`${at} ${split}`).toBe(`${at} ${whole}`);
    expect(`${at} ${passed(pieces(bytes, random))}`).toBe(
      `${at} ${passed([new Uint8Array(bytes)])}`,
    );
    if (whole.startsWith("opening")) opened++;
  }
  expect(opened).toBeGreaterThan(TRIES / 10);
  expect(opened).toBeLessThan(TRIES);
});
