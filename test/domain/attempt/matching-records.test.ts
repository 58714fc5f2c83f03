// Which records in Graph can only be a given run, and which are another's.
import { describe, expect, test } from 'vitest';
import { toDeviceRunState } from '../../../src/domain/device-run-state.ts';
import { matchingRecords, type RecordedState } from '../../../src/domain/attempt/matching-records.ts';
import { run } from '../sample.ts';

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
    [
      'that keeps milliseconds and fills them up',
      { ...record, lastStateUpdateDateTime: '2026-11-20T09:00:00.1230000Z' },
    ],
    ['in another offset', { ...record, lastStateUpdateDateTime: '2026-11-20T14:30:00.1234567+05:30' }],
    ['without an offset', { ...record, lastStateUpdateDateTime: '2026-11-20T09:00:00.1234567' }],
    ['of a device in other letters', { ...record, deviceName: 'ber-del-00001' }],
    ['of a device with space around it', { ...record, deviceName: ' BER-DEL-00001 ' }],
    ['of a state in other letters', { ...record, configurationState: 'Success' }],
  ])('that says the same · %s · is this run', (_how, found) => {
    expect(ids(found)).toEqual(['r1']);
  });

  test.each<[string, RecordedState]>([
    ['device', { ...record, deviceName: 'BER-DEL-00002' }],
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

  test('of a device in these very letters · beside one in others · comes first', () => {
    expect(ids({ ...record, id: 'r0', deviceName: 'ber-del-00001' }, record)).toEqual(['r1', 'r0']);
  });

  test('whose output is whole · beside one that is cut short · is the only one meant', () => {
    const long = toDeviceRunState({ ...run, output: 'x'.repeat(100) });
    const cut = { ...record, id: 'r0', configurationOutput: 'x'.repeat(60) };
    expect(matchingRecords(long, [cut, { ...record, configurationOutput: 'x'.repeat(100) }])).toEqual(['r1']);
    expect(matchingRecords(long, [cut])).toEqual(['r0']);
  });

  test('with another device, version, instant or state · and an output cut short · is another run', () => {
    const long = toDeviceRunState({ ...run, output: 'x'.repeat(100) });
    const cut = { ...record, configurationOutput: 'x'.repeat(60) };
    for (const other of [
      { deviceName: 'BER-DEL-00002' },
      { internalVersion: 5 },
      { configurationState: 'fail' },
      { lastStateUpdateDateTime: '2026-11-20T09:00:00.1234568Z' },
    ]) {
      expect(matchingRecords(long, [{ ...cut, ...other }])).toEqual([]);
    }
  });
});
