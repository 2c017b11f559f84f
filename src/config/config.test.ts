import { describe, expect, test } from "bun:test";
import { checkConfig } from "./check.ts";
import { type Config, sliceFor } from "./config.ts";

/** A good document, checked. */
function config(document: unknown): Config {
  const { config: good, problems } = checkConfig(document);
  expect(problems).toEqual([]);
  if (good === null) throw new Error("no configuration");
  return good;
}

const manual = (index: number) => ({
  mode: "manual",
  interface: `eth${index}`,
  address: `10.${index}.0.2`,
  netmask: "255.255.255.0",
});

describe("defaults", () => {
  const { appliance, instances, proxies } = config({
    version: 1,
    instances: [{ name: "mycompany", address: "10.0.3.150" }],
    proxies: [{ name: "dmz", fqdn: "mobydick.example.com" }],
  });

  test("of the appliance", () => {
    expect(appliance).toEqual({
      name: "pequod",
      eth0: { mode: "dhcp" },
      inside: [],
      dns: [],
      ntp: [],
      admin: { port: 8443, allowedNetworks: [] },
      ssh: { enabled: false, keys: [] },
    });
  });

  test("of an instance", () => {
    expect(instances[0]).toEqual({
      name: "mycompany",
      aliases: [],
      enabled: true,
      address: "10.0.3.150",
      mediaNetworks: [],
      sip: {
        transport: "udp",
        largeOverTcp: false,
        healthCheck: true,
        routing: "auto",
        sourceHeader: "X-Forwarded-For",
        hideSoftware: false,
        verifyTls: true,
        caPem: null,
      },
      media: "rtp",
      plainMediaFallback: "off",
      allowClearT38: false,
      web: {
        url: "http://10.0.3.150",
        stripPrefix: true,
        keepHost: true,
        verifyTls: true,
        caPem: null,
      },
      provisioning: { url: "http://10.0.3.150" },
      xmpp: {
        port: 5222,
        tls: "off",
        verifyTls: true,
        caPem: null,
        http: false,
        httpUrl: "http://10.0.3.150:5280",
      },
    });
  });

  test("of a proxy", () => {
    const { limits: _limits, ...proxy } = proxies[0] ?? { limits: null };
    expect(proxy).toEqual({
      name: "dmz",
      enabled: true,
      network: { mode: "auto" },
      bindAddress: null,
      fqdn: "mobydick.example.com",
      publicAddress: null,
      publicAddress6: null,
      localNetworks: [],
      neverBan: [],
      certificatePem: null,
      certificateKey: null,
      redirectionUrl: null,
      redirectHttp: true,
      voipSip: "tls",
      voipMedia: "srtp",
      srtpSuites: ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"],
      allowTls10: false,
      shortExpires: false,
      latchAnySource: false,
      mediaEngine: "auto",
      mediaDscp: 46,
      sipDscp: 24,
      rtpPorts: { from: 30000, to: 35000 },
      phoneProvisioning: "https-encrypted",
      provisioningKey: null,
      allowXmpp: true,
      manageInstances: "web-ui-and-rest",
      instances: "all",
      inside: { address: null, sipPort: 15060, rtpPorts: { from: 16384, to: 29998 } },
      ports: {
        sipTls: 5061,
        sipUdp: 5060,
        provisioningHttps: 8884,
        provisioningHttp: 8880,
        xmpp: 5222,
        web: 443,
        webHttp: 80,
      },
    });
  });

  test("of the limits", () => {
    expect(proxies[0]?.limits).toEqual({
      headerBytes: 65536,
      messageBytes: 262144,
      headerLines: 256,
      contacts: 16,
      mLines: 20,
      transactions: 50000,
      targets: 16,
      dialogs: 50000,
      bindings: 50000,
      sources: 10000,
      unknownDomains: 10,
      connections: 50000,
      connectionsPerAddress: 4000,
      connectionsUnregistered: 256,
      connectionPendingBytes: 1048576,
      handshakeTimeout: 60,
      firstByteTimeout: 5,
      messageTimeout: 30,
      registrationTimeout: 30,
      connectTimeout: 4,
      healthInterval: 30,
      healthTimeout: 4,
      nextTargetTimeout: 4,
      targetRest: 30,
      targetRestMax: 300,
      dnsInterval: 60,
      pathRetry: 3600,
      timerC: 180,
      timerCMax: 900,
      closeTimeout: 5,
      mediaSessions: 5000,
      instanceMediaSessions: 5000,
      packetsPerSecond: 1000,
      ssrcs: 16,
      mediaSilent: 60,
      mediaTimeout: 300,
      callHistory: 500,
      portRest: 30,
      handshakesPerSecond: 100,
      requestsPerSecond: 100,
      requestsPerPhone: 10,
      requestsPerFlow: 50,
      burst: 10,
      failures: 10,
      failedLookUps: 50,
      refusals: 1000,
      failureWindow: 600,
      banTime: 900,
      banTimeMax: 86400,
      bans: 10000,
      knownAddresses: 20000,
      registrationsPerAddress: 4000,
      instanceRequests: 10000,
      instanceCalls: 5000,
      instanceCallsPerSecond: 100,
      userCalls: 32,
      ringingPerAddress: 256,
      forks: 64,
      keepAliveUdp: 25,
      keepAliveTls: 120,
      optionsUdp: 60,
      optionsTls: 0,
      optionsUnanswered: 3,
      optionsPending: 5000,
      flowTimerUdp: 29,
      flowTimerTls: 120,
      expiresUdp: 120,
      httpConnections: 20000,
      httpConnectionsPerAddress: 4000,
      httpInstanceConnections: 500,
      httpHeaderBytes: 32768,
      httpHeaderLines: 100,
      httpHeaderTimeout: 15,
      httpBodyTimeout: 30,
      httpBodyBytes: 1024,
      httpIdleTimeout: 60,
      httpSilentTimeout: 3600,
      httpConnectTimeout: 3,
      httpResponseTimeout: 120,
      xmppClients: 10_000,
      xmppClientsPerAddress: 1000,
      xmppClientsPerInstance: 5000,
      xmppOpeningBytes: 10_240,
      xmppOpeningTimeout: 10,
      xmppIdleTimeout: 7200,
    });
  });

  test("of a manual network", () => {
    const { proxies: zones } = config({
      version: 1,
      proxies: [{ name: "lan", fqdn: "10.1.0.2", network: manual(1) }],
    });
    expect(zones[0]?.network).toEqual({
      mode: "manual",
      interface: "eth1",
      address: "10.1.0.2",
      netmask: "255.255.255.0",
      gateway: null,
      address6: null,
      prefix6: 64,
      gateway6: null,
    });
  });
});

test("the inside SIP port left out follows the place of the proxy", () => {
  const { proxies } = config({
    version: 1,
    proxies: [
      { name: "a", fqdn: "a.example.com" },
      { name: "b", fqdn: "b.example.com", network: manual(1), inside: { sipPort: 16000 } },
      { name: "c", fqdn: "c.example.com", network: manual(2) },
    ],
  });
  expect(proxies.map(({ inside }) => inside.sipPort)).toEqual([15060, 16000, 15064]);
});

test("an IPv6 address of an instance stands in brackets in its URLs", () => {
  const { instances } = config({ version: 1, instances: [{ name: "six", address: "fd00:3::5" }] });
  expect(instances[0]?.web.url).toBe("http://[fd00:3::5]");
  expect(instances[0]?.provisioning.url).toBe("http://[fd00:3::5]");
});

test("an empty network is auto, as one left out", () => {
  const { proxies } = config({ version: 1, proxies: [{ name: "a", fqdn: "a.de", network: {} }] });
  expect(proxies[0]?.network).toEqual({ mode: "auto" });
});

test("every service may stand on any free port at the same time", () => {
  const ports = {
    sipTls: 0,
    sipUdp: 0,
    provisioningHttps: 0,
    provisioningHttp: 0,
    xmpp: 0,
    web: 0,
    webHttp: 0,
  };
  const { proxies } = config({ version: 1, proxies: [{ name: "a", fqdn: "a.de", ports }] });
  expect(proxies[0]?.ports).toEqual(ports);
});

test("a trial on loopback may tell loopback addresses", () => {
  const trial = {
    name: "trial",
    fqdn: "127.0.0.1",
    bindAddress: "127.0.0.1",
    publicAddress: "127.0.0.2",
    inside: { address: "127.0.0.1" },
  };
  const { proxies } = config({ version: 1, proxies: [trial] });
  expect(proxies[0]?.publicAddress).toBe("127.0.0.2");
});

test("media ranges may overlap where phones and instances reach us at different addresses", () => {
  const { proxies } = config({
    version: 1,
    proxies: [
      {
        name: "lan",
        fqdn: "10.1.0.2",
        network: manual(1),
        inside: { address: "10.0.3.1", rtpPorts: { from: 30000, to: 35000 } },
      },
    ],
  });
  expect(proxies[0]?.inside.rtpPorts).toEqual({ from: 30000, to: 35000 });
});

test("two proxies may share an inside port at different inside addresses", () => {
  const { proxies } = config({
    version: 1,
    proxies: [
      { name: "a", fqdn: "a.de", inside: { address: "10.0.3.1", sipPort: 15060 } },
      {
        name: "b",
        fqdn: "b.de",
        network: manual(1),
        inside: { address: "10.0.4.1", sipPort: 15060 },
      },
    ],
  });
  expect(proxies.map(({ inside }) => inside.sipPort)).toEqual([15060, 15060]);
});

describe("a slice", () => {
  const whole = config({
    version: 1,
    instances: [
      { name: "mycompany", address: "10.0.3.150" },
      { name: "Second", address: "10.0.3.151" },
      { name: "off", address: "10.0.3.152", enabled: false },
    ],
    proxies: [
      { name: "dmz", fqdn: "a.example.com" },
      { name: "lan", fqdn: "b.example.com", network: manual(1), instances: ["SECOND", "off"] },
      { name: "none", fqdn: "c.example.com", network: manual(2), instances: [] },
    ],
  });
  const namesOf = (proxy: string) => sliceFor(whole, proxy)?.instances.map(({ name }) => name);

  test("holds the proxy and nothing of the others", () => {
    const slice = sliceFor(whole, "lan");
    expect(slice?.proxy).toEqual(whole.proxies[1]);
    expect(JSON.stringify(slice)).not.toContain("a.example.com");
  });

  test("holds the enabled instances that the proxy may reach", () => {
    expect(namesOf("dmz")).toEqual(["mycompany", "Second"]);
    expect(namesOf("lan")).toEqual(["Second"]);
    expect(namesOf("none")).toEqual([]);
  });

  test("of an unknown proxy is null", () => {
    expect(sliceFor(whole, "DMZ")).toBeNull();
  });

  test("keeps the inside port that the whole document gave", () => {
    expect(sliceFor(whole, "none")?.proxy.inside.sipPort).toBe(15064);
  });
});
