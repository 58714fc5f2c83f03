// Dead letters by cause: counted, the most frequent first, each with what to do.
import { expect, test } from 'vitest';
import { countCauses } from '../../../src/domain/operations/dead-causes.ts';
import { createDelivery, type Delivery } from '../../../src/domain/delivery.ts';
import { remedyOf } from '../../../src/domain/operations/remedy.ts';

function dead(runId: string, code: string | null, at: number): Delivery {
  const delivery = createDelivery({
    tenantId: 'default',
    run: { runId, deviceId: 'PC-1', hardwareConfigurationId: 'c' },
    now: 1,
  });
  const evidence = { graphStatus: null, graphCode: null, graphRequestId: null };
  const lastFailure = code === null ? null : { kind: 'rejected' as const, code, detail: '', at, ...evidence };
  return { ...delivery, status: 'dead', lastFailure };
}

test('dead letters · are counted by cause · the most frequent first, ties by name', () => {
  const letters = [
    dead('1', 'graph-413', 50),
    dead('2', 'graph-404', 70),
    dead('3', 'expired', 30),
    dead('4', 'graph-404', 90),
    dead('5', 'graph-404', 80),
    dead('6', null, 10),
  ];
  expect(countCauses(letters)).toEqual([
    { code: 'graph-404', count: 3, remedy: remedyOf('graph-404'), latestAt: 90 },
    { code: 'expired', count: 1, remedy: remedyOf('expired'), latestAt: 30 },
    { code: 'graph-413', count: 1, remedy: remedyOf('graph-413'), latestAt: 50 },
    { code: 'unknown', count: 1, remedy: remedyOf('unknown'), latestAt: null },
  ]);
});
