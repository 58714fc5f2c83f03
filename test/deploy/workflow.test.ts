// The workflow of GitHub Actions: it does what a person would, with actions of a known version and no more rights than it needs.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

type Step = { uses?: string; run?: string; with?: Record<string, unknown> };
type Workflow = {
  concurrency: { 'cancel-in-progress': unknown };
  permissions: Record<string, string>;
  jobs: Record<string, { 'timeout-minutes'?: number; steps: Step[] }>;
};
const workflow = parse(readFileSync('.github/workflows/ci.yml', 'utf8')) as Workflow;
const jobs = Object.entries(workflow.jobs);
const runsOf = (job: string) => workflow.jobs[job]?.steps.map(({ run }) => run ?? '').join('\n') ?? '';

test('the workflow · tests, builds the image, checks chart and alerts · with commands that are there', () => {
  expect(jobs.map(([name]) => name)).toEqual(['test', 'image', 'chart', 'alerts']);
  expect(runsOf('test')).toContain('npm test');
  expect(runsOf('image')).toMatch(/docker build .*[^]*--scale worker=4/);
  // Without promtool the tests of KEDA's queries would be skipped.
  expect(runsOf('chart')).toMatch(/setup\/fetch-helm\.mjs[^]*\.tools\/bin\/promtool[^]*vitest run test\/deploy/);
  expect(runsOf('alerts')).toMatch(/check config[^]*test rules alerts\.test\.yml/);
  const files = ['sandbox.env', 'setup/fetch-helm.mjs', 'observability/prometheus/alerts.test.yml'];
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

test('every action · is pinned to a major version at least · and comes from GitHub', () => {
  const used = jobs.flatMap(([, { steps }]) => steps.flatMap(({ uses }) => uses ?? []));
  expect(used.length).toBeGreaterThan(5);
  expect(used.filter((action) => !/^actions\/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})$/.test(action))).toEqual([]);
});

test('a newer push · ends the run of a pull request · and of no commit on main', () => {
  expect(workflow.concurrency['cancel-in-progress']).toBe("${{ github.event_name == 'pull_request' }}");
});

test('every checkout · leaves no token behind · for what is run afterwards', () => {
  const checkouts = jobs.flatMap(([, { steps }]) => steps.filter(({ uses }) => uses?.startsWith('actions/checkout@')));
  expect(checkouts.length).toBe(jobs.length);
  for (const checkout of checkouts) expect(checkout.with).toEqual({ 'persist-credentials': false });
});

test('every job · may read the code and no more · and ends', () => {
  expect(workflow.permissions).toEqual({ contents: 'read' });
  for (const [name, job] of jobs) expect([name, job['timeout-minutes']]).toEqual([name, expect.any(Number)]);
});
