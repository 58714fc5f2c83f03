// Checks that the device group keys are well-formed and not guessable.
import { parseGroupKeys } from '../config/environment.ts';
import { failed, ok, skipped, warning, type Finding } from './finding.ts';

/** Keys that anyone can read, and where. */
const PUBLIC_KEYS: Readonly<Record<string, string>> = {
  '8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==':
    'the public test vector of the key derivation',
  cnVuc3RhdGUtYnJpZGdlIHNhbmRib3ggZ3JvdXAga2V5: 'the public key of sandbox.env',
};

const NEW_KEY = 'Make a new one, e.g. with openssl rand -base64 48';

/** @param value of DEVICE_GROUP_KEYS */
export function judgeDeviceKeys(value: string | undefined): Finding {
  const check = 'device-keys';
  if (value === undefined || value === '') return skipped(check, 'DEVICE_GROUP_KEYS is not set');
  const keys = parseGroupKeys(value);
  const [first] = keys;
  if (!first) {
    return failed(check, 'DEVICE_GROUP_KEYS is malformed', 'It is base64 of 16 to 64 bytes each, separated by commas.');
  }
  const texts = keys.map((key) => key.toString('base64'));
  const known = texts.map((text) => PUBLIC_KEYS[text]).find((name) => name !== undefined);
  if (known !== undefined) {
    return warning(
      check,
      `one key is ${known}: anyone can sign as any device`,
      `${NEW_KEY}; give devices their new keys before the old one goes.`,
    );
  }
  if (new Set(texts).size < texts.length) {
    return warning(check, 'one key is there twice', 'Remove one of them; order matters only for the first.');
  }
  const count = keys.length === 1 ? 'one key' : `${keys.length} keys, the first signs`;
  return ok(check, `${count}, of ${first.length} bytes`);
}
