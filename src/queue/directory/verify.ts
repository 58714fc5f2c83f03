// Whether the directory vouches for a device's key: by what is remembered, and by its answer where that comes in time.
import {
  consult,
  type Consultation,
  type QuestionKind,
  type Remembered,
  type Verdict,
} from '../../domain/directory/consult.ts';
import { toKeyDigest } from '../../domain/directory/directory-device.ts';
import { isUseWorthNoting } from '../../domain/directory/freshness.ts';
import type { DirectoryRequirement } from '../../domain/directory/judge-device.ts';
import { LONGEST_WAIT_MS, type Answers } from './answers.ts';
import type { Mirror } from './mirror.ts';
import { QUESTIONS_PER_SECOND, type Questions } from './questions.ts';
import type { DirectoryTrouble } from './trouble.ts';

export type VerifyInDirectory = (deviceId: string, directoryKey: string) => Promise<Verdict>;

export type VerifyParts = {
  mirror: Mirror;
  questions: Pick<Questions, 'ask' | 'waiting'>;
  answers: Answers;
  readTrouble: () => Promise<DirectoryTrouble>;
  requirement: DirectoryRequirement;
  maxAgeMs: number;
  clock: () => number;
  onTrouble: (error: unknown) => void;
};

/** Questions answered in the time a request may wait; who stands further behind is not kept waiting. */
const ANSWERED_IN_TIME = (LONGEST_WAIT_MS / 1000) * QUESTIONS_PER_SECOND;
/** A device that waited in vain is not kept waiting again for this long. */
const IN_VAIN_MS = 30_000;
const MOST_IN_VAIN = 10_000;

export function createVerifyInDirectory(parts: VerifyParts): VerifyInDirectory {
  const { mirror, questions, answers, clock, onTrouble } = parts;
  const inVain = new Map<string, number>();

  return async (deviceId, directoryKey) => {
    const until = performance.now() + LONGEST_WAIT_MS;
    const keyDigest = toKeyDigest(directoryKey);
    const judge = (of: Remembered) =>
      consult({ remembered: of, shown: { deviceId, keyDigest }, rules: parts, now: clock() });
    const [remembered = { kind: 'never-asked' } as const] = await mirror.read([deviceId]);
    const first = judge(remembered);
    const { verdict } = await settle(deviceId, { remembered, first, judge, until });
    if (verdict.kind === 'good') noteUse(deviceId, remembered);
    return verdict;
  };

  async function settle(
    deviceId: string,
    {
      remembered,
      first,
      judge,
      until,
    }: { remembered: Remembered; first: Consultation; judge: (of: Remembered) => Consultation; until: number },
  ): Promise<Consultation> {
    if (first.ask === null) return first;
    const { question, wait } = first.ask;
    const asked = questions.ask(deviceId, question);
    // What is good already is answered now, whether or not the question could be left.
    if (!wait) {
      asked.catch(onTrouble);
      return first;
    }
    if (!(await asked) || !(await canHelp(deviceId, question))) return first;
    const learned = await answers.waitFor(deviceId, remembered, until);
    if (learned !== null) return judge(learned);
    rememberInVain(deviceId);
    return first;
  }

  /** Whether an answer can be there before the wait is over. */
  async function canHelp(deviceId: string, question: QuestionKind): Promise<boolean> {
    if (!answers.hasRoom() || (inVain.get(deviceId) ?? -Infinity) > performance.now()) return false;
    const [{ ahead }, { hold, throttledMs }] = await Promise.all([questions.waiting(), parts.readTrouble()]);
    return hold === null && throttledMs < LONGEST_WAIT_MS && ahead(question) <= ANSWERED_IN_TIME;
  }

  function rememberInVain(deviceId: string): void {
    if (inVain.size >= MOST_IN_VAIN) inVain.clear();
    inVain.set(deviceId, performance.now() + IN_VAIN_MS);
  }

  function noteUse(deviceId: string, remembered: Remembered): void {
    const now = clock();
    if (remembered.kind !== 'known' || !isUseWorthNoting(now - remembered.device.usedAt, parts.maxAgeMs)) return;
    mirror.noteUse(deviceId, now).catch(onTrouble);
  }
}
