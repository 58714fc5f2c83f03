// Reads a list of the bridge: all its pages up to a limit, or an export as the bridge streams it.
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import { toVisible } from '../../domain/operations/visible-text.ts';
import { EXIT } from '../exit.ts';
import { callForStream, operate, OperatorError, type OperatorFlags } from './operator.ts';

export type ListFlags = OperatorFlags & {
  /** Without it 50, and all there are in an export. */
  limit?: number;
  format?: 'csv' | 'ndjson';
  json?: true;
};

/** A route that lists, and what it is asked. Members without a value are left out. */
export type ListRoute = { path: string; query: Readonly<Record<string, string | undefined>> };

const PAGE = 500;
const DEFAULT_LIMIT = 50;
/** A page without a match has examined thousands; no bridge has this many in a row. */
const MOST_EMPTY_PAGES = 1000;
const MEDIA_TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' };

type PageOf<P, T> = { schema: z.ZodType<P>; entries: (page: P) => T[]; nextCursor: (page: P) => string | null };

/**
 * Up to `limit` entries of a list.
 * @throws OperatorError as `operate` does, and if the list has no end
 */
export async function readList<P, T>(
  flags: ListFlags,
  route: ListRoute,
  { schema, entries, nextCursor }: PageOf<P, T>,
): Promise<T[]> {
  const listed: T[] = [];
  const limit = flags.limit ?? DEFAULT_LIMIT;
  let cursor: string | null = null;
  let emptyPages = 0;
  do {
    const asked: string = toPath(route, Math.min(PAGE, limit - listed.length), cursor);
    const page = await operate(flags, asked, { schema });
    const found = entries(page);
    listed.push(...found);
    emptyPages = found.length === 0 ? emptyPages + 1 : 0;
    const next = nextCursor(page);
    if (next !== null && (next === cursor || emptyPages > MOST_EMPTY_PAGES)) {
      const hint = 'does this address lead to the bridge?';
      throw new OperatorError(`${flags.url} lists without an end: ${hint}`, EXIT.unavailable);
    }
    cursor = next;
  } while (cursor !== null && listed.length < limit);
  return listed;
}

/** Writes an export to stdout. @throws OperatorError as `operate` does, and if it ends early */
export async function download(flags: ListFlags, route: ListRoute, format: 'csv' | 'ndjson'): Promise<void> {
  if (flags.limit !== undefined && flags.limit > PAGE) {
    throw new OperatorError(`an export has all there are, or up to ${PAGE}`, EXIT.usage);
  }
  const body = await callForStream(flags, toPath(route, flags.limit, null), MEDIA_TYPES[format]);
  try {
    await pipeline(body.setEncoding('utf8'), toVisibleLines, process.stdout, { end: false });
  } catch {
    throw new OperatorError('the bridge ended the export early: lines are missing', EXIT.later);
  }
}

async function* toVisibleLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    yield chunk
      .split(/(\r?\n)/)
      .map((part, index) => (index % 2 === 0 ? toVisible(part) : part))
      .join('');
  }
}

function toPath({ path, query }: ListRoute, limit: number | undefined, cursor: string | null): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, value);
  if (limit !== undefined) asked.set('limit', String(limit));
  if (cursor !== null) asked.set('cursor', cursor);
  return `${path}?${asked.toString()}`;
}
