/**
 * Hosts of the inside in texts for phones: the instance's own addresses and ours that face it. Where a URI
 * or a Warning names one, phones read the instance's SIP domain, which is the name they reach it by.
 */
import type { Core } from "./core.ts";
import type { Instance } from "./instances.ts";

/** The names that are hidden now, to be asked for once a message. */
export type Hidden = {
  /** A quick look: most lines hold none. */
  isIn(text: string): boolean;
  hide(text: string): string;
};

/** What the names were made of: another of these objects means other names. */
type Known = { readonly made: readonly unknown[]; readonly hidden: Hidden };

export class InsideNames {
  readonly #core: () => Core;
  readonly #known = new WeakMap<Instance, Known>();

  constructor(core: () => Core) {
    this.#core = core;
  }

  of(instance: Instance): Hidden {
    const made = [this.#core().settings(), instance.config, instance.addresses];
    const known = this.#known.get(instance);
    if (known?.made.every((one, at) => one === made[at])) return known.hidden;
    const hidden = hiddenOf(this.#namesOf(instance), instance.name);
    this.#known.set(instance, { made, hidden });
    return hidden;
  }

  /** What phones know anyway (our address outside, the instance's domains) is not hidden. */
  #namesOf(instance: Instance): readonly string[] {
    const core = this.#core();
    const { config, addresses, insideAddress } = instance;
    const { fqdn, publicAddress, publicAddress6 } = core.settings();
    const domains = [config.name, ...config.aliases];
    const open = [...domains, ...core.bindAddresses(), fqdn, publicAddress, publicAddress6];
    const shown = new Set(open.map((one) => one?.toLowerCase()));
    const inside = [config.address, ...addresses, insideAddress];
    for (const { address } of core.inner.listening) inside.push(address);
    for (const { host } of instance.targets.all) inside.push(host);
    const hidden = inside.filter((one) => one !== null && !shown.has(one.toLowerCase()));
    return [...new Set(hidden as string[])];
  }
}

function hiddenOf(names: readonly string[], shown: string): Hidden {
  const pattern = patternOf(names);
  // Names and IPv6 addresses may be written in any case, which is dearer to look for.
  const numbers = names.filter((name) => !/[a-z]/i.test(name));
  const lettered = names.length === numbers.length ? null : new RegExp(pattern.source, "i");
  const isIn = (text: string): boolean =>
    numbers.some((name) => text.includes(name)) || lettered?.test(text) === true;
  return { isIn, hide: (text) => (isIn(text) ? text.replace(pattern, shown) : text) };
}

/** As a whole host, with its brackets and port; not as the end or the beginning of a longer one. */
function patternOf(names: readonly string[]): RegExp {
  const hosts = names.map((name) => {
    const text = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return name.includes(":") ? `(?<!:)\\[?${text}\\]?` : text;
  });
  return new RegExp(`(?<![\\w.-])(?:${hosts.join("|")})(?::\\d{1,5})?(?![\\w-]|\\.\\w)`, "gi");
}
