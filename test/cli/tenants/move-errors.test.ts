// How errors end the command `move`: what a script may simply repeat, what it may not, and what is a bug.
import { Cluster } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { OperatorError } from '../../../src/cli/operator/operator.ts';
import { toOperatorError } from '../../../src/cli/tenants/move-errors.ts';
import { serverOf } from '../../../src/queue/redis/move/tenant-server.ts';
import { createRedisServers, freeRedisPort } from '../../support/redis-servers.ts';
import { until } from '../../support/until.ts';

const { signal } = new AbortController();

test('a server of a Cluster that dies · while it is asked, and from then on · is worth another run', async () => {
  const servers = await createRedisServers();
  onTestFinished(servers.close);
  const ports = [await freeRedisPort(), await freeRedisPort(), await freeRedisPort()];
  const start = (port: number) =>
    servers.start(`node-${port}`, port, {
      lines: ['cluster-enabled yes', `cluster-config-file nodes-${port}.conf`, 'save ""'],
    });
  const started = await Promise.all(ports.map(start));
  await servers.cluster(ports);
  const cluster = new Cluster([{ host: '127.0.0.1', port: ports[0] }], {
    redisOptions: { maxRetriesPerRequest: null },
  }).on('error', () => undefined);
  onTestFinished(() => cluster.disconnect());
  const root = 'runstate:{default}';
  const server = await serverOf(cluster, root);
  const asked = server.blpop(`${root}:nothing`, 0).catch((error: unknown) => error);
  const dying = started[ports.indexOf(server.options.port ?? 0)];
  if (!dying) throw new Error('no such server');
  await servers.kill(dying);
  const errors = [await asked];
  await until('it is noticed', () => cluster.nodes('master').length < 3, 20_000);
  errors.push(await serverOf(cluster, root).catch((error: unknown) => error));
  for (const error of errors)
    expect(toOperatorError(error, signal)).toMatchObject({
      exitCode: 75,
      message: expect.stringContaining('the same command goes on') as string,
    });
}, 60_000);

test('a bug · stays one', () => {
  const bug = new TypeError('x is not a function');
  expect(toOperatorError(bug, signal)).toBe(bug);
  expect(toOperatorError(bug, signal)).not.toBeInstanceOf(OperatorError);
});
