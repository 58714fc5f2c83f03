// Reads a response body as text, up to a limit; never throws.

/** By operation. */
const LONGEST_BYTES = {
  /** A page of the listing. Graph's own limit is about 4 MB per request; pages may be longer. */
  list: 64 * 1024 * 1024,
  /** The record in a create's response: the text that was sent, and a little more. */
  create: 16 * 1024 * 1024,
  device: 1024 * 1024,
};
/** For errors, of which only the reason is used. */
const LONGEST_ERROR_BYTES = 1024 * 1024;

type Response = { status: number; body: AsyncIterable<Uint8Array> | null };

/**
 * Null if the body breaks off or is too long after decompression. Reading to the end keeps the connection alive; leaving
 * the loop early closes it. The request's timeout bounds slow bodies.
 */
export async function readBody(
  { status, body }: Response,
  operation: 'create' | 'list' | 'device',
): Promise<string | null> {
  const limit = status >= 300 ? LONGEST_ERROR_BYTES : LONGEST_BYTES[operation];
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > limit) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  // Removes a byte order mark, which is not valid in JSON but added by some proxies.
  return new TextDecoder().decode(Buffer.concat(chunks));
}
