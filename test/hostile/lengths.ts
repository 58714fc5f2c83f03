// Bodies as long as their head says, at the bounds and in pieces, read or left unread, and what comes behind them.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import {
  BROKEN,
  chance,
  HOST,
  JSON_TYPE,
  lengthOf,
  perhaps,
  refusal,
  requestIdOf,
  signatureFields,
  stored,
  submission,
  toBytes,
  type Case,
  type Dice,
  type Expected,
} from './case.ts';
import type { RunRecord } from './rules.ts';
import { familyOf, followedBy, partsOf, withLengths, type Parts, type Tricks } from './tricks.ts';
import { goodRun } from './values.ts';

const MOST_BYTES = 262_144;
const UNSUPPORTED = refusal(415, 'unsupported-media-type');
const ALIVE: Expected = { statuses: [200], stores: null };

const TYPES = [
  'application/json;charset=utf-8',
  'application/json; charset=utf-8',
  'application/json; charset="UTF-8"',
  'application/json ; charset=utf8',
  'Application/JSON',
  'application/json; x=y; charset=utf-8',
] as const;

/** A good submission of another run, which must be read as the next one. */
function nextOf({ dice, run: { deviceId } }: Parts): { bytes: Buffer; answer: Expected } {
  const id = `${dice.id}.next`;
  const run: RunRecord = { ...goodRun({ ...dice, id }), deviceId };
  const record = { ...run, hardwareConfigurationId: run.hardwareConfigurationId.toLowerCase() };
  return {
    bytes: submission(JSON.stringify(run), { ...dice, id, deviceId }),
    answer: { ...stored(record), requestId: id },
  };
}

function padded(p: Parts, length: number): Buffer {
  const body = Buffer.from(p.body);
  return submission(Buffer.concat([body, Buffer.alloc(length - body.length, ' ')]), {
    ...p.dice,
    deviceId: p.run.deviceId,
  });
}

/** A body nobody reads, here a whole submission, and what the head says of it. */
const unread = (p: Parts, method: string, path: string, type = 'text/plain') =>
  toBytes({ method, path, headers: [HOST, ['Content-Type', type], lengthOf(p.hidden)], body: p.hidden });

const TRICKS: Tricks = {
  'as long as it may be': (p) => ({ bytes: padded(p, MOST_BYTES), answers: [stored(p.run)] }),
  'too long, and another': (p) => {
    const next = nextOf(p);
    return {
      bytes: followedBy(padded(p, MOST_BYTES + pick(p.dice.random, [1, 1000])), next.bytes),
      answers: [refusal(413, 'too-large'), next.answer],
    };
  },
  'far too long': (p) => ({
    bytes: withLengths(p, [
      'Content-Length',
      pick(p.dice.random, ['262145', '00262145', '4294967296', '9'.repeat(15)]),
    ]),
    answers: [BROKEN],
    then: 'cut',
  }),
  'a length with noughts or blanks': (p) => {
    const length = Buffer.byteLength(p.body);
    return {
      bytes: withLengths(p, ['Content-Length', pick(p.dice.random, [`000${length}`, `  ${length}`, `${length}\t `])]),
      answers: [stored(p.run)],
    };
  },
  'a length twice, once with a nought': (p) => ({
    bytes: withLengths(p, lengthOf(p.body), ['Content-Length', `0${Buffer.byteLength(p.body)}`]),
    answers: [perhaps(p.run)],
  }),
  'and another': (p) => {
    const next = nextOf(p);
    return { bytes: followedBy(withLengths(p, lengthOf(p.body)), next.bytes), answers: [stored(p.run), next.answer] };
  },
  'and noise': (p) => ({
    bytes: followedBy(withLengths(p, lengthOf(p.body)), pick(p.dice.random, ['{}', '\u0000', 'POST', '}\r\n\r\n'])),
    answers: [stored(p.run)],
  }),
  'no length, and another': (p) => {
    const next = nextOf(p);
    return { bytes: followedBy(toBytes({ headers: p.fields }), next.bytes), answers: [UNSUPPORTED, next.answer] };
  },
  'nothing, and another': (p) => {
    const next = nextOf(p);
    const signature = signatureFields({ body: '', deviceId: p.run.deviceId, createdS: p.dice.nowS });
    const nothing = toBytes({ headers: [HOST, JSON_TYPE, requestIdOf(p.dice.id), lengthOf(''), ...signature] });
    return { bytes: followedBy(nothing, next.bytes), answers: [refusal(400, 'invalid-json'), next.answer] };
  },
  'unread, and another': (p) => {
    const next = nextOf(p);
    return {
      bytes: followedBy(unread(p, 'POST', '/v1/run-results'), next.bytes),
      answers: [UNSUPPORTED, next.answer],
    };
  },
  'a request as the body of one that has none': (p) => ({
    bytes: unread(p, 'GET', '/livez', pick(p.dice.random, ['application/json', 'text/plain'])),
    answers: [ALIVE],
  }),
  'a request as a body nobody reads': (p) => ({
    bytes: unread(p, 'POST', pick(p.dice.random, ['/v1/run-results', '/v1/run-results/batch'])),
    answers: [{ ...UNSUPPORTED, statuses: [415, 503] }],
  }),
  'another spelling of the type': (p) => ({
    bytes: toBytes({
      headers: [HOST, ['Content-Type', pick(p.dice.random, TYPES)], ...p.fields.slice(2), lengthOf(p.body)],
      body: p.body,
    }),
    answers: [{ ...stored(p.run), requestId: p.dice.id }],
  }),
};

/** A submission in a few pieces, cut wherever; where the last one is missing, there is nothing. */
function inPieces(dice: Dice): Case {
  const { run, body } = partsOf(dice);
  const bytes = submission(body, { ...dice, deviceId: run.deviceId });
  const cuts = Array.from({ length: wholeNumber(dice.random, 1, 4) }, () =>
    wholeNumber(dice.random, 1, bytes.length - 1),
  );
  const ends = [0, ...cuts.sort((a, b) => a - b), bytes.length];
  const pieces = ends.slice(1).map((end, at) => bytes.subarray(ends[at], end));
  const isCut = chance(dice.random, 0.3);
  const last = pieces.length - 1;
  const answer = isCut ? BROKEN : { ...stored(run), requestId: dice.id };
  return {
    family: 'length',
    name: isCut ? 'in pieces, the last one missing' : 'in pieces',
    steps: (isCut ? pieces.slice(0, last) : pieces).map((piece, at, { length }) => ({
      bytes: piece,
      answers: at === length - 1 ? [answer] : [],
      then: at === length - 1 && isCut ? 'cut' : 'keep',
    })),
  };
}

const told = familyOf('length', TRICKS);

export const lengths = (dice: Dice): Case => (chance(dice.random, 0.15) ? inPieces(dice) : told(dice));
