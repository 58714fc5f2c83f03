// Parses a body as JSON in strict UTF-8.
import { Refused } from '../response/problem.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws Refused */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw new Refused({ code: 'invalid-json', detail: 'the body is not JSON in UTF-8' });
  }
}

/** Whether a media type's charset is UTF-8, explicitly or by default. */
export function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

/** @throws Refused */
export function decodeUtf8(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new Refused({ code: 'invalid-json', detail: 'the body is not JSON in UTF-8' });
  }
}
