/** Bad documents: fields of the wrong kind, names, certificates and other values. */
import type { BadDocument } from "./change.ts";
import full from "./full.json" with { type: "json" };

const certificate = full.proxies[0]?.certificatePem ?? "";
const key = full.proxies[0]?.certificateKey ?? "";
const otherCertificate = full.instances[1]?.sip.caPem ?? "";
const pem = (label: string, body: string) =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

const pbx = { name: "second", address: "10.0.3.151" };
export const badShapes: readonly BadDocument[] = [
  ["without a version", { version: undefined }, ["version: is required"]],
  ["with an unknown key at the top", { extra: 1 }, ["extra: unknown field"]],
  [
    "with an unknown key deep inside",
    { "proxies[0].inside.sipPorts": 1 },
    ["proxies[0].inside.sipPorts: unknown field"],
  ],
  [
    "with an unknown limit",
    { "proxies[0].limits.calls": 5 },
    ["proxies[0].limits.calls: unknown field"],
  ],
  [
    "with a limit above its maximum",
    { "proxies[0].limits.headerBytes": 70_000 },
    ["proxies[0].limits.headerBytes: must be at most 65536"],
  ],
  [
    "with half a packet a second",
    { "proxies[0].limits.packetsPerSecond": 99.5 },
    ["proxies[0].limits.packetsPerSecond: must be a whole number"],
  ],
  ["with proxies that are no list", { proxies: {} }, ["proxies: must be a list"]],
  ["with a proxy that is null", { "proxies[1]": null }, ["proxies[1]: must be an object"]],
  [
    "with a text for a number",
    { "instances[0].sip.port": "5060" },
    ["instances[0].sip.port: must be a number"],
  ],
  [
    "with a word for a boolean",
    { "proxies[0].allowXmpp": "yes" },
    ["proxies[0].allowXmpp: must be true or false"],
  ],
  [
    "with port 0 of an instance",
    { "instances[0].sip.port": 0 },
    ["instances[0].sip.port: must be at least 1"],
  ],
  [
    "with a port too high",
    { "proxies[0].ports.web": 65_536 },
    ["proxies[0].ports.web: must be at most 65535"],
  ],
];

export const badNames: readonly BadDocument[] = [
  [
    "with an instance name that holds a dot",
    { "instances[0].name": "my.company" },
    ["instances[0].name: must be 1 to 63 letters, digits or hyphens"],
  ],
  [
    "with an instance name of 64 characters",
    { "instances[0].name": "a".repeat(64) },
    ["instances[0].name: must be 1 to 63 letters, digits or hyphens"],
  ],
  [
    "with one instance name twice, in another case",
    { "instances[1]": { ...pbx, name: "MyCompany" } },
    ["instances[1].name: is already the name of instances[0]"],
  ],
  [
    "with an alias that is another instance's name",
    { "instances[1]": pbx, "instances[0].aliases": ["SECOND"] },
    ["instances[0].aliases[0]: is already the name of instances[1]"],
  ],
  [
    "with one alias at two instances",
    {
      "instances[0].aliases": ["pbx.example.com"],
      "instances[1]": { ...pbx, aliases: ["PBX.example.com"] },
    },
    ["instances[1].aliases[0]: is already an alias of instances[0]"],
  ],
  [
    "with an alias that is no host name",
    { "instances[0].aliases": ["pbx_1.example.com"] },
    ["instances[0].aliases[0]: must be a host name"],
  ],
  [
    "with two instances at one address and SIP port",
    { "instances[1]": { ...pbx, address: "10.0.3.150" } },
    ["instances[1].address: same address and SIP port as instances[0]"],
  ],
  [
    "with two instances at one IPv6 address spelt in two ways",
    { "instances[0].address": "fd00::5", "instances[1]": { ...pbx, address: "FD00:0:0::5" } },
    ["instances[1].address: same address and SIP port as instances[0]"],
  ],
  [
    "with an instance at a multicast address",
    { "instances[0].address": "239.1.1.1" },
    ["instances[0].address: must be the address of one host, not a multicast one"],
  ],
  [
    "with a proxy name in capitals",
    { "proxies[0].name": "DMZ" },
    ["proxies[0].name: must be 1 to 32 lower-case letters, digits or hyphens"],
  ],
  [
    "with one proxy name twice",
    { "proxies[1].name": "dmz" },
    ["proxies[1].name: is already the name of proxies[0]"],
  ],
  [
    "with a list that names an unknown instance",
    { "proxies[0].instances": ["MYCOMPANY", "mycompany.example.com"] },
    ["proxies[0].instances[1]: no instance has this name"],
  ],
  [
    "with a list that names an instance twice",
    { "proxies[0].instances": ["mycompany", "MyCompany"] },
    ["proxies[0].instances[1]: is listed twice"],
  ],
  [
    "with a word for the list of instances",
    { "proxies[0].instances": "mycompany" },
    ['proxies[0].instances: must be "all" or a list of instance names'],
  ],
  [
    "with an FQDN that is a mistyped address",
    { "proxies[0].fqdn": "10.5.6.300" },
    ["proxies[0].fqdn: must be a host name or an IP address"],
  ],
];

export const badValues: readonly BadDocument[] = [
  [
    "with a certificate without a key",
    { "proxies[0].certificatePem": certificate },
    ["proxies[0].certificateKey: the certificate needs its key"],
  ],
  [
    "with a key without a certificate",
    { "proxies[0].certificateKey": key },
    ["proxies[0].certificatePem: the key needs its certificate"],
  ],
  [
    "with a key that belongs to another certificate",
    { "proxies[0].certificatePem": otherCertificate, "proxies[0].certificateKey": key },
    ["proxies[0].certificateKey: does not belong to any certificate in certificatePem"],
  ],
  [
    "with a certificate and a key that are damaged",
    {
      "proxies[0].certificatePem": certificate + pem("CERTIFICATE", "AAAA"),
      "proxies[0].certificateKey": pem("PRIVATE KEY", "AAAA"),
    },
    [
      "proxies[0].certificatePem: certificate 2 cannot be read",
      "proxies[0].certificateKey: cannot be read as a private key",
    ],
  ],
  [
    "with an encrypted key",
    {
      "proxies[0].certificatePem": certificate,
      "proxies[0].certificateKey": pem("ENCRYPTED PRIVATE KEY", "AAAA"),
    },
    ["proxies[0].certificateKey: is encrypted with a passphrase; it is needed without"],
  ],
  [
    "with a certificate cut off",
    { "instances[0].sip.caPem": certificate.slice(0, 500) },
    ["instances[0].sip.caPem: a certificate has no -----END CERTIFICATE----- line"],
  ],
  [
    "with a text for a certification authority",
    { "instances[0].web.caPem": "my CA" },
    [
      "instances[0].web.caPem: must be one or more certificates in PEM (-----BEGIN CERTIFICATE-----)",
    ],
  ],
  [
    "with a provisioning key of 31 bytes",
    { "proxies[0].provisioningKey": Buffer.alloc(31, 7).toString("base64") },
    ["proxies[0].provisioningKey: must be 32 bytes in base64 (44 characters)"],
  ],
  [
    "without an SRTP suite",
    { "proxies[0].srtpSuites": [] },
    ["proxies[0].srtpSuites: must not be empty"],
  ],
  [
    "with an unknown SRTP suite",
    { "proxies[0].srtpSuites": ["F8_128_HMAC_SHA1_80"] },
    [
      'proxies[0].srtpSuites[0]: must be one of "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"',
    ],
  ],
  [
    "with an SRTP suite twice",
    { "proxies[0].srtpSuites": ["AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_32"] },
    ["proxies[0].srtpSuites[1]: is listed twice"],
  ],
  [
    "with a redirection to a script",
    { "proxies[0].redirectionUrl": "javascript:alert(1)" },
    ["proxies[0].redirectionUrl: must be a URL that starts with http:// or https://"],
  ],
  [
    "with a web URL that has a query",
    { "instances[0].web.url": "http://10.0.3.150/?x=1" },
    ["instances[0].web.url: must not hold a query or fragment"],
  ],
  [
    "with a private SSH key",
    { "appliance.ssh.keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"] },
    ["appliance.ssh.keys[0]: must be one line of an SSH public key, e.g. ssh-ed25519 AAAA..."],
  ],
];
