// The house's rules, held by a test: who may import whom, whose npm packages these are, and what line 1 says.
import { readdirSync, readFileSync } from 'node:fs';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { expect, test } from 'vitest';

/** Files and folders side by side. */
const MOST_IN_A_ROOM = 15;
const EDGES = ['http', 'queue', 'graph', 'webhook'];

const only = (name: string, from: object, allowed: string[]): IForbiddenRuleType => ({
  name,
  severity: 'error',
  from,
  to: { pathNot: allowed, dependencyTypesNot: ['core'] },
});
const owned = (npm: string, owners: string): IForbiddenRuleType => ({
  name: `${npm} belongs to ${owners}`,
  severity: 'error',
  from: { path: '^(src|workers)', pathNot: owners },
  to: { path: `^node_modules/${npm}/` },
});

const RULES: IForbiddenRuleType[] = [
  { name: 'no circles, not even of types', severity: 'error', from: {}, to: { circular: true } },
  { name: 'nobody imports a main', severity: 'error', from: {}, to: { path: '/main\\.ts$' } },
  {
    name: 'the domain has nothing of Node’s but a hash',
    severity: 'error',
    from: { path: '^src/domain' },
    to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
  },
  only('the domain knows itself, zod and a hash', { path: '^src/domain/' }, ['^src/domain/', '^node_modules/zod/']),
  only('the configuration knows the domain and itself', { path: '^src/config/' }, [
    '^src/(config|domain)/',
    '^node_modules',
  ]),
  ...EDGES.map((edge) =>
    only(`${edge} knows the domain, the configuration and itself`, { path: `^src/${edge}/` }, [
      `^src/(${edge}|domain|config)/`,
      '^node_modules',
    ]),
  ),
  only('telemetry implements what edges report', { path: '^src/telemetry/' }, [
    '^src/(telemetry|domain|config|http|queue|graph|webhook)/',
    '^node_modules',
  ]),
  {
    name: 'telemetry borrows only types from edges',
    severity: 'error',
    from: { path: '^src/telemetry/' },
    to: { path: '^src/(http|queue|graph|webhook)/', dependencyTypesNot: ['type-only'] },
  },
  only('a process starts before anything of its own is known', { path: '^src/process/' }, [
    '^src/(process|telemetry|domain|config|http|queue)/',
    '^node_modules',
  ]),
  only('a device knows the domain and itself', { path: '^src/device/' }, ['^src/(device|domain)/', '^node_modules']),
  only('the doctor is given facts', { path: '^src/doctor/' }, [
    '^src/(doctor|domain|config|http|queue|graph|webhook)/',
    '^node_modules',
  ]),
  {
    name: 'the doctor borrows only types from edges',
    severity: 'error',
    from: { path: '^src/doctor/' },
    to: { path: '^src/(http|queue|graph|webhook)/', dependencyTypesNot: ['type-only'] },
  },
  only('the sandbox shares no code with the product', { path: '^src/sandbox/' }, [
    '^src/sandbox/',
    '^src/graph/wire\\.ts$',
    '^node_modules',
  ]),
  {
    name: 'the sandbox borrows only types',
    severity: 'error',
    from: { path: '^src/sandbox' },
    to: { path: '^src/graph', dependencyTypesNot: ['type-only'] },
  },
  only('an attempt knows the domain alone', { path: '^workers/deliver\\.ts$' }, ['^src/domain']),
  owned('express', '^src/http/'),
  owned('@bull-board/express', '^src/http/'),
  owned('bullmq', '^src/queue/'),
  owned('ioredis', '^src/queue/'),
  owned('@microsoft/microsoft-graph-client', '^src/graph/'),
  owned('@azure/identity', '^src/graph/'),
  owned('@azure/msal-node', '^src/graph/'),
  owned('undici', '^src/(graph|device)/'),
  owned('standardwebhooks', '^src/webhook/'),
  owned('prom-client', '^src/telemetry/'),
  owned('pino', '^src/telemetry/'),
  owned('@opentelemetry', '^src/telemetry/'),
];

test('imports · run from the edges to the core · and nowhere else', async () => {
  const { output } = await cruise(
    ['src', 'workers'],
    {
      ruleSet: { forbidden: RULES },
      validate: true,
      doNotFollow: { path: 'node_modules' },
      tsPreCompilationDeps: true,
      enhancedResolveOptions: {
        extensions: ['.ts', '.js', '.json'],
        exportsFields: ['exports'],
        conditionNames: ['import', 'types'],
      },
    },
    undefined,
    { tsConfig: { options: {} } },
  );
  const { summary, modules } = output as ICruiseResult;
  const onDisk = ['src', 'workers'].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`),
  );
  expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  const read = new Set(modules.map(({ source }) => source));
  expect(onDisk.filter((file) => file.endsWith('.ts') && !read.has(file))).toEqual([]);
  expect(modules.some(({ source }) => source.startsWith('node_modules/bullmq/'))).toBe(true);
}, 60_000);

test('a folder · is one room · of about a dozen things', () => {
  const folders = ['src', 'workers']
    .flatMap((room) => readdirSync(room, { recursive: true, withFileTypes: true }))
    .filter((entry) => !/\.md$/.test(entry.name))
    .map(({ parentPath }) => parentPath);
  const sizes = folders.reduce(
    (counts, path) => counts.set(path, (counts.get(path) ?? 0) + 1),
    new Map<string, number>(),
  );
  expect([...sizes].filter(([, size]) => size > MOST_IN_A_ROOM)).toEqual([]);
  expect(readdirSync('src').filter((name) => name.includes('.'))).toEqual(['main.ts']);
});

test('every source file · says on line 1 what it is · in one comment', () => {
  const files = ['src', 'workers', 'test', 'bench', 'setup', 'bin']
    .flatMap((room) => readdirSync(room, { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`))
    .filter((file) => /\.(ts|mjs)$/.test(file));
  const silent = files.filter((file) => !/^(#!.*\n)?\/\/ .{10,}/.test(readFileSync(file, 'utf8')));
  expect(silent).toEqual([]);
  expect(files.length).toBeGreaterThan(50);
});
