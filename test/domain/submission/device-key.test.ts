// The device key: the derivation's published vector, and that every device has its own.
import { expect, test } from 'vitest';
import { deriveDeviceKey } from '../../../src/domain/submission/device-key.ts';

const groupKey = Buffer.from(
  '8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==',
  'base64',
);

test('the published vector · is met · to the character', () => {
  const key = deriveDeviceKey(groupKey, 'sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6');
  expect(key.toString('base64')).toBe('Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=');
});

test('device ids that differ by case · get different keys · the derivation takes them as they are', () => {
  expect(deriveDeviceKey(groupKey, 'Device-1')).not.toEqual(deriveDeviceKey(groupKey, 'device-1'));
});
