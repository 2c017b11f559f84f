/** The same bytes as a Buffer. What comes from a socket is one; to ask an array for its `buffer` is dear. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
