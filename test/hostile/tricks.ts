// One good submission and the ways to bend it: what the tricks of every family are made of.
import { pick } from '../../src/sandbox/random.ts';
import {
  HOST,
  JSON_TYPE,
  lengthOf,
  requestIdOf,
  signatureFields,
  submission,
  toBytes,
  type Case,
  type Dice,
  type Expected,
  type Family,
  type HeaderField,
} from './case.ts';
import type { RunRecord } from './rules.ts';
import { goodRun } from './values.ts';

/** A good submission in its parts, and a second one that must never be seen as a request of its own. */
export type Parts = {
  dice: Dice;
  run: RunRecord;
  body: string;
  /** All header fields but those that say how long the body is. */
  fields: HeaderField[];
  hidden: Buffer;
};

export function partsOf(dice: Dice): Parts {
  const run = goodRun(dice);
  const body = JSON.stringify(run);
  const { deviceId } = run;
  const hiddenBody = JSON.stringify({ ...run, runId: `smuggled-${dice.id}` });
  const signature = signatureFields({ body, deviceId, createdS: dice.nowS });
  return {
    dice,
    run: { ...(JSON.parse(body) as RunRecord), hardwareConfigurationId: run.hardwareConfigurationId.toLowerCase() },
    body,
    fields: [HOST, JSON_TYPE, requestIdOf(dice.id), ...signature],
    hidden: submission(hiddenBody, { ...dice, id: `h-${dice.id}`, deviceId }),
  };
}

/** What is sent, which answers may come back, and whether the sender waits for them. */
export type Trick = { bytes: Buffer; answers: readonly Expected[]; then?: 'end' | 'cut' };

export type Tricks = Record<string, (parts: Parts) => Trick>;

/** The family of these tricks, each as likely as the others. */
export function familyOf(family: string, tricks: Tricks): Family {
  const names = Object.keys(tricks) as [string];
  return (dice: Dice): Case => {
    const name = pick(dice.random, names);
    const trick = tricks[name]?.(partsOf(dice));
    if (!trick) throw new Error(name);
    return { family, name, steps: [{ bytes: trick.bytes, answers: trick.answers, then: trick.then ?? 'end' }] };
  };
}

/** The good submission with these fields behind its own. */
export const withFields = (p: Parts, ...further: HeaderField[]): Buffer =>
  toBytes({ headers: [...p.fields, lengthOf(p.body), ...further], body: p.body });

/** The good submission, told to be as long as these fields say. */
export const withLengths = ({ fields, body }: Parts, ...lengths: HeaderField[]): Buffer =>
  toBytes({ headers: [...fields, ...lengths], body });

export const followedBy = (bytes: Buffer, more: Buffer | string): Buffer => Buffer.concat([bytes, Buffer.from(more)]);
