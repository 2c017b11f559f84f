import { describe, expect, test } from "bun:test";
import full from "../../../test/contract/full.json" with { type: "json" };
import { fieldsOf, pickFields } from "./fields.ts";
import { inputOf, objectOf, type Typed, typedOf, withoutEmptyRows } from "./form-values.ts";

const typed = (values: Record<string, string | string[]>): Typed =>
  new Map(Object.entries(values).map(([name, value]) => [name, [value].flat()]));

describe("a form shows an object and gives it back", () => {
  test("every proxy, instance and the appliance of the full example, as a browser sends it", () => {
    const browser = (sent: Typed): Typed =>
      new Map([...sent].map(([name, texts]) => [name, texts.map((t) => t.replace(/\n/g, "\r\n"))]));
    const isPublic = ([key]: [string, unknown]) => !/^(certificate|provisioning)Key$/.test(key);
    const published = full.proxies.map((one) =>
      Object.fromEntries(Object.entries(one).filter(isPublic)),
    );
    const cases = [
      ...published.map((one) => ["proxy", one] as const),
      ...full.instances.map((one) => ["instance", one] as const),
      ["appliance", full.appliance] as const,
    ];
    for (const [kind, object] of cases) {
      const fields = fieldsOf(kind);
      expect(objectOf(fields, browser(typedOf(fields, object)), object)).toEqual({ ...object });
    }
  });

  test("a secret is never in what a form shows, and an empty one is left out of what is sent", () => {
    const fields = fieldsOf("proxy");
    const shown = typedOf(fields, full.proxies[0]);
    expect(shown.has("certificateKey")).toBe(false);
    expect(shown.has("provisioningKey")).toBe(false);
    const { certificateKey, provisioningKey, ...public_ } = full.proxies[0] ?? {};
    const sent = objectOf(fields, typed({ certificateKey: " ", provisioningKey: "" }), public_);
    expect("certificateKey" in sent).toBe(false);
    expect("provisioningKey" in sent).toBe(false);
  });

  test("a secret that shall be new is sent as null", () => {
    const fields = pickFields("proxy", ["provisioningKey"]);
    const sent = objectOf(fields, typed({ "provisioningKey.renew": "on" }), {});
    expect(sent).toEqual({ provisioningKey: null });
  });
});

describe("reading a form", () => {
  test("leaves fields alone that are not on it", () => {
    const stored = { name: "dmz", fqdn: "old", limits: { portRest: 5, dialogs: 7 } };
    const fields = pickFields("proxy", ["fqdn", "limits.portRest"]);
    expect(objectOf(fields, typed({ fqdn: "new", "limits.portRest": "6" }), stored)).toEqual({
      name: "dmz",
      fqdn: "new",
      limits: { portRest: 6, dialogs: 7 },
    });
  });

  test("an empty field is null where that is a value, else its default", () => {
    const fields = pickFields("proxy", ["publicAddress", "ports.web", "fqdn"]);
    const sent = typed({ publicAddress: "", "ports.web": "", fqdn: " " });
    const stored = { publicAddress: "1.2.3.4", ports: { web: 1 }, fqdn: "x" };
    expect(objectOf(fields, sent, stored)).toEqual({ publicAddress: null, ports: {} });
  });

  test("what is no number is handed on as typed", () => {
    const fields = pickFields("proxy", ["ports.web", "limits.timerC"]);
    const sent = typed({ "ports.web": "http", "limits.timerC": "1.5" });
    expect(objectOf(fields, sent, {})).toEqual({
      ports: { web: "http" },
      limits: { timerC: 1.5 },
    });
    expect(objectOf(fields, typed({ "ports.web": "0x10" }), {})).toEqual({
      ports: { web: "0x10" },
    });
  });

  test("the fields of the other network mode are not sent", () => {
    const fields = pickFields("proxy", ["network.mode", "network.interface", "network.prefix6"]);
    const manual = { "network.interface": "eth1", "network.prefix6": "64" };
    expect(objectOf(fields, typed({ "network.mode": "auto", ...manual }), {})).toEqual({
      network: { mode: "auto" },
    });
    expect(objectOf(fields, typed({ "network.mode": "manual", ...manual }), {})).toEqual({
      network: { mode: "manual", interface: "eth1", prefix6: 64 },
    });
  });

  test("without the mode on the form, that of the stored network counts", () => {
    const fields = pickFields("proxy", ["network.address"]);
    const stored = { network: { mode: "manual", interface: "eth1", address: "10.0.0.1" } };
    expect(objectOf(fields, typed({ "network.address": "10.0.0.2" }), stored)).toEqual({
      network: { mode: "manual", interface: "eth1", address: "10.0.0.2" },
    });
    const auto = { network: { mode: "auto" } };
    expect(objectOf(fields, typed({ "network.address": "10.0.0.2" }), auto)).toEqual(auto);
  });

  test("instances are all, or those that are ticked", () => {
    const fields = pickFields("proxy", ["instances"]);
    const choice = (value: string, names: string[]) =>
      objectOf(fields, typed({ "instances.choice": value, instances: names }), {});
    expect(choice("all", ["a"])).toEqual({ instances: "all" });
    expect(choice("named", ["a", "b"])).toEqual({ instances: ["a", "b"] });
    expect(choice("named", [])).toEqual({ instances: [] });
  });

  test("empty rows are no entries, and what was typed is numbered like the entries", () => {
    const fields = pickFields("appliance", ["inside"]);
    const sent = typed({
      "inside[0].interface": "",
      "inside[0].address": " ",
      "inside[1].interface": "eth2",
      "inside[1].address": "10.0.3.1",
      "inside[1].netmask": "255.255.255.0",
      "inside[1].routes": "10.0.4.0/24 via 10.0.3.254\r\n\r\n10.0.5.0/24 10.0.3.253",
    });
    expect(objectOf(fields, sent, {})).toEqual({
      inside: [
        {
          interface: "eth2",
          address: "10.0.3.1",
          netmask: "255.255.255.0",
          routes: [
            { to: "10.0.4.0/24", via: "10.0.3.254" },
            { to: "10.0.5.0/24", via: "10.0.3.253" },
          ],
        },
      ],
    });
    const shown = withoutEmptyRows(fields, sent);
    expect(shown.get("inside[0].interface")).toEqual(["eth2"]);
    expect(shown.has("inside[1].interface")).toBe(false);
  });

  test("names that reach into the prototype change nothing but the object", () => {
    const sent = objectOf(fieldsOf("proxy"), typed({ "__proto__.x": "1", constructor: "1" }), {});
    expect("x" in {}).toBe(false);
    expect(sent["constructor"]).toBe(Object);
  });
});

test("a problem finds its input by its path", () => {
  const proxy = fieldsOf("proxy");
  const at = (path: string) => inputOf(proxy, { path, message: "" });
  expect(at("network.interface")).toBe("network.interface");
  expect(at("srtpSuites[1]")).toBe("srtpSuites");
  expect(at("rtpPorts")).toBe("rtpPorts.from");
  expect(at("inside.rtpPorts.from")).toBe("inside.rtpPorts.from");
  expect(at("proxies[1].name")).toBe(null);
  expect(at("")).toBe(null);
  const appliance = fieldsOf("appliance");
  const inside = (path: string) => inputOf(appliance, { path, message: "" });
  expect(inside("inside[2].routes[0].via")).toBe("inside[2].routes");
  expect(inside("inside[0].netmask")).toBe("inside[0].netmask");
  expect(inside("inside")).toBe("inside");
});
