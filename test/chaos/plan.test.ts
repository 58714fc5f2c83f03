// The plan of a run: a function of its seed, with everything in it that a campaign is for.
import { expect, test } from 'vitest';
import {
  createPlan,
  EMBEDDED_KINDS,
  GRAPH_KINDS,
  FILTERS,
  isBeyondTolerance,
  isOfGraph,
  MACHINE_KINDS,
  MACHINERY,
  TENANT_KINDS,
  TROUBLE_KINDS,
  type Kind,
  type PlannedKind,
  type Plan,
} from './plan.ts';
import { createTenantsPlan, nameTenants } from './tenant-plan.ts';

const KINDS = [...MACHINE_KINDS, ...GRAPH_KINDS];
const planOf = (
  seed: number,
  machinery: keyof typeof MACHINERY = 'apart',
  kinds: readonly PlannedKind[] = KINDS,
): Plan =>
  createPlan({
    seed,
    devices: 30,
    configurationIds: ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'],
    unknownConfigurationId: '33333333-3333-4333-8333-333333333333',
    kinds,
    machinery: MACHINERY[machinery],
    now: Date.UTC(2026, 0, 1),
  });

test('a plan · is the same for the same seed · and another for another', () => {
  expect(planOf(7)).toEqual(planOf(7));
  expect(planOf(7)).not.toEqual(planOf(8));
});

test('plans · hold every kind of disturbance and of submission between them', () => {
  const plans = Array.from({ length: 60 }, (_, seed) => planOf(seed + 1));
  const submissions = plans.flatMap((plan) => plan.submissions);
  expect(new Set(plans.flatMap((plan) => plan.disturbances.map(({ kind }) => kind)))).toEqual(new Set(KINDS));
  expect(new Set(submissions.map(({ meaning }) => meaning))).toEqual(new Set(['ordinary', 'poison', 'rival']));
  expect(submissions.some(({ copies }) => copies > 1)).toBe(true);
  expect(submissions.some(({ clockSkewS }) => isBeyondTolerance(clockSkewS))).toBe(true);
  expect(submissions.some(({ clockSkewS }) => clockSkewS !== 0 && !isBeyondTolerance(clockSkewS))).toBe(true);
});

test('plans · put each configuration into each trouble, and nothing else in any · and meet every filter', () => {
  const plans = Array.from({ length: 200 }, (_, seed) => planOf(seed + 1));
  const disturbances = plans.flatMap((plan) => plan.disturbances);
  for (const trouble of TROUBLE_KINDS) {
    const met = disturbances.filter(({ kind }) => kind === trouble).map(({ configurationId }) => configurationId);
    expect(new Set(met).size).toBe(2);
    expect(met).not.toContain(null);
  }
  const others = disturbances.filter(({ kind }) => !(TROUBLE_KINDS as readonly Kind[]).includes(kind));
  expect(others.every(({ configurationId }) => configurationId === null)).toBe(true);
  expect(new Set(plans.map(({ filter }) => filter))).toEqual(new Set(FILTERS));
});

test('plans for the embedded Redis · disturb nothing that needs a proxy before it', () => {
  const plans = Array.from({ length: 60 }, (_, seed) => planOf(seed + 1, 'embedded', GRAPH_KINDS));
  const kinds = new Set(plans.flatMap((plan) => plan.disturbances.map(({ kind }) => kind)));
  expect(kinds).toEqual(new Set([...EMBEDDED_KINDS, ...GRAPH_KINDS]));
});

test('plans of several tenants · have the same devices and runs in each, with other contents · and every kind for each', () => {
  const TENANTS = nameTenants(3);
  const planFor = (seed: number) =>
    createTenantsPlan({
      seed,
      devices: 5,
      configurationIds: ['11111111-1111-4111-8111-111111111111'],
      unknownConfigurationId: '33333333-3333-4333-8333-333333333333',
      kinds: KINDS,
      machinery: MACHINERY.apart,
      now: Date.UTC(2026, 0, 1),
      tenants: TENANTS,
    });
  expect(planFor(7)).toEqual(planFor(7));
  const { submissions } = planFor(7);
  const of = (tenant: string) => submissions.filter((submission) => submission.tenant === tenant);
  for (const tenant of TENANTS) {
    expect(new Set(of(tenant).map(({ runResult }) => runResult.deviceId)).size).toBe(5);
    expect(of(tenant).some(({ runResult }) => runResult.runId === 'run-1')).toBe(true);
  }
  const contents = TENANTS.map((tenant) => JSON.stringify(of(tenant).map(({ runResult }) => runResult)));
  expect(new Set(contents).size).toBe(TENANTS.length);

  const disturbances = Array.from({ length: 100 }, (_, seed) => planFor(seed + 1)).flatMap((plan) => plan.disturbances);
  for (const tenant of TENANTS) {
    const met = disturbances.filter((disturbance) => disturbance.tenant === tenant).map(({ kind }) => kind);
    expect(new Set(met)).toEqual(new Set([...KINDS.filter(isOfGraph), ...TENANT_KINDS]));
  }
  expect(disturbances.some(({ tenant, kind }) => tenant === null && kind === 'kill')).toBe(true);
  for (const { at, forMs } of disturbances) expect(at + forMs).toBeLessThanOrEqual(MACHINERY.apart.lengthMs);
});

test('every disturbance · ends before everything is repaired', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const { disturbances, lengthMs } = planOf(seed);
    for (const { at, forMs } of disturbances) expect(at + forMs).toBeLessThanOrEqual(lengthMs);
  }
});
