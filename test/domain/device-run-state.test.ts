// The mapping from a run result to Graph's members, and which records in Graph can only be a given run.
import { describe, expect, test } from 'vitest';
import { matchingRecords, toDeviceRunState, type RecordedState } from '../../src/domain/device-run-state.ts';
import type { RunResult } from '../../src/domain/run-result.ts';
import { run } from './sample.ts';

const unstated: RunResult = { ...run };
delete unstated.state;
const { hardwareConfigurationId } = run;

test('a full run result · becomes a device run state · member for member', () => {
  const full: RunResult = {
    ...run,
    osVersion: '10.0.22631',
    upn: 'a@example.test',
    output: 'out',
    error: 'err',
    exitCode: 5,
  };
  expect(toDeviceRunState(full)).toStrictEqual({
    hardwareConfigurationId,
    deviceName: 'BER-DEL-00001',
    osVersion: '10.0.22631',
    upn: 'a@example.test',
    internalVersion: 4,
    lastStateUpdateDateTime: '2026-11-20T10:00:00.1234567+01:00',
    configurationState: 'success',
    configurationOutput: 'out',
    configurationError: 'err',
  });
});

test('what the device did not say · is not sent · what it said to be empty is', () => {
  expect(Object.keys(toDeviceRunState(run)).sort()).toEqual([
    'configurationState',
    'deviceName',
    'hardwareConfigurationId',
    'internalVersion',
    'lastStateUpdateDateTime',
  ]);
  expect(toDeviceRunState({ ...run, upn: '', osVersion: '', output: '', error: '' })).toMatchObject({
    upn: '',
    osVersion: '',
    configurationOutput: '',
    configurationError: '',
  });
});

test.each([
  [0, 'success'],
  [3010, 'pending'],
  [1641, 'pending'],
  [1, 'fail'],
  [-1, 'fail'],
  [-2_147_483_648, 'fail'],
  [3011, 'fail'],
])('an exit code · %i · is %s', (exitCode, state) => {
  expect(toDeviceRunState({ ...unstated, exitCode }).configurationState).toBe(state);
});

test('a state · and an exit code that says otherwise · the state wins', () => {
  expect(toDeviceRunState({ ...run, state: 'notApplicable', exitCode: 1 }).configurationState).toBe('notApplicable');
});

describe('a record in Graph', () => {
  const sought = toDeviceRunState({ ...run, output: 'line 1\nline 2' });
  const record: RecordedState = {
    id: 'r1',
    deviceName: 'BER-DEL-00001',
    internalVersion: 4,
    lastStateUpdateDateTime: '2026-11-20T09:00:00.1234567Z',
    configurationState: 'success',
    configurationOutput: 'line 1\nline 2',
  };
  const ids = (...records: RecordedState[]) => matchingRecords(sought, records);

  test.each<[string, RecordedState]>([
    ['in UTC', record],
    ['with other line endings', { ...record, configurationOutput: 'line 1\r\nline 2\r\n' }],
    ['that keeps milliseconds', { ...record, lastStateUpdateDateTime: '2026-11-20T09:00:00.123Z' }],
  ])('that says the same · %s · is this run', (_how, found) => {
    expect(ids(found)).toEqual(['r1']);
  });

  test.each<[string, RecordedState]>([
    ['device', { ...record, deviceName: 'BER-DEL-00002' }],
    ['device, by case', { ...record, deviceName: 'ber-del-00001' }],
    ['no device', { ...record, deviceName: null }],
    ['policy version', { ...record, internalVersion: 5 }],
    ['state', { ...record, configurationState: 'fail' }],
    ['output', { ...record, configurationOutput: 'line 1' }],
    ['no output', { ...record, configurationOutput: null }],
    ['instant, by 100 ns', { ...record, lastStateUpdateDateTime: '2026-11-20T09:00:00.1234568Z' }],
    ['nothing but an id', { id: 'r1' }],
  ])('that differs · %s · is another run', (_how, found) => {
    expect(ids(found)).toEqual([]);
  });

  test('to the tick · beside a truncated one · is the only one meant', () => {
    const truncated = { ...record, id: 'r0', lastStateUpdateDateTime: '2026-11-20T09:00:00Z' };
    expect(ids(truncated, record)).toEqual(['r1']);
    expect(ids(truncated)).toEqual(['r0']);
  });

  test('twice there · is named twice · without an id never', () => {
    const nameless = { ...record };
    delete nameless.id;
    expect(ids(record, { ...record, id: 'r2' }, nameless)).toEqual(['r1', 'r2']);
  });

  test('of two alike · the one that agrees in error, version and user too · comes first', () => {
    const explained = toDeviceRunState({ ...run, output: 'line 1\nline 2', error: 'why', osVersion: '10.0.26100.1' });
    const alike = (id: string, members: object) => ({ ...record, id, ...members });
    const other = alike('other', { configurationError: 'why not', osVersion: '10.0.26100.1' });
    const same = alike('same', { configurationError: 'why', osVersion: '10.0.26100.1' });
    const found = matchingRecords(explained, [
      { ...other, configurationOutput: explained.configurationOutput ?? null },
      { ...same, configurationOutput: explained.configurationOutput ?? null },
    ]);
    expect(found).toEqual(['same', 'other']);
  });

  test('of a run without output · with null or nothing there · is this run', () => {
    const silent = toDeviceRunState(run);
    expect(matchingRecords(silent, [{ ...record, configurationOutput: null }])).toEqual(['r1']);
    expect(matchingRecords(silent, [{ ...record, configurationOutput: '' }])).toEqual(['r1']);
  });
});
