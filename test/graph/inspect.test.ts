// Graph looked at for a diagnosis, and the write probe, against a sandbox that behaves and one that does not.
import { describe, expect, test } from 'vitest';
import { requestGraph, configurationUrl, obtainToken, type Claims } from '../../src/graph/inspection/inspect.ts';
import { probeWrite } from '../../src/graph/inspection/write-probe.ts';
import { toSecret } from '../../src/config/secret.ts';
import { freePort } from '../support/free-port.ts';
import { startGraph, type GraphWorld } from '../support/graph.ts';

const PERMISSION = 'DeviceManagementConfiguration.ReadWrite.All';
const NAME = 'runstate-bridge-doctor-1234abcd';
const anything = expect.anything() as unknown;

async function tokenOf({ config }: Pick<GraphWorld, 'config'>): Promise<{ value: string; claims: Claims | null }> {
  const obtained = await obtainToken(config, Date.now);
  if (obtained.kind !== 'token') throw new Error(obtained.failure.detail);
  return obtained;
}

describe('a token', () => {
  test('obtained · tells roles, tenant and end', async () => {
    await using world = await startGraph({ sandbox: { roles: [PERMISSION, 'User.Read.All'], tokenLifetimeS: 3600 } });
    const { claims } = await tokenOf(world);
    expect(claims).toMatchObject({ roles: [PERMISSION, 'User.Read.All'], tenantId: world.sandbox.tenantId });
    expect(((claims?.expiresAt ?? 0) - Date.now()) / 3_600_000).toBeCloseTo(1, 1);
  });

  test('without any role · says so', async () => {
    await using world = await startGraph({ sandbox: { roles: [] } });
    expect((await tokenOf(world)).claims?.roles).toEqual([]);
  });

  test('of a wrong secret · is refused · and the secret not repeated', async () => {
    await using world = await startGraph();
    const { tenantId, clientId } = world.sandbox;
    const credential = { kind: 'secret', tenantId, clientId, secret: toSecret('wr0ng-secret') } as const;
    const obtained = await obtainToken({ ...world.config, credential }, Date.now);
    expect(obtained).toMatchObject({ kind: 'refused', failure: { kind: 'credential-refused' } });
    expect(JSON.stringify(obtained)).not.toContain('wr0ng-secret');
  });
});

describe('a question', () => {
  test('for a configuration · is answered with it, and Graph’s time', async () => {
    await using world = await startGraph({ sandbox: { now: () => Date.now() + 90_000 } });
    const { value } = await tokenOf(world);
    const answered = await requestGraph(
      { method: 'GET', url: configurationUrl(world.config, world.configurationId), token: value },
      world.config,
      Date.now,
    );
    expect(answered).toMatchObject({
      failure: null,
      status: 200,
      body: { id: world.configurationId, displayName: anything },
    });
    expect(Math.abs((answered.clockAheadMs ?? 0) - 90_000)).toBeLessThan(700);
  });

  test('for one that is not there · is a 404 · with Graph’s words', async () => {
    await using world = await startGraph();
    const { value } = await tokenOf(world);
    const url = configurationUrl(world.config, '00000000-0000-0000-0000-000000000000');
    expect(await requestGraph({ method: 'GET', url, token: value }, world.config, Date.now)).toMatchObject({
      status: 404,
      failure: { kind: 'rejected', detail: expect.stringContaining('ResourceNotFound') as string },
    });
  });

  test('nobody answers · says why', async () => {
    await using world = await startGraph();
    const config = { ...world.config, baseUrl: `https://localhost:${await freePort()}/beta` };
    expect(
      await requestGraph({ method: 'GET', url: configurationUrl(config), token: 'token' }, config, Date.now),
    ).toMatchObject({
      status: null,
      clockAheadMs: null,
      failure: { detail: expect.stringContaining('ECONNREFUSED') as string },
    });
  });
});

describe('the write probe', () => {
  const probe = (world: GraphWorld, id = world.configurationId) =>
    probeWrite({ config: world.config, hardwareConfigurationId: id, deviceName: NAME, clock: Date.now });

  test('a tenant that takes records · has one for a moment · marked, and then deleted', async () => {
    await using world = await startGraph();
    const seen: unknown[] = [];
    world.sandbox.subscribe(({ operation }) => {
      if (operation === 'create') seen.push(...world.sandbox.records());
    });
    expect(await probe(world)).toEqual({ kind: 'clean', recordId: anything });
    expect(seen).toEqual([
      expect.objectContaining({
        deviceName: NAME,
        configurationState: 'unknown',
        configurationOutput: expect.stringContaining('Delete it.') as string,
      }),
    ]);
    expect(world.sandbox.requests().map(({ operation, status }) => [operation, status])).toContainEqual([
      'delete',
      204,
    ]);
    expect(world.sandbox.records()).toEqual([]);
  });

  test('a permission to read alone · creates nothing', async () => {
    await using world = await startGraph({ sandbox: { roles: ['DeviceManagementConfiguration.Read.All'] } });
    expect(await probe(world)).toMatchObject({ kind: 'refused', failure: { kind: 'forbidden' } });
  });

  test('an unknown configuration · creates nothing', async () => {
    await using world = await startGraph();
    expect(await probe(world, '00000000-0000-0000-0000-000000000000')).toMatchObject({
      kind: 'refused',
      failure: { kind: 'rejected', status: 404 },
    });
  });

  test('a create whose answer is lost · is found and deleted', async () => {
    await using world = await startGraph();
    world.sandbox.script('next create: 504 after the write');
    expect(await probe(world)).toMatchObject({ kind: 'clean' });
    expect(world.sandbox.records()).toEqual([]);
  });

  test('a create whose outcome is unknown · is reported with where to look', async () => {
    await using world = await startGraph();
    world.sandbox.script('next create: 504');
    expect(await probe(world)).toMatchObject({
      kind: 'uncertain',
      collectionUrl: `${world.config.baseUrl}/deviceManagement/hardwareConfigurations/${world.configurationId}/deviceRunStates`,
      failure: { graph: { status: 504 } },
    });
  });

  test('a delete that fails once · is tried again', async () => {
    await using world = await startGraph();
    world.sandbox.script('next delete: 503');
    expect(await probe(world)).toMatchObject({ kind: 'clean' });
    expect(world.sandbox.records()).toEqual([]);
  });

  test('a delete whose answer is lost · is done', async () => {
    await using world = await startGraph();
    world.sandbox.script('next delete: reset after the write');
    expect(await probe(world)).toMatchObject({ kind: 'clean' });
  });

  test('a delete that is refused · leaves the record · and says where', async () => {
    await using world = await startGraph();
    world.sandbox.script('next delete: 403');
    const probed = await probe(world);
    const [left] = world.sandbox.records();
    expect(left).toMatchObject({ deviceName: NAME, configurationState: 'unknown' });
    expect(probed).toMatchObject({
      kind: 'left-behind',
      recordUrl: expect.stringMatching(new RegExp(`/deviceRunStates/${left?.id ?? 'none'}$`)) as string,
      failure: { kind: 'forbidden' },
    });
  });
});
