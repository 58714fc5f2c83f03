// Batches whose bytes are not what their coding says: bombs, bombs in bombs, halves, other codings, and no end.
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import {
  batchOf,
  BATCH_PATH,
  entriesOf,
  formOf,
  join,
  MOST_BATCH_BYTES,
  refusedWhole,
  ruleBatch,
  runOf,
  type Form,
} from './batch.ts';
import { BROKEN, bytesOf, chance, PATH, refusal, type Dice, type Expected } from './case.ts';
import { CHUNKED } from './chunks.ts';
import { UNKNOWN } from './signatures.ts';
import { familyOf, type Trick, type Tricks } from './tricks.ts';

const GZIP = ['gzip'];
const CUT: Expected = { ...BROKEN, statuses: [...BROKEN.statuses, 503] };

type Batch = { form: Form; body: string; expected: Expected };

function some(dice: Dice, form = formOf(dice)): Batch {
  const texts = entriesOf(dice, form, 4);
  return { form, body: join(dice, texts, form), expected: ruleBatch(dice, texts, form) };
}

/** One good entry, so that whatever gets through is seen. */
const good = (dice: Dice): Buffer => Buffer.from(`[${JSON.stringify(runOf(dice, 0))}]`);

const compressed = (dice: Dice, bytes: Buffer, expected: Expected): Trick => ({
  bytes: batchOf(dice, bytes, { codings: GZIP }),
  answers: [expected],
});

/** Made once: a hundred of them are as large as a heap. */
const kept = (make: () => Buffer): (() => Buffer) => {
  let bytes: Buffer | undefined;
  return () => (bytes ??= make());
};
const BOMB = kept(() => gzipSync(Buffer.alloc(100_000_000, ' ')));
const BOMBS: readonly [() => Buffer, ...(() => Buffer)[]] = [
  BOMB,
  kept(() => gzipSync(`[${'{},'.repeat(600_000)}{}]`)),
  kept(() => gzipSync(`[[${'[],'.repeat(600_000)}[]]]`)),
  kept(() => gzipSync(`["${'x'.repeat(MOST_BATCH_BYTES)}"]`)),
  kept(() => Buffer.concat([gzipSync('['), gzipSync(' '.repeat(1_000_000)), gzipSync(' '.repeat(1_000_000))])),
];
const INNER: readonly [() => Buffer, ...(() => Buffer)[]] = [
  kept(() => gzipSync(BOMB())),
  kept(() => gzipSync(gzipSync(gzipSync('[{}]')))),
  kept(() => Buffer.concat(Array.from({ length: 50_000 }, () => gzipSync('')))),
];
const NO_CODINGS = [
  'deflate',
  'br',
  'zstd',
  'compress',
  'x-gzip',
  'gzip, gzip',
  'identity, gzip',
  'gzip;q=1',
  '*',
  'gzi p',
  '',
  '__proto__',
  'constructor',
] as const;

const TRICKS: Tricks = {
  gzip: ({ dice }) => {
    const { form, body, expected } = some(dice);
    const level = wholeNumber(dice.random, 0, 9);
    const codings = [pick(dice.random, ['gzip', 'GZIP', 'gZip'])];
    return { bytes: batchOf(dice, gzipSync(body, { level }), { form, codings }), answers: [expected] };
  },
  identity: ({ dice }) => {
    const { form, body, expected } = some(dice);
    return { bytes: batchOf(dice, body, { form, codings: ['identity'] }), answers: [expected] };
  },
  'in two members': ({ dice }) => {
    const { form, body, expected } = some(dice);
    const bytes = Buffer.from(body);
    const at = wholeNumber(dice.random, 0, bytes.length);
    const both = Buffer.concat([gzipSync(bytes.subarray(0, at)), gzipSync(bytes.subarray(at))]);
    return { bytes: batchOf(dice, both, { form, codings: GZIP }), answers: [expected] };
  },
  'cut short': ({ dice }) => {
    const bytes = gzipSync(good(dice));
    const part = bytes.subarray(0, wholeNumber(dice.random, 0, bytes.length - 1));
    return compressed(dice, part, refusedWhole(dice, 400, 'bad-request'));
  },
  'garbage behind it': ({ dice }) => {
    const garbage = pick(dice.random, [Buffer.from('[{}]'), Buffer.from([0x1f, 0x8b, 7, 7]), Buffer.from('x')]);
    const bytes = Buffer.concat([gzipSync(good(dice)), garbage]);
    return compressed(dice, bytes, refusedWhole(dice, 400, 'bad-request'));
  },
  'flipped bytes': ({ dice }) => {
    const { body, expected } = some(dice, 'array');
    const bytes = gzipSync(body);
    bytes[wholeNumber(dice.random, 0, bytes.length - 1)] = wholeNumber(dice.random, 0, 255);
    const { statuses, entries } = expected;
    // Its name or date may be another, its content not.
    return compressed(dice, bytes, {
      statuses: [...statuses, 400],
      stores: null,
      requestId: dice.id,
      ...(entries && { entries }),
    });
  },
  'a bomb': ({ dice }) => compressed(dice, pick(dice.random, BOMBS)(), refusedWhole(dice, 413, 'too-large')),
  'gzip in gzip': ({ dice }) => compressed(dice, pick(dice.random, INNER)(), refusedWhole(dice, 400, 'invalid-json')),
  'another coding called gzip': ({ dice }) => {
    const pack = pick(dice.random, [deflateSync, deflateRawSync, brotliCompressSync, (bytes: Buffer) => bytes]);
    return compressed(dice, pack(good(dice)), refusedWhole(dice, 400, 'bad-request'));
  },
  'noise called gzip': ({ dice }) => {
    const noise = Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), bytesOf(dice.random, wholeNumber(dice.random, 0, 200))]);
    return compressed(dice, noise, refusedWhole(dice, 400, 'bad-request'));
  },
  'gzip unsaid': ({ dice }) => ({
    bytes: batchOf(dice, gzipSync(good(dice)), { form: formOf(dice) }),
    answers: [refusedWhole(dice, 400, 'invalid-json')],
  }),
  'no such coding': ({ dice }) => {
    const codings = chance(dice.random, 0.1) ? ['gzip', 'gzip'] : [pick(dice.random, NO_CODINGS)];
    const body = pick(dice.random, [good(dice), gzipSync(good(dice)), brotliCompressSync(good(dice))]);
    return { bytes: batchOf(dice, body, { codings }), answers: [refusedWhole(dice, 415, 'unsupported-media-type')] };
  },
  'signed before it was compressed': ({ dice }) => ({
    bytes: batchOf(dice, gzipSync(good(dice)), { codings: GZIP, signed: good(dice) }),
    answers: [refusedWhole(dice, 401, 'unauthenticated')],
  }),
  'a bomb nobody signed': ({ dice }) => ({
    bytes: batchOf(dice, BOMB(), { codings: GZIP, signed: 'x' }),
    answers: [refusedWhole(dice, 401, 'unauthenticated')],
  }),
  'signed for the other route': ({ dice }) => {
    const [path, signedPath] = chance(dice.random, 0.5) ? [BATCH_PATH, PATH] : [PATH, BATCH_PATH];
    return { bytes: batchOf(dice, good(dice), { path, signedPath }), answers: [{ ...UNKNOWN, statuses: [401, 503] }] };
  },
  'to the route of one': ({ dice }) => ({
    bytes: batchOf(dice, good(dice), { path: PATH }),
    answers: [refusal(422, 'invalid-run-result')],
  }),
  'another method': ({ dice }) => ({
    bytes: batchOf(dice, good(dice), { method: pick(dice.random, ['GET', 'PUT', 'DELETE', 'PATCH']) }),
    answers: [refusal(405, 'method-not-allowed')],
  }),
  'in chunks': ({ dice }) => {
    const { form, body, expected } = some(dice);
    const bytes = gzipSync(body);
    const framed = Buffer.concat([
      Buffer.from(`${bytes.length.toString(16)}\r\n`),
      bytes,
      Buffer.from('\r\n0\r\n\r\n'),
    ]);
    const sending = { form, codings: GZIP, signed: bytes, framing: [CHUNKED] };
    return { bytes: batchOf(dice, framed, sending), answers: [expected] };
  },
  'lines without end': ({ dice }) => {
    const chunk = `10000\r\n${'{}\n'.repeat(0x10000 / 3).padEnd(0x10000, '\n')}\r\n`;
    const bytes = batchOf(dice, chunk.repeat(32), { form: 'lines', signed: '', framing: [CHUNKED] });
    return { bytes, answers: [CUT], then: 'cut' };
  },
  'too long a length': ({ dice }) => {
    const length = pick(dice.random, [MOST_BATCH_BYTES + 1, 2 ** 31, 2 ** 53 - 1]);
    const bytes = batchOf(dice, '[', { framing: [['Content-Length', String(length)]] });
    return { bytes, answers: [CUT], then: 'cut' };
  },
  'cut anywhere': ({ dice }) => {
    const body = good(dice);
    const bytes = batchOf(dice, body, { codings: pick(dice.random, [[], GZIP]) });
    return { bytes: bytes.subarray(0, -wholeNumber(dice.random, 1, body.length)), answers: [CUT], then: 'cut' };
  },
};

export const batchCodings = familyOf('batch coding', TRICKS);
