// What a hostile batch is made of: entries good and bad, what the rules make of each, and the request around them.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { spliceInto } from './bodies.ts';
import {
  chance,
  HOST,
  lengthOf,
  requestIdOf,
  signatureFields,
  toBytes,
  type Dice,
  type EntryExpected,
  type Expected,
  type HeaderField,
} from './case.ts';
import { MOST_BYTES, rule, type RunRecord } from './rules.ts';
import { goodRun, spoil } from './values.ts';

export const BATCH_PATH = '/v1/run-results/batch';
/** Of the API in a campaign. */
export const MOST_BATCH_BYTES = 2_000_000;

const TYPES = { array: 'application/json', lines: 'application/x-ndjson' } as const;
export type Form = keyof typeof TYPES;

export const formOf = ({ random }: Dice): Form => pick(random, ['array', 'lines'] as const);

export const signerOf = ({ id }: Dice): string => `dev-${id}`;

/** A good run of the one device of a case. */
export const runOf = (dice: Dice, number: number): RunRecord => ({
  ...goodRun({ ...dice, id: `${dice.id}.${number}` }),
  deviceId: signerOf(dice),
});

/** JSON that is no run result. */
const ODD = [
  'null',
  '[]',
  '{}',
  '"text"',
  '-0',
  '1e400',
  '9'.repeat(400),
  '{"__proto__":{"runId":"x"}}',
  '{"deviceId":"other"}',
  '{"deviceId":["other"],"deviceId":"other"}',
  '[[[[]]]]',
  '"\\ud800\\u0000"',
] as const;
/** Lines that are no JSON. */
const BROKEN_LINES = [
  '{"broken',
  '}',
  'nul',
  '\u0000',
  "{'a':1}",
  '{} {}',
  '{}\u2028{}',
  '{}\r{}',
  '"\\',
  '"',
  '{},',
  '[1,]',
  'NaN',
  '\u0085',
  '\u001e{}',
] as const;
/** More of what is large would be too large together. */
const MOST_SPLICED = 3;

/** Entries as they are sent: good ones, spoiled ones, and ones with something in them that does not belong. */
export function entriesOf(dice: Dice, form: Form, most = 12): string[] {
  const { random } = dice;
  let spliced = 0;
  return Array.from({ length: wholeNumber(random, 1, most) }, (_, number) => {
    const run = runOf(dice, number);
    const roll = random();
    if (roll < 0.15) return JSON.stringify(spoil(run, dice));
    if (roll < 0.25) return pick(random, ODD);
    if (roll < 0.3 && form === 'lines') return pick(random, BROKEN_LINES);
    if (roll < 0.35) return JSON.stringify({ ...run, deviceId: `other-${dice.id}` });
    if (roll > 0.9 && (spliced += 1) <= MOST_SPLICED) return spliceInto(run, dice);
    return JSON.stringify(run);
  });
}

/** Output and error together may have as many characters as a single run result has bytes. */
function hasLongTexts(entry: string): boolean {
  if (entry.length <= MOST_BYTES) return false;
  try {
    const { output, error } = JSON.parse(entry) as { output?: unknown; error?: unknown };
    const lengths = [output, error].map((text) => (typeof text === 'string' ? text.length : 0));
    return lengths.reduce((sum, length) => sum + length, 0) > MOST_BYTES;
  } catch {
    return false;
  }
}

/** What each entry comes to, those before it being known. */
export function ruleEntries(texts: readonly string[], signer: string): EntryExpected[] {
  const known = new Map<string, string>();
  return texts.map((text) => {
    if (hasLongTexts(text)) return { stores: null, code: 'too-large' };
    const ruling = rule(Buffer.from(text), signer, Infinity);
    if (ruling.kind === 'refused') return { stores: null, code: ruling.code };
    const { run } = ruling;
    const content = JSON.stringify(run);
    const before = known.get(run.runId);
    known.set(run.runId, before ?? content);
    if (before !== undefined && before !== content) return { stores: null, code: 'run-id-reused' };
    return { stores: run, duplicate: before !== undefined };
  });
}

/** Too many batches at once are sent away. */
export const answered = (dice: Dice, entries: readonly EntryExpected[]): Expected => ({
  statuses: [200, 503],
  stores: null,
  entries,
  requestId: dice.id,
});
export const refusedWhole = (dice: Dice, status: number, code: string): Expected => ({
  statuses: [status, 503],
  code,
  stores: null,
  requestId: dice.id,
});

/** What a batch of these entries comes to: one broken entry breaks an array, but no lines. */
export function ruleBatch(dice: Dice, texts: readonly string[], form: Form): Expected {
  const entries = ruleEntries(texts, signerOf(dice));
  const isBroken = form === 'array' && entries.some(({ code }) => code === 'invalid-json');
  return isBroken ? refusedWhole(dice, 400, 'invalid-json') : answered(dice, entries);
}

export function join({ random }: Dice, texts: readonly string[], form: Form): string {
  if (form === 'array') return `[${texts.join(pick(random, [',', ' ,\r\n\t', ',\n\n']))}]`;
  const end = pick(random, ['\n', '\r\n', '\n\n', '\n \t\r\n']);
  return `${texts.join(end)}${chance(random, 0.5) ? end : ''}`;
}

export type Sending = {
  form?: Form;
  type?: string;
  codings?: readonly string[];
  /** What is signed in place of the body. */
  signed?: Buffer | string;
  path?: string;
  signedPath?: string;
  method?: string;
  /** In place of the length. */
  framing?: readonly HeaderField[];
};

/** The bytes of a batch, signed by the device of the case. */
export function batchOf(dice: Dice, body: Buffer | string, sending: Sending = {}): Buffer {
  const { form = 'array', type = TYPES[form], codings = [], signed = body, method, framing } = sending;
  const { path = BATCH_PATH, signedPath = path } = sending;
  const signature = { deviceId: signerOf(dice), createdS: dice.nowS, path: signedPath, ...(method && { method }) };
  const headers: HeaderField[] = [
    HOST,
    ['Content-Type', type],
    requestIdOf(dice.id),
    ...codings.map((coding): HeaderField => ['Content-Encoding', coding]),
    ...(framing ?? [lengthOf(body)]),
    ...signatureFields({ body: signed, ...signature }),
  ];
  return toBytes({ path, ...(method && { method }), headers, body });
}
