// Embedded Redis: started by the first, joined by the second, stopped by the last; one per directory, whatever happens to it.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { socketPath } from '../../../../src/queue/redis/embedded/directory.ts';
import { startEmbeddedRedis, type EmbeddedRedis } from '../../../../src/queue/redis/embedded/embedded.ts';
import { findProgram, searchPath } from '../../../../src/queue/redis/embedded/file-lock.ts';
import { inspectRedis } from '../../../../src/queue/redis/health.ts';
import { serversIn, startUser } from '../../../support/embedded.ts';
import type { TestProcess } from '../../../support/process.ts';
import { until } from '../../../support/until.ts';

let directory: string;
let opened: EmbeddedRedis[];
let users: TestProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-embedded-'));
  opened = [];
  users = [];
});
afterEach(async () => {
  for (const pid of serversIn(directory)) process.kill(pid, 'SIGCONT');
  for (const user of users) await user.close();
  for (const embedded of opened) await embedded.close();
  await until('nothing is left behind', () => serversIn(directory).length === 0);
  await rm(directory, { recursive: true, force: true });
});

async function start(where = directory, waits: string[] = []): Promise<EmbeddedRedis> {
  const embedded = await startEmbeddedRedis(where, (waitingFor) => waits.push(waitingFor));
  opened.push(embedded);
  return embedded;
}
function use(env: Record<string, string> = {}, where = directory): TestProcess {
  const user = startUser(where, env);
  users.push(user);
  return user;
}

async function withClient<T>(ask: (client: Redis) => Promise<T>, where = directory): Promise<T> {
  const client = new Redis({
    path: socketPath(where),
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}
const processId = (where = directory) =>
  withClient(async (client) => Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]), where);
const isUp = () =>
  withClient((client) => client.ping()).then(
    () => true,
    () => false,
  );
/** A program that is found before the machine's own redis-server, and ends up being it. */
async function wrapServer(script: string): Promise<Record<string, string>> {
  const real = await findProgram('redis-server', searchPath());
  const folder = join(directory, 'programs');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'redis-server'), `#!/bin/sh\n${script.replace('REAL', real ?? '')}\n`, {
    mode: 0o755,
  });
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
}
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

test('an embedded server · fsyncs every write before it answers · and evicts nothing', async () => {
  await start();
  expect(await withClient(inspectRedis)).toMatchObject({ durability: 'always', maxmemoryPolicy: 'noeviction' });
});

test('five that start at once · share one server', async () => {
  await Promise.all(Array.from({ length: 5 }, () => start()));
  expect(serversIn(directory)).toEqual([await processId()]);
});

describe('who ends it', () => {
  test('the server · stays while another uses it · and goes with the last', async () => {
    const first = await start();
    const second = await start();
    await first.close();
    expect(await isUp()).toBe(true);
    await second.close();
    expect(await isUp()).toBe(false);
    expect(serversIn(directory)).toEqual([]);
  });

  test('who started it is killed · another uses it on · and when that one is killed too, the server goes', async () => {
    const starter = use();
    await starter.line('ready');
    const [server] = serversIn(directory);
    const other = use();
    await other.line('ready');
    await starter.close();
    await withClient((client) => client.set('kept', 'yes'));
    expect(serversIn(directory)).toEqual([server]);
    await other.close();
    await until('the server is gone', () => serversIn(directory).length === 0);

    await start();
    expect(await withClient((client) => client.get('kept'))).toBe('yes');
  });

  test('the last two end at the same moment · the server goes', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    await Promise.all([first.close(), second.close()]);
    await until('the server is gone', () => serversIn(directory).length === 0);
  });

  test('a server that is stopped when the last one ends · ends as soon as it can', async () => {
    const only = await start();
    const [server = 0] = serversIn(directory);
    process.kill(server, 'SIGSTOP');
    await only.close();
    expect(serversIn(directory)).toEqual([server]);
    process.kill(server, 'SIGCONT');
    await until('the server is gone', () => serversIn(directory).length === 0);
  });

  test('its starter is killed before it listens · it does not stay', async () => {
    const env = await wrapServer(`: > ${join(directory, 'begun')}; sleep 600`);
    const starter = use(env);
    await until('the server is being started', async () => (await readdir(directory)).includes('begun'));
    await starter.close();
    await until('it is gone', () => serversIn(directory).length === 0);
  });
});

describe('crashes', () => {
  test('a crashed server · is started again with everything it acknowledged', async () => {
    const embedded = await start();
    await withClient((client) => client.set('kept', 'yes'));
    process.kill(await processId(), 'SIGKILL');
    await until('the server is gone', async () => !(await isUp()));
    await embedded.ensure();
    expect(await withClient((client) => client.get('kept'))).toBe('yes');
  });

  test('a crashed server with three users · is started again by one of them', async () => {
    const embedded = await Promise.all([start(), start(), start()]);
    const crashed = await processId();
    process.kill(crashed, 'SIGKILL');
    await Promise.all(embedded.map(({ ensure }) => ensure()));
    expect(serversIn(directory)).toEqual([await processId()]);
    expect(serversIn(directory)).not.toEqual([crashed]);
  });

  test('everything is killed at once · what was left in the directory · keeps nobody out', async () => {
    const user = use();
    await user.line('ready');
    await withClient((client) => client.set('kept', 'yes'));
    const [server = 0] = serversIn(directory);
    process.kill(server, 'SIGKILL');
    await user.close();
    await writeFile(join(directory, 'redis.starting'), String(user.pid));
    await Promise.all([use().line('ready'), use().line('ready'), use().line('ready')]);
    expect(serversIn(directory)).toHaveLength(1);
    expect(await withClient((client) => client.get('kept'))).toBe('yes');
  });

  test('an append-only file that breaks off · is loaded up to there', async () => {
    await (await start()).close();
    const [folder] = (await readdir(directory)).filter((name) => name === 'appendonlydir');
    const [file = ''] = (await readdir(join(directory, folder ?? ''))).filter((name) => name.endsWith('incr.aof'));
    const whole = '*3\r\n$3\r\nSET\r\n$4\r\nkept\r\n$3\r\nyes\r\n';
    await writeFile(join(directory, 'appendonlydir', file), `${whole}*3\r\n$3\r\nSET\r\n$4\r\nlo`);
    await start();
    expect(await withClient((client) => client.get('kept'))).toBe('yes');
  });
});

describe('a server that does not answer', () => {
  test('it is stopped while another starts · no second one · who waits says for what', async () => {
    await start();
    await withClient((client) => client.set('kept', 'yes'));
    const servers = serversIn(directory);
    process.kill(servers[0] ?? 0, 'SIGSTOP');
    const waits: string[] = [];
    const joining = await start(directory, waits);
    expect(serversIn(directory)).toEqual(servers);
    const lives = expect.stringMatching(/^the embedded redis-server to answer: it lives/) as string;
    expect(waits).toEqual([lives]);
    expect(await joining.explain()).toEqual(lives);

    const ready = joining.ensure();
    process.kill(servers[0] ?? 0, 'SIGCONT');
    await ready;
    expect(await joining.explain()).toBeNull();
    expect(serversIn(directory)).toEqual(servers);
    expect(await withClient((client) => client.get('kept'))).toBe('yes');
  }, 20_000);

  test('it is killed while it is stopped · and then started again', async () => {
    const embedded = await start();
    const [server = 0] = serversIn(directory);
    process.kill(server, 'SIGSTOP');
    const ready = embedded.ensure();
    process.kill(server, 'SIGKILL');
    await ready;
    expect(serversIn(directory)).toEqual([await processId()]);
  });

  test('it takes long to listen · processes that start meanwhile wait · for the one server', async () => {
    const go = join(directory, 'go');
    const env = await wrapServer(`until [ -e ${go} ]; do sleep 0.1; done; exec REAL "$@"`);
    const early = [use(env), use(env), use(env)];
    await Promise.all(early.map((user) => user.line('started')));
    await Promise.all(early.map((user) => user.line('waiting')));
    expect(serversIn(directory)).toHaveLength(1);
    await writeFile(go, '');
    await Promise.all(early.map((user) => user.line('ready')));
    expect(serversIn(directory)).toEqual([await processId()]);
  }, 30_000);

  test('it takes long to load its files · it is waited for · and how far it is, is said', async () => {
    await start();
    await withClient((client) => client.mset(Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [n, 'x']))));
    await withClient((client) => client.bgrewriteaof());
    await until('the file is rewritten', async () =>
      /aof_rewrite_in_progress:0\r\n[^]*aof_last_bgrewrite_status:ok/.test(
        await withClient((client) => client.info('persistence')),
      ),
    );
    await opened.pop()?.close();
    // Redis's own setting for tests: so many microseconds for each key.
    vi.stubEnv('PATH', (await wrapServer('exec REAL "$@" --key-load-delay 300'))['PATH']);
    const waits: string[] = [];
    const embedded = await start(directory, waits);
    const servers = serversIn(directory);
    const second = await start(directory, waits);
    await Promise.all([embedded.ensure(), second.ensure()]);
    vi.unstubAllEnvs();
    expect(waits).toContainEqual(expect.stringMatching(/^the embedded redis-server to load its files, \d+ % so far$/));
    expect(serversIn(directory)).toEqual(servers);
    expect(await withClient((client) => client.dbsize())).toBe(20_000);
  }, 60_000);

  test('it runs a script without end · it is alive · and said to be busy', async () => {
    const embedded = await start();
    await withClient((client) => client.config('SET', 'lua-time-limit', '100'));
    const running = withClient((client) => client.eval('while true do end', 0)).catch(() => null);
    await until('it is busy', async () => (await embedded.explain()) === 'the embedded redis-server to end a script');
    const servers = serversIn(directory);
    const joining = await start();
    expect(serversIn(directory)).toEqual(servers);
    await withClient((client) => client.script('KILL'));
    await Promise.all([running, joining.ensure()]);
  }, 20_000);

  test('one that was started without the lock, as an older version does · is joined', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(join(directory, 'redis.sock'), resolve));
    const embedded = await start();
    expect(serversIn(directory)).toEqual([]);
    expect(await embedded.explain()).toMatch(/it lives/);
    silent.close();
    await embedded.ensure();
    expect(serversIn(directory)).toEqual([await processId()]);
  }, 20_000);
});

describe('a server that cannot run', () => {
  test('a redis-server that does not come up · is said in one clear line · that names its log', async () => {
    await writeFile(join(directory, 'redis-server'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    vi.stubEnv('PATH', directory);
    try {
      await expect(startEmbeddedRedis(directory)).rejects.toThrow(
        `${join(directory, 'redis-server')} does not come up; its log is ${join(directory, 'redis.log')}`,
      );
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('an append-only file that is broken in the middle · is said in Redis’s own words', async () => {
    await (await start()).close();
    const [file = ''] = (await readdir(join(directory, 'appendonlydir'))).filter((name) => name.endsWith('incr.aof'));
    await writeFile(join(directory, 'appendonlydir', file), 'this is not what Redis wrote\r\n'.repeat(20));
    await expect(startEmbeddedRedis(directory)).rejects.toThrow(/does not come up; .* says last: .*Bad file format/);
  });

  test('a server that ends again and again while it is in use · is started at ever longer distances', async () => {
    const counted = join(directory, 'starts');
    const env = await wrapServer(`echo >> ${counted}; [ -e ${join(directory, 'broken')} ] && exit 1; exec REAL "$@"`);
    const user = use(env);
    await user.line('ready');
    await writeFile(join(directory, 'broken'), '');
    process.kill(serversIn(directory)[0] ?? 0, 'SIGKILL');
    const starts = async () => (await readFile(counted, 'utf8')).length;
    const waits: number[] = [];
    for (let count = 2; count <= 5; count += 1) {
      await until('it was tried once more', async () => (await starts()) >= count, 10_000);
      waits.push(performance.now());
    }
    const [first = 0, second = 0, third = 0, fourth = 0] = waits;
    expect(fourth - third).toBeGreaterThan((third - second) * 1.2);
    expect(third - second).toBeGreaterThan((second - first) * 1.2);
    expect(user.lines.find(({ msg }) => msg === 'trouble')).toMatchObject({
      error: expect.stringMatching(/does not come up/) as string,
    });
    await rm(join(directory, 'broken'));
    await until('it runs again', isUp, 20_000);
  }, 60_000);
});

describe('the directory', () => {
  test('made under the widest umask · it and its files are their owner’s alone · rewritten ones too', async () => {
    const where = join(directory, 'made', 'deeper');
    const before = process.umask(0);
    try {
      await start(where);
    } finally {
      process.umask(before);
    }
    await withClient(async (client) => {
      await client.set('kept', 'yes');
      await client.bgrewriteaof();
      await until('the file is rewritten', async () =>
        /aof_rewrite_in_progress:0\r\n[^]*aof_last_bgrewrite_status:ok/.test(await client.info('persistence')),
      );
    }, where);
    expect(await modesIn(where)).toEqual([]);
  });

  test('made by mkdir, with files of a version that let others read them · is closed to others', async () => {
    const where = join(directory, 'data');
    await mkdir(where);
    await chmod(where, 0o777);
    await (await start(where)).close();
    for (const name of [
      '',
      'redis.log',
      'appendonlydir',
      ...(await readdir(join(where, 'appendonlydir'))).map((file) => `appendonlydir/${file}`),
    ])
      await chmod(join(where, name), 0o755);
    await writeFile(join(where, 'notes.txt'), 'the operator’s own', { mode: 0o644 });
    await start(where);
    expect(await modesIn(where)).toEqual(['notes.txt']);
  });

  /** What others have rights to. */
  async function modesIn(where: string): Promise<string[]> {
    const names = ['', ...(await readdir(where, { recursive: true }))];
    const modes = await Promise.all(names.map(async (name) => [name, await modeOf(join(where, name))] as const));
    expect(modes.length).toBeGreaterThan(5);
    return modes.filter(([, mode]) => !mode.endsWith('00')).map(([name]) => name);
  }

  test('one that all share · is refused · and left as it is', async () => {
    await chmod(directory, 0o1777);
    await expect(startEmbeddedRedis(directory)).rejects.toThrow(
      `DATA_DIR: ${directory} is there for others too: name a directory of its own, such as one below it`,
    );
    expect(((await stat(directory)).mode & 0o7777).toString(8)).toBe('1777');
    await chmod(directory, 0o700);
  });

  test('a file in its place · is refused by name', async () => {
    await writeFile(join(directory, 'file'), '');
    await expect(startEmbeddedRedis(join(directory, 'file'))).rejects.toThrow(/^DATA_DIR: .* cannot be used: E/);
  });

  test('too deep for a socket · works all the same · with nothing outside of it', async () => {
    const deep = join(directory, 'd'.repeat(60), 'e'.repeat(60));
    const before = new Set(await readdir(tmpdir()));
    await start(deep);
    const other = use({}, deep);
    await other.line('ready');
    expect(serversIn(deep)).toEqual([await processId(deep)]);
    expect(await readdir(deep)).toContain('redis.sock');
    const fresh = (await readdir(tmpdir())).filter((name) => !before.has(name) && name.endsWith('.sock'));
    expect(fresh).toEqual([]);
  });
});
