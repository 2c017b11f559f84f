import { describe, expect, test } from "bun:test";
import { makeRequest, makeResponse } from "../sip/make-message.ts";
import {
  addPath,
  grantedSeconds,
  knownContact,
  ownContact,
  readRegistration,
  restoreContacts,
  writeContacts,
} from "./registration.ts";

const place = { address: "10.0.3.1", port: 15060, transport: "udp" as const };

function register(...headers: [string, string][]) {
  return makeRequest({
    method: "REGISTER",
    uri: "sip:mycompany",
    headers: [
      ["Via", "SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK1"],
      ["From", "<sip:100@mycompany>;tag=a"],
      ["To", "<sip:100@MyCompany>"],
      ["Call-ID", "1"],
      ["CSeq", "1 REGISTER"],
      ...headers,
    ],
  });
}

function ok(...headers: [string, string][]) {
  const response = makeResponse(register(), 200);
  for (const [name, value] of headers) response.headers.append(name, value);
  return response;
}

const read = (request: ReturnType<typeof register>, owner = "00000001") =>
  readRegistration(request, "mycompany", () => owner);

const phone = '"Alice" <sip:100@192.168.1.10:5061;transport=tls>';

describe("reading", () => {
  test("several contacts, each with its own or the header's expiry", () => {
    const request = register(
      ["Contact", `${phone};expires=60, <sip:100@192.168.1.11>;q=0.5`],
      ["Expires", "3600"],
    );
    const { aor, contacts, removesAll } = read(request);
    expect([aor, removesAll]).toEqual(["100@mycompany", false]);
    expect(contacts.map((one) => one.expiresSeconds)).toEqual([60, 3600]);
    expect(new Set(contacts.map((one) => one.bindingId)).size).toBe(2);
  });

  test("a star removes all", () => {
    expect(read(register(["Contact", "*"], ["Expires", "0"]))).toMatchObject({
      contacts: [],
      removesAll: true,
    });
  });

  test("the same phone is the same binding after it changed port, when it has an instance id", () => {
    const id = (uri: string, more = "", owner = "00000001"): string =>
      read(register(["Contact", `<${uri}>${more}`]), owner).contacts[0]!.bindingId;
    const urn = ';+sip.instance="<urn:uuid:1>"';
    expect(id("sip:100@1.2.3.4:1", urn)).toBe(id("sip:100@1.2.3.4:2", urn));
    expect(id("sip:100@1.2.3.4:1;transport=tls")).toBe(id("sip:100@1.2.3.4:1"));
    expect(id("sip:100@1.2.3.4:1")).not.toBe(id("sip:100@1.2.3.4:2"));
    expect(id("sip:100@1.2.3.4:1")).not.toBe(id("sip:100@1.2.3.4:1", "", "00000002"));
    expect(id("sip:100@1.2.3.4:1", urn)).toBe(id("sip:100@1.2.3.4:1", urn, "00000002"));
  });

  test("a Contact that is none is refused", () => {
    expect(() => read(register(["Contact", "<sip:"]))).toThrow();
  });
});

describe("Path mode", () => {
  test("our Path on top and path among Supported, once", () => {
    const request = register(["Contact", phone], ["Supported", "outbound, gruu"]);
    addPath(request, place, "TOKEN");
    expect(request.headers.lines("path")).toEqual(["<sip:TOKEN@10.0.3.1:15060;transport=udp;lr>"]);
    expect(request.headers.values("supported")).toEqual(["outbound", "gruu", "path"]);
    expect(request.headers.get("contact")).toBe(phone);
    const before = register(["Supported", "PATH"]);
    addPath(before, place, "TOKEN");
    expect(before.headers.values("supported")).toEqual(["PATH"]);
  });
});

describe("Contact mode", () => {
  const ours = ownContact(place, "TOKEN");

  test("the Contact is ours, everything but its URI kept; obsolete ones go", () => {
    const request = register(["Contact", `${phone};expires=60;q=0.7`]);
    const [contact] = read(request).contacts;
    writeContacts(request, [{ contact: contact!, insideUri: ours }], ["sip:100@10.9.9.9"]);
    expect(request.headers.lines("contact")).toEqual([
      '"Alice" <sip:TOKEN@10.0.3.1:15060;transport=udp>;expires=60;q=0.7',
      "<sip:100@10.9.9.9>;expires=0",
    ]);
  });

  test("the phone gets its own Contact back, once, and nobody else's", () => {
    const response = ok([
      "Contact",
      "<sip:TOKEN@10.0.3.1:15060>;expires=55, <sip:100@10.9.9.9>;expires=9, <sip:OTHER@10.0.3.1:15060>",
    ]);
    response.headers.append("contact", "<sip:TOKEN@10.0.3.1:5060;x=y>");
    const known = [{ contactUri: "sip:100@192.168.1.10", insideUri: ours }];
    const isOurs = (host: string): boolean => host === "10.0.3.1";
    restoreContacts(response, (uri) => knownContact(uri, known, isOurs)?.contactUri);
    expect(response.headers.lines("contact")).toEqual(["<sip:100@192.168.1.10>;expires=55"]);
  });
});

describe("which contact an instance means", () => {
  const here = "sip:100@192.168.1.10:5061;transport=udp;pq=00000001l";
  const known = [{ contactUri: "here", insideUri: here }];
  const find = (uri: string) => knownContact(uri, known, (host) => host === "10.0.3.1")?.contactUri;

  test("its own URI, with other parameters, with our address in it", () => {
    expect(find(here)).toBe("here");
    expect(find("sip:100@192.168.1.10:5061;pq=00000001l;x=y")).toBe("here");
    expect(find("sip:100@10.0.3.1:15060;transport=udp;pq=00000001l;x-ast-orig-host=h")).toBe(
      "here",
    );
    expect(find("sip:100@192.168.1.10:5061")).toBe("here");
  });

  test("never one of another phone, whatever its address", () => {
    expect(find("sip:100@192.168.1.10:5061;transport=udp;pq=00000002l")).toBeUndefined();
    expect(find("sip:100@10.0.3.1:15060;transport=udp;pq=00000002l")).toBeUndefined();
    expect(find("sip:100@10.0.3.1:15060;transport=udp")).toBeUndefined();
    expect(find("sip:101@10.0.3.1:15060;transport=udp;pq=00000001l")).toBeUndefined();
    expect(find("tel:100")).toBeUndefined();
  });
});

describe("what the instance granted", () => {
  const [contact] = read(register(["Contact", `${phone};expires=600`])).contacts;
  const granted = (...headers: [string, string][]): number =>
    grantedSeconds(ok(...headers), contact!, (uri) => uri.startsWith("sip:100@192.168.1.10"));

  test("its own parameter for this contact counts most", () => {
    const others = "<sip:100@10.9.9.9>;expires=30";
    expect(granted(["Contact", `${others}, <sip:100@192.168.1.10:5061>;expires=120`])).toBe(120);
  });

  test("else the shortest of those it lists, the Expires header, what was asked for", () => {
    expect(granted(["Contact", "<sip:100@10.0.3.1:15060>;expires=30"])).toBe(30);
    expect(granted(["Expires", "90"])).toBe(90);
    expect(granted()).toBe(600);
  });

  test("a contact that was removed is gone, whatever else the instance lists", () => {
    const [gone] = read(register(["Contact", `${phone};expires=0`])).contacts;
    const others = ok(["Contact", "<sip:100@10.9.9.9>;expires=30"]);
    expect(grantedSeconds(others, gone!, () => false)).toBe(0);
  });
});
