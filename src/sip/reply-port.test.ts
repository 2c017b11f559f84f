import { expect, test } from "bun:test";
import { makeRequest } from "./make-message.ts";
import { replyEndpoint } from "./reply-port.ts";

const SOURCE = { address: "198.51.100.9", port: 50933 };

function portFor(agent: string | null, via: string): number {
  const headers: [string, string][] = [["Via", via]];
  if (agent !== null) headers.push(["User-Agent", agent]);
  const request = makeRequest({ method: "REGISTER", uri: "sip:mycompany", headers });
  const reply = replyEndpoint(request, SOURCE);
  expect(reply.address).toBe(SOURCE.address);
  return reply.port;
}

const VIA = "SIP/2.0/UDP 192.168.1.10:5062;branch=z9hG4bK1";

test("Cisco 79xx without rport is spoken to at the port of its Via", () => {
  for (const agent of [
    "Cisco-CP7960G/8.0",
    "Cisco-CP7941G/8.5.3",
    "cisco-cp7940G/8.12",
    "CSCO/7",
  ]) {
    expect(portFor(agent, VIA)).toBe(5062);
    expect(portFor(agent, "SIP/2.0/UDP 192.168.1.10;branch=z9hG4bK1")).toBe(5060);
    expect(portFor(agent, `${VIA};rport`)).toBe(SOURCE.port);
  }
});

test("everybody else is spoken to where the request came from", () => {
  for (const agent of [
    null,
    "snom870/8.9.3.80",
    "Cisco/SPA504G-7.6.2",
    "Yealink (Cisco-CP7960G)",
  ]) {
    expect(portFor(agent, VIA)).toBe(SOURCE.port);
  }
});
