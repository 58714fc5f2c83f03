// The house's rules, held by a test: who may import whom, whose npm packages these are, and what line 1 says.
import { readdirSync, readFileSync } from 'node:fs';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { expect, test } from 'vitest';

const EDGES = ['http', 'queue', 'graph', 'sandbox'];
/** Files under src/ that any room may use; they know the domain and each other. */
const FOYER =
  '^src/(cannot-start|config|deadline|environment|events|graph-config|identity-config|log|metrics|redis-config|secret|setting-file)\\.ts$';

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
  {
    name: 'no cycles at run time',
    severity: 'error',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  { name: 'nobody imports a main', severity: 'error', from: {}, to: { path: '/main\\.ts$' } },
  {
    name: 'the domain has nothing of Node’s but a hash',
    severity: 'error',
    from: { path: '^src/domain' },
    to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
  },
  only('the domain knows itself, zod and a hash', { path: '^src/domain' }, ['^src/domain', '^node_modules/zod/']),
  ...EDGES.filter((edge) => edge !== 'sandbox').map((edge) =>
    only(`${edge} knows the domain and itself`, { path: `^src/${edge}/` }, [
      `^src/${edge}/`,
      '^src/domain',
      FOYER,
      '^node_modules',
    ]),
  ),
  only('the sandbox shares no code with the product', { path: '^src/sandbox' }, [
    '^src/sandbox',
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
  owned('undici', '^src/graph/'),
  owned('prom-client', '^src/metrics'),
  owned('pino', '^src/log'),
  owned('@opentelemetry', '^src/tracing'),
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
  expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  expect(modules.filter(({ source }) => /^(src|workers)\//.test(source)).length).toBeGreaterThan(20);
  expect(modules.some(({ source }) => source.startsWith('node_modules/bullmq/'))).toBe(true);
}, 60_000);

test('every source file · says on line 1 what it is · in one comment', () => {
  const files = ['src', 'workers', 'test', 'bench', 'setup', 'bin']
    .flatMap((room) => readdirSync(room, { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`))
    .filter((file) => /\.(ts|mjs)$/.test(file));
  const silent = files.filter((file) => !/^(#!.*\n)?\/\/ .{10,}/.test(readFileSync(file, 'utf8')));
  expect(silent).toEqual([]);
  expect(files.length).toBeGreaterThan(50);
});
