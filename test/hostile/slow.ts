// Senders who take their time: heads and bodies that come in drops or never end, while everyone else is served.
import { setTimeout as delay } from 'node:timers/promises';
import { pick } from '../../src/sandbox/random.ts';
import { HOST, signatureFields, type Dice, type Expected } from './case.ts';
import { openConnection } from './connection.ts';
import { judge } from './judge.ts';

/** Whoever is not known is not waited for. */
const TIMED_OUT: Expected = { statuses: [400, 401, 408, 413, 431], stores: null };
const DROP_EVERY_MS = 700;
/** Beyond the 30 s a whole request may take. */
const GIVEN_UP_AFTER_MS = 45_000;

const head = (...fields: string[]) => [`POST /v1/run-results HTTP/1.1`, HOST.join(': '), ...fields, ''].join('\r\n');

/** A head that its body is waited for. */
const signedHead = (...fields: string[]) => {
  const signature = signatureFields({ body: 'another body' }).map(([name, value]) => `${name}: ${value}`);
  return `${head('Content-Type: application/json', ...signature, ...fields)}\r\n`;
};

/** What is said at once, and what is said again and again after it. */
const MANNERS: Record<string, () => [first: string, drop: string]> = {
  'says nothing': () => ['', ''],
  'half a request line': () => ['POST /v1/run-res', ''],
  'a head in drops': () => [head(), 'X-Drop: x\r\n'],
  'letters of one field': () => [`${head()}X-Slow: `, 'x'],
  'no body': () => [signedHead('Content-Length: 100'), ''],
  'a body in drops': () => [signedHead('Content-Length: 262144'), ' '],
  'a body in drops, from nobody known': () => [
    `${head('Content-Type: application/json', 'Content-Length: 99')}\r\n`,
    ' ',
  ],
  'chunks in drops': () => [signedHead('Transfer-Encoding: chunked'), '1\r\n \r\n'],
  'an endless chunk size': () => [signedHead('Transfer-Encoding: chunked'), '0'],
};

/** One slow sender, to its end. @returns what was wrong with how it was treated */
export async function beSlow(port: number, { random }: Dice): Promise<string[]> {
  const manner = pick(random, Object.keys(MANNERS) as [string]);
  const [first, drop] = MANNERS[manner]?.() ?? ['', ''];
  const connection = await openConnection(port);
  const hungUp = new AbortController();
  const startedAt = performance.now();
  try {
    if (first !== '') connection.write(Buffer.from(first));
    const answering = connection.read(false).finally(() => hungUp.abort());
    while (drop !== '' && !hungUp.signal.aborted && performance.now() - startedAt < GIVEN_UP_AFTER_MS) {
      connection.write(Buffer.from(drop));
      await delay(DROP_EVERY_MS, undefined, { signal: hungUp.signal }).catch(() => undefined);
    }
    const answer = await answering;
    return answer === null ? [] : judge(answer, TIMED_OUT).map((fault) => `slow · ${manner}: ${fault}`);
  } catch (error) {
    // Whoever has not sent a byte may wait as long as an idle connection may.
    if (manner === 'says nothing') return [];
    return [`slow · ${manner}: ${error instanceof Error ? error.message : 'no error'}`];
  } finally {
    connection.destroy();
  }
}
