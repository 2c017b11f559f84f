/** Passwords as argon2id hashes (RFC 9106); each takes some 64 MB and 150 ms, away from the main thread. */

export function hashPassword(password: string): Promise<string> {
  return Bun.password.hash(password, "argon2id");
}

/** false also for a hash that cannot be read. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  try {
    return await Bun.password.verify(password, hash);
  } catch {
    return false;
  }
}
