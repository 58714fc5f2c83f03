// A step of a move waits for the replicas of its server: resolved once they have it, and an error if one hangs.
import { expect, onTestFinished, test } from 'vitest';
import { toSecret } from '../../../../src/config/secret.ts';
import { confirmReplicas, NotConfirmed } from '../../../../src/queue/redis/move/confirm-replicas.ts';
import { openEnd } from '../../../support/moving.ts';
import { createRedisServers, freeRedisPort } from '../../../support/redis-servers.ts';
import { until } from '../../../support/until.ts';

const ROOT = 'runstate:{default}';

test('a server · without a replica, with one that follows, with one that hangs · confirms, confirms, and does not', async () => {
  const servers = await createRedisServers();
  onTestFinished(servers.close);
  const [port, replicaPort] = [await freeRedisPort(), await freeRedisPort()];
  await servers.start('primary', port, { lines: ['repl-diskless-sync-delay 0'] });
  const url = toSecret(`redis://127.0.0.1:${port}`);
  const end = await openEnd({ kind: 'single', url, prefix: 'runstate' }, 'primary');
  onTestFinished(end.close);
  await end.connection.set(`${ROOT}:key`, 'before');
  await confirmReplicas(end.connection, ROOT);

  const replica = await servers.start('replica', replicaPort, {
    lines: [`replicaof 127.0.0.1 ${port}`, 'dbfilename replica.rdb'],
  });
  await until('it follows', async () => (await servers.cli(port, 'INFO', 'replication')).includes('state=online'));
  await end.connection.set(`${ROOT}:key`, 'after');
  await confirmReplicas(end.connection, ROOT);
  expect((await servers.cli(replicaPort, 'GET', `${ROOT}:key`)).trim()).toBe('after');

  replica.kill('SIGSTOP');
  onTestFinished(() => void replica.kill('SIGCONT'));
  await end.connection.set(`${ROOT}:key`, 'later');
  await expect(confirmReplicas(end.connection, ROOT)).rejects.toEqual(new NotConfirmed(0, 1));
}, 60_000);
