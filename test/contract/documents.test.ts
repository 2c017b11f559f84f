/**
 * The configuration document from outside (DESIGN: the contract): the two examples always pass, the defaults
 * are these, and each mistake is told with the path of its field and these words.
 */
import { describe, expect, test } from "bun:test";
import { checkConfig, formatProblem } from "../../src/config/check.ts";
import { badNames, badShapes, badValues } from "./bad-fields.ts";
import { badNetworks, badPorts } from "./bad-networks.ts";
import { change } from "./change.ts";
import full from "./full.json" with { type: "json" };
import minimal from "./minimal.json" with { type: "json" };

const problemLines = (input: unknown) => checkConfig(input).problems.map(formatProblem);

test("minimal.json passes, as a value and as text", () => {
  expect(problemLines(minimal)).toEqual([]);
  expect(problemLines(JSON.stringify(minimal))).toEqual([]);
});

test("full.json passes and comes back unchanged, so it leaves no field to a default", () => {
  const { config, problems } = checkConfig(full);
  expect(problems).toEqual([]);
  expect(config as unknown).toEqual(full);
});

test("what the check gives back is a document itself and passes unchanged", () => {
  const { config } = checkConfig(minimal);
  expect(checkConfig(config)).toEqual({ config, problems: [] });
});

describe("a bad document", () => {
  test.each([...badShapes, ...badNames, ...badNetworks, ...badPorts, ...badValues])(
    "%s",
    (_title, changes, expected) => {
      const result = checkConfig(change(minimal, changes));
      expect(result.problems.map(formatProblem)).toEqual([...expected]);
      expect(result.config).toBeNull();
    },
  );
});

test("all problems come at once, those of one part together, in the order of the document", () => {
  const document = change(minimal, {
    version: 2,
    "instances[0].address": "10.0.3.999",
    "instances[0].sip.transport": "sctp",
    "instances[1]": { name: "MYCOMPANY", address: "10.0.3.151", colour: "red" },
    "proxies[0].rtpPorts.from": 30001,
    "proxies[0].fqdn": undefined,
    "proxies[0].certificateKey": "secret",
    "proxies[1].network.gateway": "10.5.7.254",
    "proxies[1].voipSip": "sctp",
    "proxies[1].instances": ["mycompany", "nobody"],
  });
  expect(problemLines(document)).toEqual([
    "version: must be 1",
    "instances[0].address: must be a host name or an IP address",
    'instances[0].sip.transport: must be one of "udp", "tcp", "tls"',
    "instances[1].colour: unknown field",
    "instances[1].name: is already the name of instances[0]",
    "proxies[0].fqdn: is required",
    "proxies[0].certificateKey: must be a private key in PEM (-----BEGIN PRIVATE KEY-----)",
    'proxies[0].rtpPorts.from: must be even and below "to"',
    'proxies[1].voipSip: must be one of "tls", "udp", "off"',
    "proxies[1].instances[1]: no instance has this name",
    "proxies[1].network.gateway: must be inside 10.5.6.0/24",
  ]);
});

test.each([
  ["", "line 1, column 1: expected a value, but the text ends here"],
  ['{\n  "version": 1,\n}', "line 3, column 1: expected a key in double quotes"],
  ['{"version":1,"version":1}', 'line 1, column 14: the key "version" stands twice in one object'],
  ["[]", "must be an object"],
  ["null", "must be an object"],
  ['{"version":1,"__proto__":{}}', "__proto__: unknown field"],
  ['{"version":1,"x y":{}}', '["x y"]: unknown field'],
])("the text %p is told as such", (text, expected) => {
  expect(problemLines(text)).toEqual([expected]);
});

test("what is no document at all does no harm", () => {
  for (const value of [undefined, null, 5, true, [], Symbol("x"), () => 1]) {
    expect(problemLines(value)).toEqual(["must be an object"]);
  }
});
