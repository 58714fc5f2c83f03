// The package as an agent's author gets it: packed, put into an empty project, type-checked, and the manual's sample run.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgentBridge, type AgentBridge } from '../support/agent.ts';
import { createReportingDevice, type ReportingDevice } from '../support/reporter.ts';

const run = promisify(execFile);
const TSC = resolve('node_modules/.bin/tsc');

let project: string;
let bridge: AgentBridge;
let device: ReportingDevice;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'runstate-package-'));
  bridge = await startAgentBridge();
  device = createReportingDevice();
  const source = join(project, 'source');
  await mkdir(source);
  for (const name of ['package.json', 'bin']) await cp(name, join(source, name), { recursive: true });
  // As `npm run build`, of what the package's door leads to.
  const build = {
    extends: resolve('tsconfig.build.json'),
    compilerOptions: { noCheck: true },
    include: [],
    files: [resolve('src/device/package.ts')],
  };
  await writeFile(join(source, 'tsconfig.json'), JSON.stringify(build));
  await run(TSC, [
    '-p',
    source,
    '--outDir',
    join(source, 'dist'),
    '--rootDir',
    '.',
    '--typeRoots',
    'node_modules/@types',
  ]);
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
    cwd: source,
  });
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  await run('tar', ['-xzf', join(project, packed.filename), '-C', project]);
  // What an installation puts beside it is this checkout's.
  const modules = join(project, 'agent', 'node_modules');
  await mkdir(modules, { recursive: true });
  await cp(join(project, 'package'), join(modules, 'runstate-bridge'), { recursive: true });
  await symlink(resolve('node_modules'), join(modules, 'runstate-bridge', 'node_modules'));
  await mkdir(join(modules, '@types'));
  await symlink(resolve('node_modules/@types/node'), join(modules, '@types', 'node'));
  await symlink(resolve('node_modules/undici-types'), join(modules, 'undici-types'));
}, 60_000);
afterAll(async () => {
  await device.close();
  await bridge.close();
  await rm(project, { recursive: true, force: true });
});

test('docs/agents.md · its sample · has the package’s types, and reports a run', async () => {
  const page = await readFile('docs/agents.md', 'utf8');
  const sample = /```ts\n(.*?)```/s.exec(page)?.[1] ?? '';
  const key = join(device.directory, 'key');
  await writeFile(key, `${device.deviceKey}\n`);
  const agent = join(project, 'agent');
  const here = { 'https://bridge.contoso.com': bridge.url, '/var/lib/contoso-agent': device.spool };
  const filled = Object.entries({ ...here, 'LAPTOP-0042': device.deviceId, '/etc/contoso-agent.key': key }).reduce(
    (text, [example, real]) => {
      expect(text).toContain(example);
      return text.replace(example, real);
    },
    sample,
  );
  const wrong = `import { openSpool } from 'runstate-bridge/device';\nawait openSpool({ directory: 1 });\n`;
  await writeFile(join(agent, 'package.json'), '{"type":"module"}');
  await writeFile(join(agent, 'agent.ts'), filled);
  await writeFile(join(agent, 'wrong.ts'), wrong);
  const options = {
    strict: true,
    module: 'nodenext',
    target: 'es2024',
    noEmit: true,
    types: ['node'],
    skipLibCheck: true,
  };
  await writeFile(join(agent, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }));
  const checked = await run(TSC, [], { cwd: agent }).catch((error: unknown) => error as { stdout: string });
  expect(checked.stdout.trim()).toBe("wrong.ts(2,19): error TS2322: Type 'number' is not assignable to type 'string'.");

  const { stdout } = await run(process.execPath, ['agent.ts'], { cwd: agent });
  expect(stdout).toMatch(/^[0-9a-f]{32} is stored\n$/);
  expect(await bridge.stored(device.deviceId)).toMatchObject([{ output: 'SecureBoot: Enabled' }]);
}, 60_000);
