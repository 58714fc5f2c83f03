// The alerts against the runbook, the registry and promtool: each explained, each tried, none about a metric that is not there.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { REFUSALS } from '../../src/domain/submission/refusal.ts';
import { isInstalled } from '../support/is-installed.ts';
import { PROMETHEUS, read, readAlerts, readMetricNames, readPanelQueries, ROOT, selectorsOf } from './sources.ts';

const alerts = readAlerts();
const names = alerts.map(({ name }) => name);

test('every alert · has its section in the runbook · and every section its alert', () => {
  const [, runbook = ''] = read('docs/operations.md').split(/^## Alerts$/m);
  const sections = [...(runbook.split(/^## /m)[0] ?? '').matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(10);
  expect([...sections].sort()).toEqual([...names].sort());
});

test.each(alerts)('$name · says what, what to do, how soon · and where to read on', (alert) => {
  expect(alert.severity).toMatch(/^(critical|warning)$/);
  expect(alert.summary.length).toBeGreaterThan(15);
  expect(alert.action.length).toBeGreaterThan(15);
  expect(alert.runbook).toBe(`docs/operations.md#${alert.name.toLowerCase()}`);
});

test('every alert · is tried · fires where it should, and is silent where it should not', () => {
  const [, ...tries] = read('observability/prometheus/alerts.test.yml').split(/^ +alertname: /m);
  const tried = tries.map((text) => ({ name: /^\w+/.exec(text)?.[0], told: text.includes('exp_alerts:') }));
  const told = tried.filter((one) => one.told).map(({ name }) => name);
  const silent = tried.filter((one) => !one.told).map(({ name }) => name);
  expect([...new Set(told)].sort()).toEqual([...names].sort());
  expect([...new Set(silent)].sort()).toEqual([...names].sort());
});

test('rules and dashboard · speak of metrics · that the service has', async () => {
  const known = new Set([...(await readMetricNames()), 'up']);
  const rules = read('observability/prometheus/alerts.yml').replaceAll(/^ *#.*$/gm, '');
  const expressions = [rules, ...readPanelQueries().map(({ expr }) => expr)];
  const used = expressions.flatMap(selectorsOf).map((selector) => selector.replace(/\{.*/, ''));
  expect(used.length).toBeGreaterThan(50);
  expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
});

test('a refusal that is no fault of the device · is reported as such · in rules and dashboard alike', () => {
  const ours = Object.entries(REFUSALS).filter(([code, { status }]) => status >= 500 || code === 'backlog-full');
  const listed = [read('observability/prometheus/alerts.yml'), ...readPanelQueries().map(({ expr }) => expr)]
    .flatMap((text) => [...text.matchAll(/code[=!]~"([^"]+)"/g)])
    .map(([, codes = '']) => codes.split('|').sort());
  expect(listed).toHaveLength(4);
  for (const codes of listed) expect(codes).toEqual(ours.map(([code]) => code).sort());
});

test('what Compose mounts for Prometheus and Grafana · is there', () => {
  const mounted = [...read('docker-compose.yml').matchAll(/'\.\/(observability\/[^:]+):/g)].map(
    ([, path = '']) => path,
  );
  expect(mounted).toHaveLength(3);
  expect(mounted.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

describe.skipIf(!isInstalled('promtool'))('promtool (skipped where it is not installed)', () => {
  const promtool = (...args: string[]) => promisify(execFile)('promtool', args, { cwd: PROMETHEUS });

  test('configuration and rules · are taken · without a complaint', async () => {
    const { stdout, stderr } = await promtool('check', 'config', '--lint=all', '--lint-fatal', 'prometheus.yml');
    expect(stderr).toBe('');
    expect(stdout).toContain(`${names.length} rules found`);
  });

  test('the alerts · fire and stay silent · as alerts.test.yml says', async () => {
    const { stderr } = await promtool('test', 'rules', 'alerts.test.yml');
    expect(stderr).toBe('');
  });
});
