// What a device said: the same however it was written, another where anything else was said, and of a form that never changes.
import { describe, expect, test } from 'vitest';
import { runResultSchema } from '../../../src/domain/submission/run-result.ts';
import { toSaid } from '../../../src/domain/submission/fingerprinted-text.ts';
import { run } from '../sample.ts';
import { fc } from '../../support/properties.ts';

const full: Record<string, unknown> = {
  ...run,
  osVersion: '10.0.26100',
  upn: 'ada@contoso.example',
  exitCode: 5,
  output: 'cctk --setuppwd=Geheim1 ✓ \ud800',
  error: 'a\r\n',
};
const said = (changes: object) => toSaid(JSON.parse(JSON.stringify({ ...full, ...changes })));

test('what a device said · is written like this · for ever, since stored fingerprints are over it', () => {
  expect(said({})).toEqual({
    text: '{"runId":"run-0001","deviceId":"BER-DEL-00001","hardwareConfigurationId":"1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81","deviceName":"BER-DEL-00001","osVersion":"10.0.26100","upn":"ada@contoso.example","policyVersion":4,"completedAt":"2026-11-20T10:00:00.1234567+01:00","state":"success","exitCode":5,"output":"cctk --setuppwd=Geheim1 ✓ \\ud800","error":"a\\r\\n"}',
    outline: '["1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81",4,"2026-11-20T10:00:00.1234567+01:00","success",5]',
  });
});

test('the members that count · are those of the schema · a new one needs a form of its own', () => {
  const changed = Object.keys(runResultSchema.shape).filter(
    (member) => said({ [member]: typeof full[member] === 'number' ? 77 : 'other' }).text !== said({}).text,
  );
  expect(changed).toEqual(Object.keys(runResultSchema.shape));
});

describe('the same run · written otherwise by another agent · was said the same', () => {
  test.each<[string, object]>([
    ['with members nobody knows', { agentVersion: '9', nested: { a: [1] } }],
    ['with its GUID in capitals', { hardwareConfigurationId: run.hardwareConfigurationId.toUpperCase() }],
  ])('%s', (_how, changes) => {
    expect(said(changes)).toEqual(said({}));
  });

  test('with its members in any order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.entries(full), { minLength: Object.keys(full).length }), (entries) => {
        expect(toSaid(Object.fromEntries(entries))).toEqual(toSaid(full));
      }),
    );
  });

  test.each(['osVersion', 'upn', 'state', 'output', 'error', 'exitCode'])('with null for no %s', (member) => {
    expect(said({ [member]: null })).toEqual(said({ [member]: undefined }));
  });

  test('with its exit code unsigned', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: -1 }), (exitCode) => {
        expect(said({ exitCode: exitCode + 2 ** 32 })).toEqual(said({ exitCode }));
      }),
    );
  });
});

describe('anything else · was not said the same · however small', () => {
  test.each<[string, object]>([
    ['another password', { output: 'cctk --setuppwd=Geheim2 ✓ \ud800' }],
    ['a space', { error: 'a\r\n ' }],
    ['other line ends', { error: 'a\n' }],
    ['nothing for no error', { error: undefined }],
    ['empty for no user', { upn: '' }],
    ['the user in other letters', { upn: 'Ada@contoso.example' }],
    ['the same instant elsewhere', { completedAt: '2026-11-20T09:00:00.1234567Z' }],
    ['the same instant in fewer digits', { completedAt: '2026-11-20T10:00:00.123456+01:00' }],
    ['another exit code beside the state', { exitCode: 6 }],
  ])('%s', (_what, changes) => {
    expect(said(changes).text).not.toBe(said({}).text);
  });
});
