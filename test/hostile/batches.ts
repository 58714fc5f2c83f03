// Batches whose contents are not what they should be: too many, too few, too deep, foreign, twice, and lines that are none.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import {
  answered,
  batchOf,
  entriesOf,
  formOf,
  join,
  refusedWhole,
  ruleBatch,
  ruleEntries,
  runOf,
  signerOf,
  type Form,
} from './batch.ts';
import { NO_BATCH, NO_TYPES, SWARMS } from './batch-bodies.ts';
import { chance, refusal, stored, submission, type Case, type Dice, type Step } from './case.ts';
import type { RunRecord } from './rules.ts';
import { familyOf, type Trick, type Tricks } from './tricks.ts';

const sent = (dice: Dice, texts: readonly string[], form: Form): Trick => ({
  bytes: batchOf(dice, join(dice, texts, form), { form }),
  answers: [ruleBatch(dice, texts, form)],
});

const same = (text: string, times: number) => Array.from({ length: times }, () => text);

const TRICKS: Tricks = {
  'the same twice, or another under its name': ({ dice }) => {
    const [one, other] = [runOf(dice, 0), { ...runOf(dice, 1), runId: runOf(dice, 0).runId }];
    const texts = Array.from({ length: wholeNumber(dice.random, 2, 6) }, () =>
      JSON.stringify(chance(dice.random, 0.6) ? one : other),
    );
    return sent(dice, texts, formOf(dice));
  },
  'empty lines': ({ dice }) => {
    const texts = Array.from({ length: wholeNumber(dice.random, 1, 4) }, (_, at) => JSON.stringify(runOf(dice, at)));
    const empty = pick(dice.random, ['\n', '\r\n', ' \n', '\t\n']).repeat(
      pick(dice.random, [1, 999, 1001, 2002, 5000, 100_000]),
    );
    const body = [empty, ...texts, ''].join(`\n${empty}`);
    return { bytes: batchOf(dice, body, { form: 'lines' }), answers: [ruleBatch(dice, texts, 'lines')] };
  },
  'a thousand': ({ dice }) => {
    const form = formOf(dice);
    const small = (at: number) => JSON.stringify({ ...runOf(dice, at), output: 'x' });
    // Each a record of its own: now and then, since they all stay.
    if (chance(dice.random, 0.05))
      return sent(
        dice,
        Array.from({ length: 1000 }, (_, at) => small(at)),
        form,
      );
    return sent(dice, same(pick(dice.random, ['{}', '0', '[]', small(0)]), 1000), form);
  },
  'more than a thousand': ({ dice }) => {
    const form = formOf(dice);
    const texts = same(pick(dice.random, ['{}', '0', 'null']), pick(dice.random, [1001, 1002, 20_000]));
    return {
      bytes: batchOf(dice, join(dice, texts, form), { form }),
      answers: [refusedWhole(dice, 413, 'too-large')],
    };
  },
  'a swarm of values': ({ dice }) => {
    const form = formOf(dice);
    const body = pick(dice.random, SWARMS[form] ?? ['']);
    return { bytes: batchOf(dice, body, { form }), answers: [refusedWhole(dice, 413, 'too-large')] };
  },
  'no batch': ({ dice }) => {
    const [body, status, code] = pick(dice.random, NO_BATCH as [(typeof NO_BATCH)[number]]);
    return { bytes: batchOf(dice, body), answers: [refusedWhole(dice, status, code)] };
  },
  'none at all': ({ dice }) => {
    const form = formOf(dice);
    const body = pick(dice.random, form === 'array' ? ['[]', ' [\n] ', '\ufeff[]'] : ['', '\n', '\r\n \t', '\ufeff']);
    return { bytes: batchOf(dice, body, { form }), answers: [answered(dice, [])] };
  },
  'a byte order mark': ({ dice }) => {
    const form = formOf(dice);
    const texts = [JSON.stringify(runOf(dice, 0)), JSON.stringify(runOf(dice, 1))];
    const body = `\ufeff${join(dice, texts, form)}`;
    return { bytes: batchOf(dice, body, { form }), answers: [ruleBatch(dice, texts, form)] };
  },
  'a byte order mark further on': ({ dice }) => {
    const [one, two] = [JSON.stringify(runOf(dice, 0)), JSON.stringify(runOf(dice, 1))];
    const [first] = ruleEntries([one], signerOf(dice));
    const entries = [first ?? { stores: null }, { stores: null, code: 'invalid-json' }];
    return { bytes: batchOf(dice, `${one}\n\ufeff${two}`, { form: 'lines' }), answers: [answered(dice, entries)] };
  },
  'lines that end in something else': ({ dice }) => {
    const end = pick(dice.random, ['\u2028', '\u2029', '\r', '\u0085', '\u000b', '\u000c', '\u0000', ',']);
    const body = `${JSON.stringify(runOf(dice, 0))}${end}${JSON.stringify(runOf(dice, 1))}`;
    const entries = [{ stores: null, code: 'invalid-json' }];
    return { bytes: batchOf(dice, body, { form: 'lines' }), answers: [answered(dice, entries)] };
  },
  'an array as a line': ({ dice }) => {
    const body = join(dice, entriesOf({ ...dice, random: () => 0.5 }, 'array'), 'array').replaceAll('\n', ' ');
    const entries = [{ stores: null, code: 'invalid-run-result' }];
    return { bytes: batchOf(dice, body, { form: 'lines' }), answers: [answered(dice, entries)] };
  },
  'another type': ({ dice }) => ({
    bytes: batchOf(dice, `[${JSON.stringify(runOf(dice, 0))}]`, { type: pick(dice.random, NO_TYPES) }),
    answers: [refusedWhole(dice, 415, 'unsupported-media-type')],
  }),
};

const keep = (bytes: Buffer, ...answers: Step['answers']): Step => ({ bytes, answers, then: 'keep' });

/** The same batch again and again, then one of its entries alone and changed. */
function replayed(dice: Dice): Case {
  const form = formOf(dice);
  const run = runOf(dice, 100);
  const texts = [JSON.stringify(run), ...entriesOf(dice, 'array', 5).filter((text) => text.length < 10_000)];
  const bytes = batchOf(dice, join(dice, texts, form), { form });
  const first = ruleBatch(dice, texts, form);
  const known = first.entries?.map((entry) => (entry.stores ? { ...entry, duplicate: true } : entry));
  const isAnswered = known !== undefined;
  const once = ruleEntries(texts, signerOf(dice))[0]?.stores as RunRecord;
  const more = { ...dice, deviceId: signerOf(dice) };
  return {
    family: 'batch',
    name: 'replayed',
    steps: [
      keep(bytes, first),
      keep(bytes, known ? answered(dice, known) : first),
      keep(submission(texts[0] ?? '', more), { ...stored(once), statuses: [isAnswered ? 200 : 202] }),
      keep(submission(JSON.stringify({ ...run, policyVersion: 77 }), more), refusal(409, 'run-id-reused')),
    ],
  };
}

/** The same batch several times in one breath: one record for each entry. */
function stormed(dice: Dice): Case {
  const form = formOf(dice);
  const texts = Array.from({ length: wholeNumber(dice.random, 1, 8) }, (_, at) => JSON.stringify(runOf(dice, at)));
  const bytes = batchOf(dice, join(dice, texts, form), { form });
  const entries = ruleEntries(texts, signerOf(dice)).map(({ stores }) => ({ stores }));
  const times = wholeNumber(dice.random, 2, 4);
  const answers = Array.from({ length: times }, () => answered(dice, entries));
  return { family: 'batch', name: 'stormed', steps: [keep(Buffer.concat(answers.map(() => bytes)), ...answers)] };
}

function mixed(dice: Dice): Case {
  const form = formOf(dice);
  const { bytes, answers } = sent(dice, entriesOf(dice, form), form);
  return { family: 'batch', name: 'entries', steps: [keep(bytes, ...answers)] };
}

const contents = familyOf('batch', TRICKS);

export const batches = (dice: Dice): Case => {
  const roll = dice.random();
  if (roll < 0.1) return replayed(dice);
  if (roll < 0.2) return stormed(dice);
  return roll < 0.5 ? mixed(dice) : contents(dice);
};
