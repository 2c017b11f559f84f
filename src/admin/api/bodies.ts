/** The small bodies of the API; the objects themselves are in src/config. */
import { z } from "zod";

const text = (what: string) => z.string({ error: "must be a text" }).describe(what);

export const setupSchema = z.strictObject({
  code: text("The one-time code from the console."),
  username: text("1 to 64 letters, digits, dots, hyphens, underscores or @."),
  password: text("8 to 1024 characters."),
});

export const sessionSchema = z.strictObject({
  username: text("As given at set-up."),
  password: text("As given at set-up."),
  totp: text("Not used yet.").optional(),
});

export const applySchema = z.strictObject({
  note: text("Why; stands in the history.").max(500).default(""),
});

export const backupSchema = z.union(
  [
    z.strictObject({ passphrase: text("6 to 1024 characters.") }),
    z.strictObject({ plain: z.literal(true).describe("Not encrypted, with all secrets.") }),
  ],
  { error: "must hold either passphrase, or plain: true" },
);
