// Generates the run results of simulated devices: realistic, and reproducible by seed.
import { planRunResult, type FleetRunResult } from '../../sandbox/fleet/device.ts';
import { createRandom } from '../../sandbox/random.ts';

export type FleetPlan = {
  devices: number;
  configurationIds: readonly string[];
  seed: number;
  /** The runs were completed in the day before this; a run says the same again only for the same instant. */
  nowMs: number;
  /** How many submissions, of a hundred, repeat the one before. */
  again: number;
};

/** Plans submission after submission: the devices in turn, now and then the same run result once more. */
export function createSubmissions({ devices, configurationIds, seed, nowMs, again }: FleetPlan): () => FleetRunResult {
  const random = createRandom(seed);
  const plan = (number: number, of: number) =>
    planRunResult(createRandom(mix(seed, of)), { number, configurationIds, nowMs });
  let runs = 0;
  let last: FleetRunResult | null = null;
  return () => {
    if (last && random() * 100 < again) return last;
    const number = (runs % devices) + 1;
    const { deviceId, deviceName } = plan(number, number);
    last = { ...plan(number, devices + 1 + runs), deviceId, deviceName, runId: `sim-${seed.toString(36)}-${runs}` };
    runs += 1;
    return last;
  };
}

/** Neighbouring numbers must not begin with the same dice. */
const mix = (seed: number, number: number): number =>
  (Math.imul(seed ^ Math.imul(number, 0x9e3779b1), 0x85ebca6b) >>> 0) + 1;
