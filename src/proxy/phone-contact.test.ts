import { describe, expect, test } from "bun:test";
import { parseSipUri } from "../sip/uri.ts";
import { mapUris, ownerIn, ownerOf, requestUriInside, toInside, toPhone } from "./phone-contact.ts";

const owner = "1f2e3d4c";

describe("a phone's Contact inside", () => {
  for (const [outside, inside] of [
    ["sip:100@192.168.1.10:5060", "sip:100@192.168.1.10:5060;pq=1f2e3d4c"],
    [
      "sip:100@192.168.1.10:5061;transport=tls;line=a1",
      "sip:100@192.168.1.10:5061;transport=udp;line=a1;pq=1f2e3d4cl",
    ],
    ["sip:100@192.168.1.10;transport=tcp", "sip:100@192.168.1.10;transport=udp;pq=1f2e3d4ct"],
    ["sips:100@192.168.1.10", "sip:100@192.168.1.10;transport=udp;pq=1f2e3d4csn"],
    ["sips:100@h.example;transport=tcp;ob", "sip:100@h.example;transport=udp;ob;pq=1f2e3d4cst"],
    ["sips:100@[fe80::1]:5061;transport=ws", "sip:100@[fe80::1]:5061;transport=ws;pq=1f2e3d4cs"],
    ["sip:100@192.168.1.10;transport=udp", "sip:100@192.168.1.10;transport=udp;pq=1f2e3d4c"],
  ] as const) {
    test(`${outside} and back`, () => {
      expect(toInside(outside, owner, "udp")).toBe(inside);
      expect(toPhone(inside)).toBe(outside);
      expect(ownerIn(parseSipUri(inside))).toBe(owner);
    });
  }

  test("within a dialog it is changed only where it must be", () => {
    expect(toInside("sip:100@192.168.1.10:5060", null, "udp")).toBe("sip:100@192.168.1.10:5060");
    const secure = toInside("sips:100@192.168.1.10", null, "tcp");
    expect(secure).toBe("sip:100@192.168.1.10;transport=tcp;pq=sn");
    expect(toPhone(secure)).toBe("sips:100@192.168.1.10");
    expect(ownerIn(parseSipUri(secure))).toBeNull();
  });

  test("a parameter the phone made up is not taken for ours", () => {
    const inside = toInside("sip:100@192.168.1.10;pq=ffffffff", owner, "udp");
    expect(inside).toBe("sip:100@192.168.1.10;pq=1f2e3d4c");
    expect(toPhone("sip:100@192.168.1.10;pq=nonsense")).toBe("sip:100@192.168.1.10");
  });

  test("other schemes pass", () => {
    expect(toInside("tel:+4930", owner, "udp")).toBe("tel:+4930");
    expect(toPhone("tel:+4930")).toBe("tel:+4930");
  });
});

test("a Request-URI for inside has no sips and no foreign transport", () => {
  expect(requestUriInside("sips:600@mycompany", "udp")).toBe("sip:600@mycompany;transport=udp");
  expect(requestUriInside("sip:600@MyCompany;transport=tls", "udp")).toBe(
    "sip:600@mycompany;transport=udp",
  );
  expect(requestUriInside("sip:600@MyCompany", "udp")).toBe("sip:600@MyCompany");
  expect(requestUriInside("tel:600", "udp")).toBe("tel:600");
});

test("an owner is eight hex digits and the same for the same phone", () => {
  expect(ownerOf("a")).toMatch(/^[0-9a-f]{8}$/);
  expect(ownerOf("a")).toBe(ownerOf("a"));
  expect(ownerOf("a")).not.toBe(ownerOf("b"));
});

test("URIs are found in the text of a header", () => {
  const text = '"A, B" <sip:1@a;pq=x>;x="<sips:2@b>", sip:3@c';
  expect(mapUris(text, (uri) => `[${uri}]`)).toBe(
    '"A, B" <[sip:1@a;pq=x]>;x="<[sips:2@b]>", [sip:3@c]',
  );
});
