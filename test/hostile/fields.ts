// Header fields: hosts, floods, bytes that belong nowhere, and fields that would have another body read.
import { pick } from '../../src/sandbox/random.ts';
import { BROKEN, HOST, lengthOf, perhaps, REFUSED, stored, toBytes, type HeaderField } from './case.ts';
import { familyOf, withFields, type Tricks } from './tricks.ts';

const TRICKS: Tricks = {
  'no host': (p) => ({
    bytes: toBytes({ headers: p.fields.slice(1).concat([lengthOf(p.body)]), body: p.body }),
    answers: [{ ...BROKEN, statuses: [400], code: 'bad-request' }],
  }),
  'two hosts': (p) => ({ bytes: withFields(p, ['Host', 'other.example']), answers: [perhaps(p.run)] }),
  'a host that is none': (p) => ({
    bytes: toBytes({
      headers: [
        ['Host', pick(p.dice.random, ['', 'a b', '[::1', 'x:99999', '"><script>', 'a\u0000b'] as const)],
        ...p.fields.slice(1),
        lengthOf(p.body),
      ],
      body: p.body,
    }),
    answers: [perhaps(p.run)],
  }),
  'too many fields': (p) => ({
    bytes: withFields(
      p,
      ...Array.from({ length: pick(p.dice.random, [150, 1999, 2100, 5000] as const) }, (_, at): HeaderField => [
        `X-${at}`,
        '',
      ]),
    ),
    answers: [{ ...BROKEN, statuses: [431, 400] }],
  }),
  'too long a field': (p) => ({
    bytes: withFields(p, ['X-Long', 'x'.repeat(pick(p.dice.random, [16_384, 60_000] as const))]),
    answers: [{ ...BROKEN, statuses: [431] }],
  }),
  'an endless field name': (p) => ({
    bytes: withFields(p, ['x'.repeat(20_000), '']),
    answers: [{ ...BROKEN, statuses: [431] }],
  }),
  'bytes that are no text': (p) => ({
    bytes: withFields(p, [
      pick(p.dice.random, ['X-\u0000', 'X\u0080', 'X(', '', 'X Y', '__proto__', 'constructor'] as const),
      pick(p.dice.random, ['a', '\u0000', '\u007f', 'é', '\u0001', '\u00ff'] as const),
    ]),
    answers: [perhaps(p.run)],
  }),
  'a request id that is none': (p) => ({
    bytes: withFields(p, [
      'X-Request-Id',
      pick(p.dice.random, ['a b', 'x'.repeat(65), '"><img>', 'a%0d%0aSet-Cookie: x', '${jndi:ldap://x}', 'é'] as const),
    ]),
    answers: [stored(p.run)],
  }),
  'another content type': (p) => ({
    bytes: toBytes({
      headers: [
        HOST,
        [
          'Content-Type',
          pick(p.dice.random, [
            'text/plain',
            'application/jsonx',
            'application/json;charset=utf-16',
            'application/json; charset=latin1',
            'multipart/form-data; boundary=x',
            '',
            'application/x-www-form-urlencoded',
            'application/json, text/plain',
            'application/problem+json',
          ] as const),
        ],
        ...p.fields.slice(2),
        lengthOf(p.body),
      ],
      body: p.body,
    }),
    answers: [{ ...REFUSED, statuses: [415], code: 'unsupported-media-type' }],
  }),
  'a content coding': (p) => ({
    bytes: withFields(p, [
      'Content-Encoding',
      pick(p.dice.random, ['gzip', 'deflate', 'br', 'zstd', 'x', 'gzip, gzip', '__proto__'] as const),
    ]),
    answers: [{ ...REFUSED, statuses: [415], code: 'unsupported-media-type' }],
  }),
  'an expectation': (p) => ({
    bytes: withFields(p, ['Expect', pick(p.dice.random, ['100-continue', '100-Continue', '200-ok', 'x'] as const)]),
    answers: [stored(p.run)],
  }),
  'an upgrade': (p) => ({
    bytes: withFields(
      p,
      ['Connection', 'Upgrade, HTTP2-Settings'],
      ['Upgrade', pick(p.dice.random, ['h2c', 'websocket', 'TLS/1.0'] as const)],
      ['HTTP2-Settings', 'AAMAAABkAARAAAAAAAIAAAAA'],
    ),
    answers: [stored(p.run)],
  }),
  'a proxy’s words': (p) => ({
    bytes: withFields(
      p,
      ['X-Forwarded-For', "127.0.0.1, ' OR 1=1"],
      ['X-Forwarded-Host', 'evil.example'],
      ['X-Original-URL', '/v1/status'],
      ['Forwarded', 'for="_x";proto=https'],
      ['X-Forwarded-Client-Cert', 'Hash=x;Cert="y"'],
    ),
    answers: [stored(p.run)],
  }),
};

export const fields = familyOf('field', TRICKS);
