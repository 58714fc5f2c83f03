// The chart's files against each other: values, their schema, the table in docs/kubernetes.md, the versions, the alerts.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { isInstalled } from '../support/is-installed.ts';
import { CHART, find, readChart, renderValues, type Values } from './chart.ts';

const DOCUMENT = readFileSync('docs/kubernetes.md', 'utf8');

/** Every value by its path, but for what a map holds that has no fixed names. */
function leaves(values: Values, under = ''): [string, unknown][] {
  return Object.entries(values).flatMap(([name, value]): [string, unknown][] => {
    const path = `${under}${name}`;
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value) && name !== 'resources';
    return isGroup && Object.keys(value).length > 0 ? leaves(value as Values, `${path}.`) : [[path, value]];
  });
}

type Schema = { properties?: Record<string, Schema>; $ref?: string };

test('every value · is in the schema · and in values.yaml whatever the schema has', () => {
  const schema = readChart('values.schema.json') as Schema;
  const values = readChart('values.yaml');
  const names = (one: Schema | undefined) => Object.keys(one?.properties ?? {}).sort();
  // Helm's own.
  expect(names(schema).filter((name) => name !== 'global')).toEqual(Object.keys(values).sort());
  for (const [name, value] of Object.entries(values)) {
    if (['config', 'secrets', 'files'].includes(name) || !schema.properties?.[name]?.properties) continue;
    expect([name, ...names(schema.properties[name])]).toEqual([name, ...Object.keys(value as Values).sort()]);
  }
});

test('docs/kubernetes.md · has every value · with its default', () => {
  const [, section = ''] = DOCUMENT.split(/^## Values$/m);
  const rows = [...section.matchAll(/^\| `([\w.]+)` +\| (.*?) +\|/gm)].map(([, path = '', byDefault = '']) => [
    path,
    byDefault.replaceAll('`', '').trim(),
  ]);
  const expected = leaves(readChart('values.yaml')).map(([path, value]) => [
    path,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  expect(rows).toEqual(expected);
});

test('the chart’s version of the service · is that of package.json', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(readChart('Chart.yaml')).toMatchObject({ appVersion: version });
});

test.each([
  ['alerts.yml', 'prometheus/alerts.yml'],
  ['dashboard.json', 'grafana/dashboards/runstate-bridge.json'],
])('the chart’s %s · is that of observability · whole', (file, source) => {
  expect(readFileSync(`${CHART}/files/${file}`, 'utf8')).toBe(readFileSync(`observability/${source}`, 'utf8'));
});

test.skipIf(!isInstalled('helm'))(
  'the first steps in docs/kubernetes.md · render · under the names they use (skipped where Helm is not installed)',
  async () => {
    const [, steps = ''] = /<<'END'\n([^]+?)\nEND/.exec(DOCUMENT) ?? [];
    const objects = await renderValues(parse(steps) as Values, 'runstate-bridge');
    const { name } = find(objects, 'Deployment', 'worker').metadata;
    expect(DOCUMENT).toContain(`exec deploy/${name} --`);
    expect(DOCUMENT).toContain(
      `system:serviceaccount:bridge:${find(objects, 'ServiceAccount', 'worker').metadata.name}`,
    );
  },
);
