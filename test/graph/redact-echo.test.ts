// Graph's reasons without the device's words: repeated whole, in part, in other letters, and left alone where they are Graph's own.
import { expect, test } from 'vitest';
import { diagnose } from '../../src/graph/diagnose.ts';

const UPN = 'A.Nowak@contoso.example';
const OUTPUT = 'SecureBoot: Enabled\nTPM: geändert, Neustart nötig';
const SAID = [UPN, OUTPUT, 'no', ''];

const reason = (message: string) =>
  diagnose({
    answer: { status: 400, headers: new Headers(), body: JSON.stringify({ error: { code: 'BadRequest', message } }) },
    now: 0,
    said: SAID,
  }).detail;

test.each([
  [`User ${UPN} was not found.`, 'User [what the device said] was not found.'],
  ['User a.nowak@CONTOSO.example was not found.', 'User [what the device said] was not found.'],
  [`Value: ${OUTPUT} / ${OUTPUT}.`, 'Value: [what the device said] / [what the device said].'],
  ["Cannot read 'TPM: geändert' at 3.", "Cannot read '[what the device said]' at 3."],
  ["The property 'deviceName' is required; no more.", "The property 'deviceName' is required; no more."],
  ['', ''],
])('%j · is told as · %j', (message, told) => {
  expect(reason(message)).toBe(`400 BadRequest ${told}`.trim());
});

test('a reason longer than is kept · loses the words first · and is cut then', () => {
  const detail = reason(`${'x'.repeat(470)} ${UPN}`);
  expect(detail).toHaveLength(500);
  expect(detail).not.toContain('Nowak');
});

test('words inside JSON text, as Intune writes it · are taken out as well', () => {
  expect(reason(JSON.stringify({ Message: `no ${UPN}`, RetryAfter: null }))).toBe(
    '400 BadRequest no [what the device said]',
  );
});
