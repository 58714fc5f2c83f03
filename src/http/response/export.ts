// A list as a stream: CSV or newline-delimited JSON instead of a page, by the Accept header.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { Csv } from '../../domain/lists/csv.ts';
import { toVisible } from '../../domain/operations/visible-text.ts';

type MediaType = 'text/csv' | 'application/x-ndjson';

const EXTENSIONS: Record<MediaType, string> = { 'text/csv': 'csv', 'application/x-ndjson': 'ndjson' };

/** How many entries an export reads at once. */
export const EXPORTED_AT_ONCE = 500;

/** Which export a request asks for; null for a page as JSON. */
export function exportAskedFor(req: Request, res: Response): MediaType | null {
  res.vary('Accept');
  const accepted = req.accepts(['application/json', ...Object.keys(EXTENSIONS)]);
  return accepted !== false && Object.hasOwn(EXTENSIONS, accepted) ? (accepted as MediaType) : null;
}

export type Export<T> = {
  /** Of the file, without an extension. */
  name: string;
  mediaType: MediaType;
  csv: Csv<T>;
  /** An entry as the page has it. */
  toView: (entry: T) => object;
  pages: AsyncGenerator<T[]>;
  /** Waits for the queue: while it does not answer, the answer can still be a refusal. */
  ask: <R>(answer: Promise<R>) => Promise<R>;
  /** Called if the list ends early. */
  onTrouble: (error: unknown) => void;
};

/** @throws what `ask` throws, if the first page cannot be read */
export async function sendExport<T>(req: Request, res: Response, exported: Export<T>): Promise<void> {
  const { name, mediaType, csv, toView, pages, ask, onTrouble } = exported;
  const isCsv = mediaType === 'text/csv';
  const toLine = isCsv ? csv.toLine : (entry: T) => `${toVisible(JSON.stringify(toView(entry)))}\n`;
  const first = await ask(pages.next());
  res.attachment(`${name}.${EXTENSIONS[mediaType]}`).type(`${mediaType}; charset=utf-8`);
  if (req.method === 'HEAD') return void res.end();
  async function* lines() {
    yield (isCsv ? csv.head : '') + (first.done ? [] : first.value).map(toLine).join('');
    for await (const page of pages) yield page.map(toLine).join('');
  }
  // A connection that ends early is how a reader learns that lines are missing.
  await pipeline(Readable.from(lines()), res).catch((error: unknown) => {
    if (!res.closed || !isHangUp(error)) onTrouble(error);
    res.destroy();
  });
}

const isHangUp = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
