// What to answer a device by what is remembered of the directory's word, and what to ask the directory for a better answer.
import type { DirectoryDevice } from './directory-device.ts';
import { freshnessOf, isRefusalRecent, spreadOf } from './freshness.ts';
import { judgeDevice, NOT_FOUND, type DeviceJudgement, type DirectoryRequirement } from './judge-device.ts';

/** What the directory said about a device, and when. Instants are milliseconds since 1970. */
export type KnownDevice = DirectoryDevice & {
  askedAt: number;
  /** When it last submitted something, roughly. */
  usedAt: number;
};

/** `absent`: the directory has no such device, as it said lately. `never-asked`: or so long ago that it is forgotten. */
export type Remembered =
  { kind: 'known'; device: KnownDevice } | { kind: 'absent'; askedAt: number } | { kind: 'never-asked' };

/** Why a device is asked about: its word ages, nothing is known, or what it shows is refused by an older word. */
export type QuestionKind = 'refresh' | 'unknown' | 'mismatch';

export type Verdict = DeviceJudgement | { kind: 'unknown'; reason: string };

/** `wait`: another answer may change the verdict, so it is worth waiting for; else the question is only left behind. */
export type Consultation = { verdict: Verdict; ask: null | { question: QuestionKind; wait: boolean } };

type Shown = { deviceId: string; keyDigest: string };
type Rules = { requirement: DirectoryRequirement; maxAgeMs: number };

const asking = (verdict: Verdict, question: QuestionKind, wait = true): Consultation => ({
  verdict,
  ask: { question, wait },
});
const settled = (verdict: Verdict): Consultation => ({ verdict, ask: null });

type Inquiry = { remembered: Remembered; shown: Shown; rules: Rules; now: number };

export function consult({
  remembered,
  shown: { deviceId, keyDigest },
  rules: { requirement, maxAgeMs },
  now,
}: Inquiry): Consultation {
  switch (remembered.kind) {
    case 'never-asked':
      return asking({ kind: 'unknown', reason: 'the directory was not asked about the device yet' }, 'unknown');
    case 'absent':
      return isRefusalRecent(now - remembered.askedAt) ? settled(NOT_FOUND) : asking(NOT_FOUND, 'unknown');
    case 'known': {
      const { device } = remembered;
      const verdict = judgeDevice(device, keyDigest, requirement);
      if (verdict.kind === 'bad') {
        return isRefusalRecent(now - device.askedAt) ? settled(verdict) : asking(verdict, 'mismatch');
      }
      switch (freshnessOf(now - device.askedAt, maxAgeMs, spreadOf(deviceId))) {
        case 'fresh':
          return settled(verdict);
        case 'ageing':
          return asking(verdict, 'refresh', false);
        case 'stale':
          return asking(verdict, 'refresh');
        case 'expired':
          return asking({ kind: 'unknown', reason: 'the directory’s word about the device is too old' }, 'refresh');
      }
    }
  }
}
