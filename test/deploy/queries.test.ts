// What KEDA asks Prometheus: about metrics the service has, and with an answer that adds a worker only where one would help.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readMetricNames, selectorsOf } from '../observability/sources.ts';
import { isInstalled } from '../support/is-installed.ts';
import { find, queryOf, render, type KubernetesObject, type Role } from './chart.ts';

const isMissing = !isInstalled('helm');
const NAMESPACE = 'bridge';
/** The pods that a selector is about. */
const podsOf = (selector: string) => new RegExp(`^(?:${/pod=~"(.*?)"/.exec(selector)?.[1] ?? ''})$`);
const POD = 'rb-runstate-bridge-worker-5d8f7c9b6d-x2k4p';

describe.skipIf(isMissing)('KEDA’s queries (skipped where Helm is not installed)', () => {
  let objects: KubernetesObject[];
  const ask = (role: Role) => queryOf(find(objects, 'ScaledObject', role));
  const metadataOf = (role: Role) =>
    (find(objects, 'ScaledObject', role).spec as { triggers: [{ metadata: object }] }).triggers[0].metadata;

  beforeAll(async () => {
    objects = await render('scaling-monitoring');
  });

  test('every metric · in every query · is one that the service has', async () => {
    const known = new Set(await readMetricNames());
    const used = (['api', 'worker'] as const).flatMap((role) => selectorsOf(ask(role)));
    expect(used).toHaveLength(6);
    expect(used.map((selector) => selector.replace(/\{.*/, '')).filter((name) => !known.has(name))).toEqual([]);
  });

  test('jobs and namespace · in every query · are those that the chart’s PodMonitors set', () => {
    for (const role of ['api', 'worker'] as const) {
      const { spec } = find(objects, 'PodMonitor', role);
      const job = `runstate-${role}`;
      expect(JSON.stringify(spec)).toContain(JSON.stringify([{ targetLabel: 'job', replacement: job }]));
      for (const selector of selectorsOf(ask(role))) {
        expect(selector).toContain(`job="${job}"`);
        expect(selector).toContain(`namespace="${NAMESPACE}"`);
      }
    }
  });

  test('pods of another release in the namespace · are in no query · whatever is cut off of a long name', async () => {
    const fullname = 'n'.repeat(50);
    const long = await render('scaling-monitoring', { fullnameOverride: fullname });
    for (const role of ['api', 'worker'] as const) {
      for (const selector of selectorsOf(ask(role))) {
        expect(`rb-runstate-bridge-${role}-5d8f7c9b6d-x2k4p`).toMatch(podsOf(selector));
        expect(`other-runstate-bridge-${role}-5d8f7c9b6d-x2k4p`).not.toMatch(podsOf(selector));
      }
      // As Kubernetes names a pod: 58 characters of its ReplicaSet's name, and five at random.
      const pod = `${`${fullname}-${role}-5d8f7c9b6d-`.slice(0, 58)}x2k4p`;
      for (const selector of selectorsOf(queryOf(find(long, 'ScaledObject', role))))
        expect(pod).toMatch(podsOf(selector));
    }
  });

  test('Prometheus answers nothing · there stay as many as there are · and an API that it lost sight of is not idle', () => {
    for (const role of ['api', 'worker'] as const)
      expect(find(objects, 'ScaledObject', role).spec).not.toHaveProperty('fallback');
    expect(metadataOf('api')).toHaveProperty('ignoreNullValues', 'false');
    // No delivery that waits for a worker is the usual answer.
    expect(metadataOf('worker')).not.toHaveProperty('ignoreNullValues');
  });

  test('a Prometheus that wants a sign-in · is given it · in the way that is named', async () => {
    const signedIn = await render('scaling-monitoring', {
      'autoscaling.authenticationRef': 'prometheus',
      'autoscaling.authModes': 'bearer',
    });
    for (const role of ['api', 'worker'] as const)
      expect(find(signedIn, 'ScaledObject', role).spec).toMatchObject({
        triggers: [{ metadata: { authModes: 'bearer' }, authenticationRef: { name: 'prometheus' } }],
      });
  });

  /** Ten minutes of a tenant: its oldest delivery is from before, and grows older by a minute each minute. */
  const tenant = (name: string, { queued = '40x10', held = '0x10', createsPerMinute = 60 } = {}) => {
    const series = (metric: string, labels: string, values: string) => ({
      series: `${metric}{job="runstate-worker",namespace="${NAMESPACE}",pod="${POD}",tenant="${name}"${labels}}`,
      values,
    });
    return [
      series('runstate_oldest_queued_age_seconds', '', '100+60x10'),
      series('runstate_deliveries', ',status="queued"', queued),
      series('runstate_held', ',reason="throttled"', held),
      series('runstate_graph_requests_total', ',operation="create",status="201"', `0+${createsPerMinute}x10`),
      series('runstate_budget_writes_per_second', '', '5x10'),
    ];
  };

  describe.skipIf(!isInstalled('promtool'))('in Prometheus (skipped where promtool is not installed)', () => {
    test.each([
      ['deliveries wait while the pace has room', [tenant('slow')], 700],
      ['Graph’s pace is used up', [tenant('busy', { createsPerMinute: 270 })], null],
      ['a hold stops everybody', [tenant('held', { held: '1x10' })], null],
      ['a hold has just ended', [tenant('freed', { held: '1x8 0x2' })], null],
      ['only what failed before is old', [tenant('retrying', { queued: '3 0 2 1 0 4 0 0 1 2 3' })], null],
      ['one of two tenants is short of workers', [tenant('held', { held: '1x10' }), tenant('slow')], 700],
    ])('%s · the query · says how many seconds a worker is missing', async (_situation, tenants, seconds) => {
      const directory = await mkdtemp(join(tmpdir(), 'runstate-queries-'));
      const samples = seconds === null ? [] : [{ labels: '{}', value: seconds }];
      const promql_expr_test = [{ expr: ask('worker'), eval_time: '10m', exp_samples: samples }];
      const file = join(directory, 'test.yml');
      await writeFile(file, stringify({ tests: [{ interval: '1m', input_series: tenants.flat(), promql_expr_test }] }));
      try {
        const { stdout } = await promisify(execFile)('promtool', ['test', 'rules', file]);
        expect(stdout).toContain('SUCCESS');
      } finally {
        await rm(directory, { recursive: true });
      }
    });
  });
});
