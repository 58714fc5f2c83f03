// Sealed text: opened by whoever has the key and the id, by nobody else, and as it is where there are no keys.
import { describe, expect, test } from 'vitest';
import { createPayloadCipher, DecryptionFailed } from '../../../src/queue/store/payload-cipher.ts';
import { fc } from '../../support/properties.ts';

const KEY = Buffer.alloc(32, 1);
const OLD_KEY = Buffer.alloc(32, 2);
const ID = 'dAbCdEfGhIjKlMnOpQrStUv';
const PLAIN = JSON.stringify({ upn: 'a.nowak@contoso.example', output: 'Änderungen · 設定 · 😀 · \ud800 \u0000' });

const { seal, open } = createPayloadCipher([KEY]);

describe('sealed text', () => {
  test('any text · sealed and opened · is the same, and printable in between', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), fc.string(), (plain, id) => {
        const sealed = seal(plain, id);
        expect(sealed).toMatch(/^sealed1\.[\w-]{8}\.[\w-]{38,}$/);
        expect(open(sealed, id)).toBe(plain);
      }),
    );
  });

  test('the same text · sealed twice · looks different each time', () => {
    expect(seal(PLAIN, ID)).not.toBe(seal(PLAIN, ID));
  });

  test('sealed text · holds nothing of the plain one · in any spelling of its bytes', () => {
    const bytes = Buffer.from(seal(PLAIN, ID).split('.')[2] ?? '', 'base64url');
    expect(bytes.includes('contoso')).toBe(false);
  });

  test('another delivery’s id · opens nothing · and says so without the text', () => {
    expect(() => open(seal(PLAIN, ID), 'another')).toThrow(
      new DecryptionFailed('it was changed, or belongs to another delivery'),
    );
  });

  test('any one character changed · opens nothing · wherever it was', () => {
    const sealed = seal('short', ID);
    const body = sealed.lastIndexOf('.') + 1;
    for (let at = body; at < sealed.length; at += 1) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
      // The last character's lowest bits may say nothing.
      if (Buffer.from(changed.slice(body), 'base64url').equals(Buffer.from(sealed.slice(body), 'base64url'))) continue;
      expect(() => open(changed, ID)).toThrow(DecryptionFailed);
    }
  });

  test.each([0, 10, 27])('cut after %i bytes · opens nothing · and says so', (bytes) => {
    const [version, keyId, body = ''] = seal(PLAIN, ID).split('.');
    const cut = Buffer.from(body, 'base64url').subarray(0, bytes).toString('base64url');
    expect(() => open(`${version}.${keyId}.${cut}`, ID)).toThrow(new DecryptionFailed('it is cut short'));
  });
});

describe('keys', () => {
  test('a new key in front · seals what is new · and what is old still opens', () => {
    const sealedBefore = createPayloadCipher([OLD_KEY]).seal(PLAIN, ID);
    const rotated = createPayloadCipher([KEY, OLD_KEY]);
    expect(rotated.open(sealedBefore, ID)).toBe(PLAIN);
    expect(open(rotated.seal(PLAIN, ID), ID)).toBe(PLAIN);
  });

  test.each([
    ['a wrong key', [OLD_KEY]],
    ['no key', []],
  ])('%s · opens nothing · and names the variable, not the text', (_what, keys) => {
    expect(() => createPayloadCipher(keys).open(seal(PLAIN, ID), ID)).toThrow(
      new DecryptionFailed('none of PAYLOAD_KEYS is the key that sealed it'),
    );
  });

  test('no keys · text stays as it is · both ways', () => {
    const none = createPayloadCipher([]);
    expect([none.seal(PLAIN, ID), none.open(PLAIN, ID)]).toEqual([PLAIN, PLAIN]);
  });

  test('text stored before there were keys · opens as it is', () => {
    expect(open(PLAIN, ID)).toBe(PLAIN);
  });
});
