// The mapping from a run result to Graph's members.
import { expect, test } from 'vitest';
import { toDeviceRunState } from '../../src/domain/device-run-state.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
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
