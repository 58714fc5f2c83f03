// Checks that this tenant accepts records: creates a marked one and deletes it.
import { setTimeout as delay } from 'node:timers/promises';
import type { GraphConfig } from '../../config/graph.ts';
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { createGraphClient } from '../client.ts';
import { requestGraph } from './inspect.ts';
import { createLookUp } from '../lookup/look-up.ts';
import { createTokenSource } from '../credential/token.ts';

export type Probed =
  /** Created and deleted. */
  | { kind: 'clean'; recordId: string }
  /** Nothing was created. */
  | { kind: 'refused'; failure: Failure }
  /** It may exist but cannot be found. */
  | { kind: 'uncertain'; collectionUrl: string; failure: Failure }
  /** It exists but could not be deleted. */
  | { kind: 'left-behind'; recordId: string; recordUrl: string; failure: Failure };

const DELETE_TRIES = 3;
const DELETE_AGAIN_AFTER_MS = 500;
/** Failures that refuse a delete permanently. */
const REFUSALS: readonly Failure['kind'][] = ['forbidden', 'rejected', 'route-not-served', 'conflict'];

type WriteProbe = {
  config: GraphConfig;
  hardwareConfigurationId: string;
  /** By which the record can be found, should it be left behind. */
  deviceName: string;
  clock: () => number;
};

export async function probeWrite({ config, hardwareConfigurationId, deviceName, clock }: WriteProbe): Promise<Probed> {
  const tokens = createTokenSource(config, clock, () => undefined);
  const client = createGraphClient({ config, tokens, clock, ended: () => undefined });
  const { signal } = new AbortController();
  const state: DeviceRunState = {
    hardwareConfigurationId,
    deviceName,
    internalVersion: 0,
    lastStateUpdateDateTime: new Date(clock()).toISOString(),
    configurationState: 'unknown',
    configurationOutput: 'Written by `runstate-bridge doctor` to see whether this tenant takes records. Delete it.',
  };
  const collectionUrl = client.states(hardwareConfigurationId);
  try {
    const outcome = await client.create(state, clock(), signal);
    if (outcome.kind === 'created' || outcome.kind === 'found') return await remove(outcome.deviceRunStateId);
    if (outcome.kind === 'absent') throw new Error('a create says nothing of absence');
    if (outcome.kind !== 'uncertain') return { kind: 'refused', failure: outcome };
    const [recordId] = await look();
    return recordId === undefined ? { kind: 'uncertain', collectionUrl, failure: outcome } : await remove(recordId);
  } finally {
    await client.close();
  }

  async function look(): Promise<string[]> {
    const looked = await createLookUp({ graph: client, takeTurn: () => Promise.resolve(), clock })(state, signal);
    return looked.kind === 'records' ? looked.ids : [];
  }

  async function remove(recordId: string): Promise<Probed> {
    const recordUrl = `${collectionUrl}/${encodeURIComponent(recordId)}`;
    for (let tries = 1; ; tries++) {
      const token = await tokens.get();
      if (!token.ok) return { kind: 'left-behind', recordId, recordUrl, failure: token.failure };
      const { failure, status } = await requestGraph(
        { method: 'DELETE', url: recordUrl, token: token.value },
        config,
        clock,
      );
      if (failure === null) return { kind: 'clean', recordId };
      // 404 means that it is gone, or that its route is not served; in the latter case it is still listed.
      if (status === 404 && !(await look()).includes(recordId)) return { kind: 'clean', recordId };
      if (tries === DELETE_TRIES || REFUSALS.includes(failure.kind)) {
        return { kind: 'left-behind', recordId, recordUrl, failure };
      }
      await delay(DELETE_AGAIN_AFTER_MS);
    }
  }
}
