/**
 * Hosts of the inside in texts for phones: the instance's own addresses and ours that face it. Where a URI
 * or a Warning names one, phones read the instance's SIP domain, which is the name they reach it by.
 */
import type { Core } from "./core.ts";
import type { Instance } from "./instances.ts";

type Known = { readonly key: string; readonly names: readonly string[]; readonly pattern: RegExp };

export class InsideNames {
  readonly #core: () => Core;
  readonly #known = new WeakMap<Instance, Known>();

  constructor(core: () => Core) {
    this.#core = core;
  }

  /** A quick look: most lines hold none. */
  isIn(instance: Instance, text: string): boolean {
    return this.#of(instance).names.some((name) => text.includes(name));
  }

  hide(instance: Instance, text: string): string {
    const { names, pattern } = this.#of(instance);
    if (!names.some((name) => text.includes(name))) return text;
    return text.replace(pattern, instance.name);
  }

  #of(instance: Instance): Known {
    const names = this.#namesOf(instance);
    const key = names.join(" ");
    const known = this.#known.get(instance);
    if (known?.key === key) return known;
    const fresh = { key, names, pattern: patternOf(names) };
    this.#known.set(instance, fresh);
    return fresh;
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
    const hidden = inside.filter((one) => one !== null && !shown.has(one.toLowerCase()));
    return [...new Set(hidden as string[])];
  }
}

/** As a whole host, with its brackets and port; not as the end or the beginning of a longer one. */
function patternOf(names: readonly string[]): RegExp {
  const hosts = names.map((name) => {
    const text = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return name.includes(":") ? `(?<!:)\\[?${text}\\]?` : text;
  });
  return new RegExp(`(?<![\\w.-])(?:${hosts.join("|")})(?::\\d{1,5})?(?![\\w-]|\\.\\w)`, "gi");
}
