// Compares the documents with the code: variables, routes, answers, failures, holds and metrics; checks links and file names.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../src/config/config.ts';
import { environmentSchema } from '../src/config/environment.ts';
import { FAILURE_KINDS } from '../src/domain/attempt/failure.ts';
import { DIRECTORY_HOLD_REASONS } from '../src/domain/directory/directory-answer.ts';
import { HOLD_REASONS } from '../src/domain/hold/hold.ts';
import { REFUSALS } from '../src/domain/submission/refusal.ts';
import { runResultSchema } from '../src/domain/submission/run-result.ts';
import { createOpenApi } from '../src/http/openapi/document.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { TENANT_GAUGES } from '../src/telemetry/tenant-gauges.ts';
import { defaultIdentity } from '../src/sandbox/graph/default-tenant.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGES = readdirSync(join(ROOT, 'docs')).filter((file) => file.endsWith('.md'));
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...PAGES.map((file) => `docs/${file}`),
];

const read = (document: string) => readFileSync(join(ROOT, document), 'utf8');

/** The rows of the first table under a heading, without its head; each row by the heads of its columns. */
function table(document: string, heading: string): Record<string, string>[] {
  const [, section = ''] = read(document).split(new RegExp(`^#+ ${heading}$`, 'm'));
  const lines = section.split(/^#+ /m)[0]?.split('\n') ?? [];
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows = lines.slice(first).map((line) => line.split(/(?<!\\)\|/).slice(1, -1));
  const [head = [], , ...body] = rows.slice(
    0,
    rows.findIndex((cells) => cells.length === 0),
  );
  return body.map((cells) => Object.fromEntries(head.map((name, index) => [name.trim(), cells[index]?.trim() ?? ''])));
}

const codes = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

describe('docs/configuration.md', () => {
  test('variables · every one · with its default', () => {
    const defaults = environmentSchema.parse({}) as Record<string, string | number | undefined>;
    const rows = table('docs/configuration.md', 'Variables').map(({ variable, default: byDefault = '' }) => [
      codes(variable).join(),
      /^(–|by cloud)$/.test(byDefault) ? 'none' : codes(byDefault).join(),
    ]);
    const expected = Object.keys(environmentSchema.shape).map((name) => [name, String(defaults[name] ?? 'none')]);
    expect(rows.sort()).toEqual(expected.sort());
  });
});

describe('docs/api.md', () => {
  test('routes · every one · with its method', () => {
    const rows = table('docs/api.md', 'The HTTP API').flatMap(({ route }) => codes(route));
    const expected = Object.entries(createOpenApi().paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(rows.sort()).toEqual(expected.sort());
  });

  test('members · every one of a run result · once', () => {
    const members = table('docs/api.md', 'Members of a run result').flatMap(({ member }) => codes(member));
    expect(members.sort()).toEqual(Object.keys(runResultSchema.shape).sort());
  });

  test('answers · hold every refusal · with its status', () => {
    const rows = table('docs/api.md', 'Answers').flatMap(({ status, code }) =>
      codes(code).map((name) => [name, Number(status)]),
    );
    const expected = Object.entries(REFUSALS).map(([code, { status }]) => [code, status]);
    expect(rows.sort()).toEqual(expected.sort());
  });

  test('when Graph does not create the record · every kind of failure · once', () => {
    const kinds = table('docs/api.md', 'When Graph does not create the record').flatMap(({ kind }) => codes(kind));
    expect(kinds.sort()).toEqual([...FAILURE_KINDS].sort());
  });
});

describe('docs/operations.md', () => {
  test('the dashboard · every headline it explains · is one that the code has', () => {
    const code = read('src/domain/operations/outlook.ts');
    const headlines = table('docs/operations.md', 'The dashboard').map(({ headline = '' }) =>
      headline.replace(/ …$/, ''),
    );
    expect(headlines.length).toBeGreaterThan(3);
    expect(headlines.filter((headline) => !code.includes(headline))).toEqual([]);
  });

  test('holds · every reason · once', () => {
    const reasons = table('docs/operations.md', 'Holds').flatMap(({ reason }) => codes(reason));
    expect(reasons.sort()).toEqual([...HOLD_REASONS].sort());
  });

  test('the device directory · every reason for a hold · once', () => {
    const rows = table('docs/operations.md', 'The device directory');
    const reasons = rows.flatMap((row) => codes(row['held for']));
    expect(reasons.sort()).toEqual([...DIRECTORY_HOLD_REASONS].sort());
  });
});

describe('docs/metrics.md', () => {
  test('metrics · every one · with its type and labels', () => {
    const rows = table('docs/metrics.md', 'Metrics').map(({ metric, type }) => `${codes(metric).join()} ${type ?? ''}`);
    const expected = Object.values(createMetrics()).flatMap((metric) => {
      if (!('labelNames' in metric)) return [];
      const { name, labelNames, constructor } = metric as unknown as {
        name: string;
        labelNames: string[];
        constructor: { name: string };
      };
      const labels = labelNames.length === 0 ? '' : `{${labelNames.join()}}`;
      return [`${name}${labels} ${'render' in metric ? 'counter' : constructor.name.toLowerCase()}`];
    });
    for (const { name, label } of Object.values(TENANT_GAUGES))
      expected.push(`${name}${label ? `{${label}}` : ''} gauge`);
    expect(expected.length).toBeGreaterThan(20);
    expect(rows.sort()).toEqual(expected.sort());
  });
});

test('sandbox.env · holds the tenant the sandbox plays · and is enough for both processes', () => {
  const environment = parseEnv(read('sandbox.env'));
  const { tenantId, clientId, clientSecret, directoryApp } = defaultIdentity;
  expect(environment).toMatchObject({
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
    DIRECTORY_CLIENT_ID: directoryApp.clientId,
    DIRECTORY_CLIENT_SECRET: directoryApp.clientSecret,
  });
  expect(parseConfig(environment, 'api').http.groupKeys).toHaveLength(1);
  expect(parseConfig(environment, 'worker').graph).toMatchObject({ instanceDiscovery: false });
});

describe('links', () => {
  const anchorsOf = (document: string) =>
    [...read(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );

  test.each(DOCUMENTS)('%s · every relative link · has a target', (document) => {
    const links = [...read(document).matchAll(/\]\((?!\w+:)([^)]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : join(dirname(document), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

test.each(DOCUMENTS)('%s · every file it names · exists', (document) => {
  const named = [...read(document).matchAll(/`((?:src|workers|test|bench|setup|observability|docs)\/[\w./-]+)`/g)];
  expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
