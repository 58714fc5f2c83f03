// Requests sent again, many at once and in one breath: one record each, and every answer its own.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { perhaps, refusal, stored, submission, type Case, type Dice, type Step } from './case.ts';
import { signedAs, UNKNOWN } from './signatures.ts';
import { partsOf } from './tricks.ts';

/** The same bytes again and again, then other content under the same run id. */
function replayed(dice: Dice): Case {
  const { run, body } = partsOf(dice);
  const bytes = submission(body, { ...dice, deviceId: run.deviceId });
  const other = submission(JSON.stringify({ ...run, policyVersion: 77 }), { ...dice, deviceId: run.deviceId });
  const step = (sent: Buffer, expected: Step['answers'][number]): Step => ({
    bytes: sent,
    answers: [expected],
    then: 'keep',
  });
  const again = { ...stored(run), statuses: [200] };
  return {
    family: 'again',
    name: 'replayed',
    steps: [
      step(bytes, { ...stored(run), statuses: [202] }),
      ...Array.from({ length: wholeNumber(dice.random, 1, 3) }, () => step(bytes, again)),
      step(other, refusal(409, 'run-id-reused')),
    ],
  };
}

/** Several requests in one breath: each gets its own answer, in order. */
function pipelined(dice: Dice): Case {
  const count = wholeNumber(dice.random, 2, 8);
  const requests = Array.from({ length: count }, (_, at) => partsOf({ ...dice, id: `${dice.id}.${at}` }));
  const isWrong = requests.map(() => dice.random() < 0.3);
  return {
    family: 'again',
    name: 'pipelined',
    steps: [
      {
        bytes: Buffer.concat(requests.map((parts, at) => signedAs(parts, isWrong[at] ? { method: 'PUT' } : {}))),
        answers: requests.map(({ run, dice: { id } }, at) => ({
          ...(isWrong[at] ? UNKNOWN : stored(run)),
          requestId: id,
        })),
        then: 'keep',
      },
    ],
  };
}

/** The same run at once in one breath: one record, and every answer says which. */
function stormed(dice: Dice): Case {
  const parts = partsOf(dice);
  const count = wholeNumber(dice.random, 2, 6);
  return {
    family: 'again',
    name: 'stormed',
    steps: [
      {
        bytes: Buffer.concat(Array.from({ length: count }, () => signedAs(parts, {}))),
        answers: Array.from({ length: count }, () => perhaps(parts.run)),
        then: 'keep',
      },
    ],
  };
}

export const again = (dice: Dice): Case => pick(dice.random, [replayed, pipelined, stormed] as const)(dice);
