// Reads a response body as text, up to a limit; never throws.

/** A page of the listing. Graph's own limit is about 4 MB a request; pages may be longer. */
const LONGEST_PAGE_BYTES = 64 * 1024 * 1024;
/** A record as a create answers it: the text it was sent, and a little more. */
const LONGEST_RECORD_BYTES = 16 * 1024 * 1024;
/** Of an error only the reason counts. */
const LONGEST_ERROR_BYTES = 1024 * 1024;

type Response = { status: number; body: AsyncIterable<Uint8Array> | null };

/**
 * Null where it breaks off or is too long, as it is after decompressing. Reading it to its end keeps the connection alive;
 * whoever leaves the loop early closes it. A request's time-out ends a body that drips.
 */
export async function readBody({ status, body }: Response, operation: 'create' | 'list'): Promise<string | null> {
  const limit = status >= 300 ? LONGEST_ERROR_BYTES : operation === 'list' ? LONGEST_PAGE_BYTES : LONGEST_RECORD_BYTES;
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
  // Takes a byte order mark away, which JSON has none of and proxies put there.
  return new TextDecoder().decode(Buffer.concat(chunks));
}
