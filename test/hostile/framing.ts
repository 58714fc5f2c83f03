// Messages whose ends can be seen two ways: lengths and codings that contradict, and requests hidden in bodies.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { BROKEN, lengthOf, perhaps, toBytes } from './case.ts';
import { CHUNKED, chunked } from './chunks.ts';
import { familyOf, followedBy, withLengths, type Tricks } from './tricks.ts';

const LENGTHS = [
  '+5',
  '5,5',
  '0x10',
  '-1',
  '1e2',
  '5 5',
  '18446744073709551617',
  '',
  '٣',
  '5;',
  '1_0',
  '00000000000000000000000000000005x',
];
const CODINGS = [
  'xchunked',
  'chunked, identity',
  'identity',
  'chunked, chunked',
  'chunked\u000b',
  'chunked;q=1',
  '"chunked"',
  'gzip',
  'chunked, gzip',
  'chunke\u0000d',
  'x, y',
] as const;

const TRICKS: Tricks = {
  'length and chunks': (p) => ({
    bytes: followedBy(toBytes({ headers: [...p.fields, lengthOf(p.body), CHUNKED], body: '0\r\n\r\n' }), p.hidden),
    answers: [BROKEN],
  }),
  'chunks and length': (p) => ({
    bytes: followedBy(
      toBytes({ headers: [...p.fields, CHUNKED, ['Content-Length', '6']], body: '0\r\n\r\nG' }),
      p.hidden,
    ),
    answers: [BROKEN],
  }),
  'two lengths': (p) => ({
    bytes: followedBy(withLengths(p, ['Content-Length', '0'], lengthOf(p.body)), p.hidden),
    answers: [BROKEN],
  }),
  'one length twice': (p) => ({ bytes: withLengths(p, lengthOf(p.body), lengthOf(p.body)), answers: [perhaps(p.run)] }),
  'no such length': (p) => ({
    bytes: withLengths(p, ['Content-Length', pick(p.dice.random, LENGTHS as [string])]),
    answers: [BROKEN],
  }),
  'no such coding': (p) => ({
    bytes: followedBy(
      toBytes({ headers: [...p.fields, ['Transfer-Encoding', pick(p.dice.random, CODINGS)]], body: chunked(p.body) }),
      p.hidden,
    ),
    answers: [BROKEN],
  }),
  'a coding twice': (p) => ({
    bytes: toBytes({ headers: [...p.fields, CHUNKED, ['Transfer-Encoding', 'identity']], body: chunked(p.body) }),
    answers: [BROKEN],
  }),
  'a coding in other letters': (p) => ({
    bytes: toBytes({ headers: [...p.fields, ['transfer-ENCODING', 'Chunked']], body: chunked(p.body) }),
    answers: [perhaps(p.run)],
  }),
  'a space before the colon': (p) => ({
    bytes: followedBy(
      withLengths(p, [pick(p.dice.random, ['Content-Length ', 'Transfer-Encoding ', 'Host\t'] as const), '5']),
      p.hidden,
    ),
    answers: [BROKEN],
  }),
  'a folded line': (p) => ({
    bytes: followedBy(
      withLengths(
        p,
        ['X-Folded', `a\r\n ${pick(p.dice.random, ['b', 'Content-Length: 3', 'Transfer-Encoding: chunked'] as const)}`],
        lengthOf(p.body),
      ),
      '',
    ),
    answers: [perhaps(p.run)],
  }),
  'a folded coding': (p) => ({
    bytes: followedBy(
      toBytes({ headers: [...p.fields, ['Transfer-Encoding', '\r\n chunked']], body: chunked(p.body) }),
      p.hidden,
    ),
    answers: [BROKEN],
  }),
  'line feeds alone': (p) => ({
    bytes: Buffer.from(withLengths(p, lengthOf(p.body)).toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
    answers: [BROKEN],
  }),
  'one line feed alone': (p) => ({
    bytes: withLengths(p, ['X-A', `b\nContent-Length: 3`], lengthOf(p.body)),
    answers: [BROKEN],
  }),
  'a carriage return alone': (p) => ({
    bytes: withLengths(p, ['X-A', `b\rContent-Length: 3`], lengthOf(p.body)),
    answers: [BROKEN],
  }),
  'too short a length': (p) => ({
    bytes: withLengths(p, ['Content-Length', String(Buffer.byteLength(p.body) - wholeNumber(p.dice.random, 1, 20))]),
    answers: [{ statuses: [401], code: 'unauthenticated', stores: null }],
    then: 'cut',
  }),
  'too long a length': (p) => ({
    bytes: withLengths(p, ['Content-Length', String(Buffer.byteLength(p.body) + wholeNumber(p.dice.random, 1, 999))]),
    answers: [BROKEN],
    then: 'cut',
  }),
  'cut anywhere': (p) => {
    const bytes = withLengths(p, lengthOf(p.body));
    return {
      bytes: bytes.subarray(0, wholeNumber(p.dice.random, 1, bytes.length - 1)),
      answers: [BROKEN],
      then: 'cut',
    };
  },
  'hidden behind a close': (p) => ({
    bytes: followedBy(withLengths(p, lengthOf(p.body), ['Connection', 'close']), p.hidden),
    answers: [{ ...perhaps(p.run), statuses: [202, 200, 400] }],
  }),
};

export const framing = familyOf('framing', TRICKS);
