// Bodies in chunks whose sizes, extensions, trailers and ends are not what they seem.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { BROKEN, perhaps, stored, toBytes, type HeaderField } from './case.ts';
import { familyOf, followedBy, type Tricks } from './tricks.ts';

export const chunked = (body: string, size = '', between = ''): string =>
  `${size || Buffer.byteLength(body).toString(16)}${between}\r\n${body}\r\n0\r\n\r\n`;

export const CHUNKED: HeaderField = ['Transfer-Encoding', 'chunked'];
const SIZES = ['0x5', '-1', 'FFFFFFFFFFFFFFFFF', 'G', '', ' 5', '5 ', '+5', '5\u0000'] as const;

const TRICKS: Tricks = {
  chunks: (p) => ({
    bytes: toBytes({ headers: [...p.fields, CHUNKED], body: inChunks(p.body, wholeNumber(p.dice.random, 1, 9)) }),
    answers: [{ ...stored(p.run), requestId: p.dice.id }],
  }),
  'chunk extensions': (p) => ({
    bytes: toBytes({ headers: [...p.fields, CHUNKED], body: chunked(p.body, '', ';a=b;c="d"') }),
    answers: [stored(p.run)],
  }),
  'endless chunk extensions': (p) => ({
    bytes: toBytes({ headers: [...p.fields, CHUNKED], body: chunked(p.body, '', `;a=${'b'.repeat(40_000)}`) }),
    answers: [BROKEN],
  }),
  'an extension with a line feed': (p) => ({
    bytes: followedBy(toBytes({ headers: [...p.fields, CHUNKED], body: chunked(p.body, '', ';a\nb') }), p.hidden),
    answers: [BROKEN],
  }),
  'no such chunk size': (p) => ({
    bytes: toBytes({
      headers: [...p.fields, CHUNKED],
      body: `${pick(p.dice.random, SIZES)}\r\n${p.body}\r\n0\r\n\r\n`,
    }),
    answers: [{ ...BROKEN, statuses: [...BROKEN.statuses, 401] }],
  }),
  'a chunk longer than its size': (p) => ({
    bytes: followedBy(toBytes({ headers: [...p.fields, CHUNKED], body: chunked(p.body, '2') }), p.hidden),
    answers: [BROKEN],
  }),
  trailers: (p) => ({
    bytes: toBytes({
      headers: [...p.fields, CHUNKED, ['Trailer', 'X-T']],
      body: chunked(p.body).slice(0, -2) + 'X-T: 1\r\nContent-Length: 9\r\nSignature: device=:AAAA:\r\n\r\n',
    }),
    answers: [perhaps(p.run)],
  }),
  'chunks of HTTP/1.0': (p) => ({
    bytes: followedBy(
      toBytes({ headers: [...p.fields, CHUNKED], body: chunked(p.body), version: 'HTTP/1.0' }),
      p.hidden,
    ),
    answers: [perhaps(p.run)],
  }),
  'an enormous chunk': (p) => ({
    bytes: toBytes({ headers: [...p.fields, CHUNKED], body: chunked(p.body, '7fffffff') }),
    answers: [BROKEN],
    then: 'cut',
  }),
  'cut in a chunk': (p) => ({
    bytes: toBytes({
      headers: [...p.fields, CHUNKED],
      body: chunked(p.body).slice(0, -pick(p.dice.random, [1, 2, 5, 9])),
    }),
    answers: [BROKEN],
    then: 'cut',
  }),
};

function inChunks(body: string, count: number): Buffer {
  const bytes = Buffer.from(body);
  const size = Math.ceil(bytes.length / count);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
}

export const chunks = familyOf('chunks', TRICKS);
