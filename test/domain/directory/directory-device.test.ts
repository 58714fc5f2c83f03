// A device as the directory answers it: which entries name a key, and what counts as enabled and managed.
import { describe, expect, test } from 'vitest';
import { toDirectoryDevice, toKeyDigest } from '../../../src/domain/directory/directory-device.ts';
import { toDirectoryKey } from '../../../src/domain/directory/directory-key.ts';

const KEY = toDirectoryKey(Buffer.from('certificate'), Buffer.from('public key'));
const OTHER = toDirectoryKey(Buffer.from('another'), Buffer.from('public key'));
const [THUMBPRINT, PUBLIC_KEY] = [KEY.slice(21, 61), KEY.slice(61)];

const encode = (text: string) => Buffer.from(text, 'utf16le').toString('base64');
const entry = (text: string, changes: object = {}) => ({
  type: 2,
  identityProvider: null,
  key: encode(text),
  ...changes,
});
const keysIn = (alternativeSecurityIds: unknown) => toDirectoryDevice({ alternativeSecurityIds }).keys;

test('a directory key · is the thumbprint in upper case and the key’s hash in base64 · with nothing between', () => {
  expect(KEY).toBe(`X509:<SHA1-TP-PUBKEY>${THUMBPRINT}${PUBLIC_KEY}`);
  expect([THUMBPRINT, PUBLIC_KEY]).toEqual([
    '735AD571C189D7BA84464BF4A9F1D2280175B128',
    '9WmobTwsjX3aJrXb6iC9XBnus138Y/23JLrE8hwieFA=',
  ]);
});

describe('an entry that names a key', () => {
  test.each<[string, unknown[], string[]]>([
    ['alone', [entry(KEY)], [KEY]],
    ['without members that are not read', [{ type: 2, key: encode(KEY) }], [KEY]],
    ['among several', [entry(OTHER), entry(KEY)], [OTHER, KEY]],
    ['among malformed ones', [null, 5, 'text', [], {}, entry(KEY), { type: 2 }], [KEY]],
    ['beside one of another type', [entry(OTHER, { type: 1 }), entry(KEY)], [KEY]],
  ])('%s · is read', (_how, entries, keys) => {
    expect(keysIn(entries)).toEqual(keys.map(toKeyDigest));
  });

  test('after many others · is among the newest 16 · which alone are kept', () => {
    const keys = Array.from({ length: 20 }, (_none, index) => toDirectoryKey(Buffer.from([index]), Buffer.of(0)));
    expect(keysIn(keys.map((key) => entry(key)))).toEqual(keys.slice(4).map(toKeyDigest));
  });
});

describe('an entry that names no key', () => {
  const canonical = encode(KEY);
  test.each<[string, unknown]>([
    ['a type in words', entry(KEY, { type: '2' })],
    ['a key that is no text', entry('', { key: 2 })],
    ['no key', entry('', { key: null })],
    ['an empty key', entry('')],
    ['text that is no base64', entry('', { key: KEY })],
    ['base64 that breaks off', entry('', { key: canonical.slice(0, -1) })],
    ['base64 with padding it does not need', entry('', { key: `${canonical}=` })],
    ['base64 with white space', entry('', { key: `${canonical}\n` })],
    ['text in UTF-8', entry('', { key: Buffer.from(KEY).toString('base64') })],
    ['text in UTF-16, big-endian', entry('', { key: Buffer.from(KEY, 'utf16le').swap16().toString('base64') })],
    ['a byte order mark', entry(`\ufeff${KEY}`)],
    ['half a character', entry('', { key: Buffer.from(KEY, 'utf16le').subarray(1).toString('base64') })],
    ['a + between the parts', entry(`X509:<SHA1-TP-PUBKEY>${THUMBPRINT}+${PUBLIC_KEY}`)],
    ['another prefix', entry(KEY.replace('TP-PUBKEY', 'PUKEY'))],
    ['a prefix in lower case', entry(KEY.replace('X509', 'x509'))],
    ['a thumbprint in lower case', entry(KEY.replace(THUMBPRINT, THUMBPRINT.toLowerCase()))],
    ['a thumbprint that is short', entry(KEY.replace(THUMBPRINT, THUMBPRINT.slice(1)))],
    ['a thumbprint alone', entry(KEY.replace(PUBLIC_KEY, ''))],
    ['a hash without its padding', entry(KEY.slice(0, -1))],
    ['white space at its end', entry(`${KEY} `)],
    ['a second line', entry(`${KEY}\n${KEY}`)],
    ['a zero at its end', entry(`${KEY}\0`)],
    ['much text', entry(`${KEY}${'='.repeat(10_000)}`)],
  ])('%s · is ignored', (_what, malformed) => {
    expect(keysIn([malformed])).toEqual([]);
  });

  test.each([[undefined], [null], [{}], ['text'], [{ 0: entry(KEY), length: 1 }]])('%j · is no list', (entries) => {
    expect(keysIn(entries)).toEqual([]);
  });
});

test.each<[unknown, boolean]>([
  [true, true],
  [false, false],
  [null, false],
  [undefined, false],
  ['true', false],
  [1, false],
])('%j · is enabled and managed: %s', (value, expected) => {
  expect(toDirectoryDevice({ accountEnabled: value, isManaged: value })).toEqual({
    isEnabled: expected,
    isManaged: expected,
    keys: [],
  });
});
