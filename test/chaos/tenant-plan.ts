// The plan of a run with several tenants: the machinery is disturbed once, each tenant's Graph and entry by themselves; a function of the seed.
import { createRandom, pick, wholeNumber, type Random } from '../../src/sandbox/random.ts';
import { createPlan, isOfGraph, type Disturbance, type Plan, type PlanOptions, type TENANT_KINDS } from './plan.ts';

/** Far from the next runs' seeds, so that no two runs have a tenant that is the same. */
const SEED_STEP = 7_919_000;
/** How long each lasts. The file is looked at every second, and a change counts at the second look. */
const DURATIONS: Record<(typeof TENANT_KINDS)[number], readonly [number, number]> = {
  'tenant-paused': [1500, 6000],
  'tenant-removed': [1500, 6000],
  'tenant-late': [1500, 6000],
  'tenant-secret-rotated': [500, 4000],
  'tenants-file-broken': [1500, 5000],
};
const KINDS = ['tenant-paused', 'tenant-removed', 'tenant-secret-rotated', 'tenants-file-broken'] as const;
/** This share of tenants is not in the file from the beginning. */
const LATE_SHARE = 0.2;

export const nameTenants = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `tenant-${index + 1}`);

export const seedOf = (seed: number, index: number): number => seed + index * SEED_STEP;

/** Every tenant has the same device ids and run ids, with contents of its own. */
export function createTenantsPlan({ tenants, ...options }: PlanOptions & { tenants: readonly string[] }): Plan {
  const plans = tenants.map((tenant, index) => ({
    tenant,
    plan: createPlan({ ...options, seed: seedOf(options.seed, index) }),
  }));
  const [first] = plans;
  if (!first) throw new Error('a plan needs a tenant');
  const random = createRandom(options.seed ^ 0x7e4a47);
  const disturbances = plans.flatMap(({ tenant, plan }, index) => [
    ...plan.disturbances
      .filter(({ kind }) => index === 0 || isOfGraph(kind))
      .map((disturbance) => (isOfGraph(disturbance.kind) ? { ...disturbance, tenant } : disturbance)),
    ...planEntry(random, tenant, options),
  ]);
  return {
    ...first.plan,
    submissions: plans
      .flatMap(({ tenant, plan }) => plan.submissions.map((submission) => ({ ...submission, tenant })))
      .sort((a, b) => a.at - b.at),
    disturbances: disturbances.sort((a, b) => a.at - b.at),
  };
}

/** What happens to a tenant's entry in the file. */
function planEntry(random: Random, tenant: string, { machinery: { lengthMs } }: PlanOptions): Disturbance[] {
  const isLate = random() < LATE_SHARE;
  return Array.from({ length: wholeNumber(random, 1, 3) }, (_, index) => {
    const kind = isLate && index === 0 ? 'tenant-late' : pick(random, KINDS);
    const at = kind === 'tenant-late' ? 0 : wholeNumber(random, 0, lengthMs - 1500);
    const forMs = Math.min(wholeNumber(random, ...DURATIONS[kind]), lengthMs - at);
    return { at, forMs, kind, party: 'api', tenant, configurationId: null };
  });
}
