// Generates the run results of simulated devices: realistic, and reproducible by seed.
import { planRunResult, type FleetRunResult } from '../../sandbox/fleet/device.ts';
import { createRandom } from '../../sandbox/random.ts';

export type FleetPlan = {
  devices: number;
  configurationIds: readonly string[];
  seed: number;
  /** Runs are completed within the day before this; the same seed repeats runs exactly only for the same instant. */
  nowMs: number;
  /** How many submissions in a hundred repeat the previous one. */
  again: number;
};

/** Generates submissions endlessly: the devices in turn, with occasional repetitions. */
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

/** Gives neighbouring numbers different random sequences. */
const mix = (seed: number, number: number): number =>
  (Math.imul(seed ^ Math.imul(number, 0x9e3779b1), 0x85ebca6b) >>> 0) + 1;
