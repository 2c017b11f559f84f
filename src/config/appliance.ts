/**
 * The `appliance` of the configuration document: the virtual machine itself, its management interface eth0
 * and further interfaces towards the instances. Every field is optional.
 */
import { z } from "zod";
import { cidr, hostName, interfaceName, ipAddress, ipv4, listenPort } from "./fields.ts";

const eth0Schema = z.discriminatedUnion(
  "mode",
  [
    z.strictObject({
      mode: z.literal("dhcp").default("dhcp").describe("Address by DHCP. Default dhcp."),
    }),
    z.strictObject({
      mode: z.literal("static").describe("Address as given here. Required."),
      address: ipv4().describe("IPv4 address of eth0. Required."),
      netmask: ipv4().describe("Netmask of eth0, e.g. 255.255.255.0. Required."),
      gateway: ipv4().describe("Default gateway, inside the subnet of eth0. Required."),
    }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? 'must be "dhcp" or "static"' : undefined) },
);

const routeSchema = z.strictObject({
  to: cidr().describe("Destination network (CIDR). Required."),
  via: ipAddress().describe("Address of the router, inside the subnet of the interface. Required."),
});

const insideInterfaceSchema = z.strictObject({
  interface: interfaceName().describe(
    "Interface towards instances; never one of a proxy. Required.",
  ),
  address: ipv4().describe("IPv4 address of the appliance on this interface. Required."),
  netmask: ipv4().describe("Netmask, e.g. 255.255.255.0. Required."),
  routes: z
    .array(routeSchema)
    .default([])
    .describe("Routes to instances behind a router. Default none."),
});

const adminSchema = z.strictObject({
  port: listenPort().default(8443).describe("TCP port of the admin pages on eth0. Default 8443."),
  allowedNetworks: z
    .array(cidr())
    .default([])
    .describe(
      "Networks (CIDR) that may reach the admin pages. Default empty = any source on eth0.",
    ),
});

const sshSchema = z.strictObject({
  enabled: z.boolean().default(false).describe("Whether SSH listens on eth0. Default false."),
  keys: z
    .array(
      z.string().regex(/^(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}(?: [^\r\n]*)?$/, {
        error: "must be one line of an SSH public key, e.g. ssh-ed25519 AAAA...",
      }),
    )
    .default([])
    .describe("SSH public keys that may sign in, one line each. Default none."),
});

/** The `appliance` of the document. */
export const applianceSchema = z.strictObject({
  name: hostName().default("pequod").describe("Host name of the appliance. Default pequod."),
  eth0: eth0Schema
    .default({ mode: "dhcp" })
    .describe("Address of the management interface. Default DHCP."),
  inside: z
    .array(insideInterfaceSchema)
    .default([])
    .describe("Further interfaces towards instances. Default none."),
  dns: z.array(ipAddress()).default([]).describe("DNS servers. Default empty = as DHCP says."),
  ntp: z
    .array(z.union([ipAddress(), hostName()], { error: "must be a host name or an IP address" }))
    .default([])
    .describe("Time servers. Default empty = the system's own."),
  admin: adminSchema.prefault({}).describe("The admin pages and API."),
  ssh: sshSchema.prefault({}).describe("Remote shell for the operator."),
});

export type ApplianceConfig = z.infer<typeof applianceSchema>;
