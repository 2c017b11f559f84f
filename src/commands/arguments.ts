/** The command line: `pequod COMMAND [WORD ...] [--option VALUE | --flag ...]`. */

/** Wrong words or options: exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The operator's input is wrong, told in one line: exit 1. */
export class InputError extends Error {
  override readonly name = "InputError";
}

export type Arguments = {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<string>;
};

/** `options` take a value (`--config FILE` or `--config=FILE`), `flags` do not; anything else is wrong. */
export function parseArguments(
  given: readonly string[],
  known: {
    readonly options?: readonly string[];
    readonly flags?: readonly string[];
    readonly words: { readonly least: number; readonly most: number };
  },
): Arguments {
  const words: string[] = [];
  const options = new Map<string, string>();
  const flags = new Set<string>();
  const rest = [...given];
  for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
    if (!one.startsWith("--")) {
      words.push(one);
      continue;
    }
    const [name = "", inline] = splitOption(one.slice(2));
    if (known.flags?.includes(name) === true && inline === undefined) flags.add(name);
    else if (known.options?.includes(name) === true) {
      const value = inline ?? rest.shift();
      if (value === undefined) throw new UsageError(`--${name} needs a value`);
      options.set(name, value);
    } else throw new UsageError(`unknown option ${one}`);
  }
  const { least, most } = known.words;
  if (words.length < least) throw new UsageError("an argument is missing");
  if (words.length > most) throw new UsageError(`unexpected argument ${words[most]}`);
  return { words, options, flags };
}

function splitOption(text: string): [string, string | undefined] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}
