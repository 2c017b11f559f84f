/**
 * Which fields stand on which form, and in which group. The groups of a proxy are the maker's; whatever the
 * schema has beyond them follows in closed groups, so that a new field is on the page by itself.
 */
import type { TextKey } from "../i18n/texts.ts";
import { type Field, fieldsOf, type ObjectKind, pickFields } from "./fields.ts";
import type { Section } from "./form.tsx";

function open(
  title: TextKey,
  kind: ObjectKind,
  paths: readonly string[],
  when: Section["when"] = null,
): Section {
  return { title, fields: pickFields(kind, paths), isClosed: false, when };
}

function closed(title: TextKey, fields: readonly Field[]): Section {
  return { title, fields, isClosed: true, when: null };
}

export const fieldsIn = (sections: readonly Section[]): readonly Field[] =>
  sections.flatMap(({ fields }) => fields);

/** What is left of a kind of object, in groups by the beginning of the path; "" takes the rest. */
function remaining(
  kind: ObjectKind,
  taken: readonly Section[],
  groups: readonly (readonly [prefix: string, title: TextKey])[],
  isLeftOut: (field: Field) => boolean = () => false,
): Section[] {
  const used = new Set(fieldsIn(taken).map(({ path }) => path));
  const left = fieldsOf(kind).filter((field) => !used.has(field.path) && !isLeftOut(field));
  const groupOf = ({ path }: Field) => groups.find(([prefix]) => path.startsWith(prefix))?.[0];
  return groups
    .toSorted(([a], [b]) => Number(b === "") - Number(a === ""))
    .map(([prefix, title]) =>
      closed(
        title,
        left.filter((field) => groupOf(field) === prefix),
      ),
    )
    .filter(({ fields }) => fields.length > 0);
}

const MANUAL = [
  "network.interface",
  "network.address",
  "network.netmask",
  "network.gateway",
] as const;

/** `mode` of a proxy that exists: it is not on the form, and neither are the fields of the other one. */
export function proxySections(mode: string | null): readonly Section[] {
  const isNew = mode === null;
  const main = [
    open("section.general", "proxy", isNew ? ["name", "enabled"] : ["enabled"]),
    ...(isNew ? [open("section.network", "proxy", ["network.mode"])] : []),
    ...(mode === "manual" ? [open("section.network", "proxy", MANUAL)] : []),
    ...(isNew ? [open("section.manual", "proxy", MANUAL, "manual")] : []),
    open("section.identity", "proxy", ["fqdn", "certificatePem", "certificateKey"]),
    open("section.voip", "proxy", ["voipSip", "voipMedia"]),
    open("section.provisioning", "proxy", ["phoneProvisioning", "provisioningKey"]),
    open("section.clients", "proxy", ["allowXmpp"]),
    open("section.management", "proxy", ["manageInstances", "redirectionUrl"]),
    open("section.reachable", "proxy", ["instances"]),
  ];
  const groups = [
    ["inside.", "section.inside"],
    ["ports.", "section.ports"],
    ["limits.", "section.limits"],
    ["", "section.more"],
  ] as const;
  const isOfOtherMode = ({ path, when }: Field) =>
    !isNew &&
    (path === "name" || path === "network.mode" || (when !== null && when.value !== mode));
  return [...main, ...remaining("proxy", main, groups, isOfOtherMode)];
}

export function instanceSections(isNew: boolean): readonly Section[] {
  const main = [
    open("section.general", "instance", [...(isNew ? ["name"] : []), "enabled", "address"]),
    open("section.sip", "instance", ["sip.port", "sip.transport", "media"]),
  ];
  const groups = [
    ["web.", "section.web"],
    ["provisioning.", "section.provisioning"],
    ["xmpp.", "section.xmpp"],
    ["", "section.more"],
  ] as const;
  return [...main, ...remaining("instance", main, groups, ({ path }) => path === "name" && !isNew)];
}

export function applianceSections(): readonly Section[] {
  const address = ["eth0.address", "eth0.netmask", "eth0.gateway"];
  const main = [
    open("section.names", "appliance", ["name", "dns", "ntp"]),
    open("section.eth0", "appliance", ["eth0.mode"]),
    open("section.static", "appliance", address, "static"),
    open("section.inside", "appliance", ["inside"]),
    open("section.admin", "appliance", ["admin.port", "admin.allowedNetworks"]),
    open("section.ssh", "appliance", ["ssh.enabled", "ssh.keys"]),
  ];
  return [...main, ...remaining("appliance", main, [["", "section.more"]])];
}

/** The few fields that the wizard asks for. */
export const WIZARD: Readonly<Record<"instance" | "proxy" | "certificate", readonly Section[]>> = {
  instance: [
    open("section.general", "instance", ["name", "address"]),
    open("section.sip", "instance", ["sip.port", "sip.transport", "media"]),
  ],
  proxy: [
    open("section.general", "proxy", ["name"]),
    open("section.network", "proxy", ["network.mode"]),
    open("section.manual", "proxy", MANUAL, "manual"),
    open("section.identity", "proxy", ["fqdn"]),
    open("section.voip", "proxy", ["voipSip", "voipMedia"]),
  ],
  certificate: [open("section.certificates", "proxy", ["certificatePem", "certificateKey"])],
};
