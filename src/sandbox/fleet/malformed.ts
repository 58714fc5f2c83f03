// Malformed run results as a broken agent sends them; each must be refused.
import type { FleetRunResult } from './device.ts';
import { pick } from '../random.ts';
import type { Random } from '../random.ts';

const mistakes: readonly [Mistake, ...Mistake[]] = [
  without('runId'),
  without('deviceName'),
  without('policyVersion'),
  without('completedAt'),
  without('hardwareConfigurationId'),
  (runResult) => ({ ...runResult, policyVersion: String(runResult.policyVersion) }),
  (runResult) => ({ ...runResult, policyVersion: 2 ** 31 }),
  (runResult) => ({ ...runResult, state: 'error' }),
  (runResult) => ({ ...runResult, completedAt: runResult.completedAt.slice(0, 19) }),
  (runResult) => ({ ...runResult, completedAt: '2026-02-30T08:00:00Z' }),
  (runResult) => ({ ...runResult, hardwareConfigurationId: 'dell-baseline' }),
  (runResult) => ({ ...runResult, deviceName: '' }),
  (runResult) => ({ ...runResult, output: 7 }),
];

type Mistake = (runResult: FleetRunResult) => object;

/** The run result with one mistake. */
export function spoil(random: Random, runResult: FleetRunResult): object {
  return pick(random, mistakes)(runResult);
}

function without(name: keyof FleetRunResult): Mistake {
  return (runResult) => Object.fromEntries(Object.entries(runResult).filter(([member]) => member !== name));
}
