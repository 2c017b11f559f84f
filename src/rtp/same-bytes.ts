/** Whether `bytes` hold `wanted` from `at` on. For what is no secret (an MKI). */
export function areBytesAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
