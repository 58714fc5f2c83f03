// What a signature is over, by the RFC's own examples and rules: each component computed anew, and nothing made up for one that cannot be.
import { createHmac, createPublicKey, verify, constants } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import { toMessage, toSignatureBase } from '../../../src/http/identity/signature/signed-components.ts';
import { readSignedHeaders } from '../../../src/http/identity/signature/signed-headers.ts';
import { createTargetsOf } from '../../../src/http/identity/signature/signed-target.ts';
import { KEYS, TRANSFORMED, VECTORS, type Sent, type Vector } from '../../support/rfc9421.ts';

const PROXY = '192.0.2.7';
const targetsOf = createTargetsOf((address) => address === PROXY);

/** The bases a signature may be over; null where it covers what cannot be computed. */
function basesOf({ method, url, headers: lines }: Sent, input: string, remoteAddress = '198.51.100.1') {
  const headers: IncomingHttpHeaders = Object.fromEntries(
    Object.entries(lines).map(([name, values]) => [name, values.join(', ')]),
  );
  const signed = { ...headers, 'signature-input': input, signature: `${input.split('=')[0] ?? ''}=:AAAA:` };
  const read = readSignedHeaders(signed, () => true);
  if (!read.ok) throw new Error(read.reason);
  const request = { method, headers, headersDistinct: lines, socket: { remoteAddress } };
  const { components, parameters } = read.signature;
  return targetsOf(request, url).map((target) =>
    toSignatureBase({ components, parameters, message: toMessage(request), target }),
  );
}

function isGood(base: string, signature: string, alg: Vector['alg']): boolean {
  const bytes = Buffer.from(signature.slice(signature.indexOf('=') + 2, -1), 'base64');
  if (alg === 'hmac') return createHmac('sha256', Buffer.from(KEYS.hmac, 'base64')).update(base).digest().equals(bytes);
  const key = createPublicKey({ key: Buffer.from(KEYS[alg], 'base64'), format: 'der', type: 'spki' });
  switch (alg) {
    case 'pss':
      return verify(
        'sha512',
        Buffer.from(base),
        { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
        bytes,
      );
    case 'p256':
      return verify('sha256', Buffer.from(base), { key, dsaEncoding: 'ieee-p1363' }, bytes);
    case 'ed25519':
      return verify(null, Buffer.from(base), key, bytes);
  }
}

describe('RFC 9421, appendix B', () => {
  test.each(VECTORS)('$section · has the base that stands there · and its signature is good', (vector) => {
    expect(new Set(basesOf(vector.sent, vector.input))).toEqual(new Set([vector.base]));
    expect(isGood(vector.base, vector.signature, vector.alg)).toBe(true);
  });

  const transform = VECTORS.find(({ section }) => section === 'B.4');
  const { headers } = TRANSFORMED;

  test.each<[string, boolean, Partial<Sent>]>([
    [
      'a header field and a query parameter added',
      true,
      { url: '/demo?name1=Value1&Name2=value2&param=added', headers: { ...headers, 'accept-language': ['en'] } },
    ],
    [
      'one field of two lines in one',
      true,
      {
        headers: {
          host: ['example.org'],
          referer: ['https://developer.example.org/demo'],
          accept: ['application/json, */*'],
        },
      },
    ],
    ['fields in another order', true, { headers: Object.fromEntries(Object.entries(headers).reverse()) }],
    ['another method and host', false, { method: 'POST', headers: { ...headers, host: ['example.com'] } }],
    [
      'the lines of one field in another order',
      false,
      { headers: { ...headers, accept: ['*/*', 'application/json'] } },
    ],
  ])('B.4 · %s · is valid or not: %s', (_how, good, changes) => {
    const [base] = basesOf({ ...TRANSFORMED, ...changes }, transform?.input ?? '');
    expect(isGood(base ?? '', transform?.signature ?? '', 'ed25519')).toBe(good);
  });
});

const sent: Sent = {
  method: 'GET',
  url: '/path?param=value&foo=bar&baz=bat%2Dman&qux=&twice=1&twice=2&var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something',
  headers: {
    host: ['www.Example.com:80'],
    'x-ows-header': ['  Leading and trailing whitespace.   '],
    'x-empty-header': [''],
    'cache-control': ['max-age=60', '   must-revalidate'],
    'example-dict': ['  a=1,    b=2;x=1;y=2,   c=(a   b   c), d'],
    'example-list': ['a ,  b;q=0.50', '"c"'],
    'example-text': ['not: structured!', '', 'caf\u00e9'],
    'content-digest': ['sha-256=:AAAA:, sha-512=:BBBB:'],
  },
};

describe('a component', () => {
  test.each([
    ['"@method"', 'GET'],
    ['"@authority"', 'www.example.com'],
    ['"@scheme"', 'http'],
    ['"@path"', '/path'],
    ['"@request-target"', sent.url],
    ['"@query"', sent.url.slice('/path'.length)],
    ['"@query-param";name="param"', 'value'],
    ['"@query-param";name="qux"', ''],
    ['"@query-param";name="baz"', 'bat-man'],
    ['"@query-param";name="var"', 'this%20is%20a%20big%0Amultiline%20value'],
    ['"@query-param";name="bar"', 'with%20plus%20whitespace'],
    ['"@query-param";name="fa%C3%A7ade%22%3A%20"', 'something'],
    ['"x-ows-header"', 'Leading and trailing whitespace.'],
    ['"x-empty-header"', ''],
    ['"cache-control"', 'max-age=60, must-revalidate'],
    ['"example-dict"', 'a=1,    b=2;x=1;y=2,   c=(a   b   c), d'],
    ['"example-dict";sf', 'a=1, b=2;x=1;y=2, c=(a b c), d'],
    ['"example-dict";key="a"', '1'],
    ['"example-dict";key="b"', '2;x=1;y=2'],
    ['"example-dict";key="c"', '(a b c)'],
    ['"example-dict";key="d"', '?1'],
    ['"example-list";sf', 'a, b;q=0.5, "c"'],
    ['"example-list";bs', `:${btoa('a ,  b;q=0.50')}:, :${btoa('"c"')}:`],
    ['"example-text";bs', `:${btoa('not: structured!')}:, ::, :Y2Fm6Q==:`],
    ['"content-digest";key="sha-256"', ':AAAA:'],
  ])('%s · is computed · from what came', (component, value) => {
    const [base] = basesOf(sent, `sig1=(${component});keyid="k"`);
    expect(base).toBe(`${component}: ${value}\n"@signature-params": (${component});keyid="k"`);
  });

  test.each([
    '"x-missing"',
    '"Cache-Control"',
    '"@METHOD"',
    '"@status"',
    '"@signature-params"',
    '"@unheard-of"',
    '""',
    '"a b"',
    '"constructor"',
    '"__proto__"',
    '"has-own-property"',
    'cache-control',
    '7',
    '"@method";req',
    '"@path";sf',
    '"cache-control";req',
    '"cache-control";tr',
    '"cache-control";sf=?0',
    '"cache-control";bs="x"',
    '"cache-control";unheard=1',
    '"example-dict";key=a',
    '"example-dict";key="x"',
    '"example-text";sf',
    '"example-text";key="a"',
    '"example-dict";bs;sf',
    '"example-dict";bs;key="a"',
    '"@query-param"',
    '"@query-param";name="none"',
    '"@query-param";name="twice"',
    '"@query-param";name=param',
    '"@query-param";name="param";x',
    '"@method" "@method"',
    '"example-dict";key="a" "example-dict";key="a"',
    '"example-dict";sf;key="a" "example-dict";key="a";sf',
  ])('%s · cannot be computed · so nothing is signed by it', (components) => {
    expect(basesOf(sent, `sig1=(${components});keyid="k"`)).toSatisfy((bases: unknown[]) =>
      bases.every((one) => one === null),
    );
  });

  test('one field in several forms · is several components · and each is covered separately', () => {
    const [base] = basesOf(
      sent,
      'sig1=("example-dict" "example-dict";sf "example-dict";key="a" "example-dict";key="b");keyid="k"',
    );
    expect(base?.split('\n')).toHaveLength(5);
  });
});

describe('the address a client asked for', () => {
  const bases = (changes: { url?: string; headers?: Record<string, string[]>; from?: string }, component: string) =>
    basesOf(
      { ...sent, url: changes.url ?? '/v1/x?q', headers: changes.headers ?? {} },
      `sig1=("${component}");keyid="k"`,
      changes.from,
    ).map((base) => base?.split('\n')[0]?.slice(component.length + 4) ?? null);

  test.each<[string, string[], string[], string[]]>([
    ['example.com', ['example.com'], ['http'], ['http://example.com/v1/x?q']],
    ['Example.COM:80', ['example.com'], ['http'], ['http://example.com/v1/x?q', 'http://Example.COM:80/v1/x?q']],
    ['example.com:443', ['example.com:443'], ['http'], ['http://example.com:443/v1/x?q']],
    ['example.com:8080', ['example.com:8080'], ['http'], ['http://example.com:8080/v1/x?q']],
    [
      '[2001:DB8::1]:80',
      ['[2001:db8::1]'],
      ['http'],
      ['http://[2001:db8::1]/v1/x?q', 'http://[2001:DB8::1]:80/v1/x?q'],
    ],
  ])('by its Host %s · is given in its normal form · and as it was written', (host, authority, scheme, uri) => {
    const headers = { host: [host] };
    expect([...new Set(bases({ headers }, '@authority'))]).toEqual(authority);
    expect([...new Set(bases({ headers }, '@scheme'))]).toEqual(scheme);
    expect(bases({ headers }, '@target-uri')).toEqual(uri);
  });

  test('without a host · is unknown · though its path is known', () => {
    expect(bases({}, '@authority')).toEqual([null]);
    expect(bases({}, '@target-uri')).toEqual([null]);
    expect(bases({}, '@path')).toEqual(['/v1/x']);
  });

  test('in absolute form · is that · whatever the Host', () => {
    const asked = { url: 'HTTP://Example.com/v1/x?q', headers: { host: ['other'] } };
    expect(new Set(bases(asked, '@authority'))).toEqual(new Set(['example.com']));
    expect(new Set(bases(asked, '@request-target'))).toEqual(new Set([asked.url]));
    expect(bases(asked, '@target-uri')).toContain('http://example.com/v1/x?q');
    expect(bases(asked, '@query')).toContain('?q');
  });

  const forwarded = {
    host: ['internal:8080'],
    'x-forwarded-proto': ['https'],
    'x-forwarded-host': ['Bridge.example:443, inner'],
  };

  test('as a trusted proxy saw it · counts · as well as what we see', () => {
    const asked = { headers: forwarded, from: PROXY };
    expect([...new Set(bases(asked, '@authority'))]).toEqual(['bridge.example', 'internal:8080']);
    expect(new Set(bases(asked, '@scheme'))).toEqual(new Set(['https']));
    expect(bases(asked, '@target-uri')).toEqual(
      expect.arrayContaining(['https://bridge.example/v1/x?q', 'https://internal:8080/v1/x?q']),
    );
  });

  test('as anyone else forwards it · is ignored · whatever it says', () => {
    expect(new Set(bases({ headers: forwarded }, '@authority'))).toEqual(new Set(['internal:8080']));
    expect(new Set(bases({ headers: forwarded }, '@scheme'))).toEqual(new Set(['http']));
  });

  test('without a proxy · is found · without parsing every header', () => {
    const request = (remoteAddress: string) => ({
      headers: { host: 'internal:8080' },
      get headersDistinct(): never {
        throw new Error('parsed');
      },
      socket: { remoteAddress },
    });
    expect(targetsOf(request('198.51.100.1'), '/v1/x')).toMatchObject([{ authority: 'internal:8080' }]);
    expect(() => targetsOf(request(PROXY), '/v1/x')).toThrow('parsed');
  });

  test.each<[string, Record<string, string>, string]>([
    ['Forwarded', { forwarded: 'for=10.0.0.9;host=Bridge.example;proto=https' }, 'https://bridge.example'],
    ['Forwarded with a port', { forwarded: 'Host="bridge.example:8443" ; Proto=HTTPS' }, 'https://bridge.example:8443'],
    ['Forwarded of IPv6', { forwarded: 'for="[::1]:1";proto=https;host="[2001:DB8::1]"' }, 'https://[2001:db8::1]'],
    [
      'Forwarded by two',
      { forwarded: 'host=first.example;proto=https, host=inner;proto=http' },
      'https://first.example',
    ],
    ['both kinds', { forwarded: 'proto=http', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'b' }, 'https://b'],
    ['a port', { 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' }, 'https://internal:8443'],
    ['a host and a port', { 'x-forwarded-host': 'b', 'x-forwarded-port': '8080' }, 'http://b:8080'],
    ['a port of its own', { 'x-forwarded-host': 'b:80', 'x-forwarded-port': '8080' }, 'http://b:8080'],
    ['a default port', { 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' }, 'https://internal'],
    ['ports of two', { 'x-forwarded-host': '[::1], y', 'x-forwarded-port': '8080, 80' }, 'http://[::1]:8080'],
  ])('as a trusted proxy says by %s · counts · from nobody else', (_what, fields, origin) => {
    const headers = { host: ['internal'], ...Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, [v]])) };
    expect(bases({ headers, from: PROXY }, '@target-uri')).toContain(`${origin}/v1/x?q`);
    expect(bases({ headers, from: PROXY }, '@authority')).toContain(origin.replace(/^https?:\/\//, ''));
    expect(bases({ headers, from: PROXY }, '@scheme')).toContain(origin.replace(/:.*/, ''));
    expect([...new Set(bases({ headers }, '@target-uri'))]).toEqual(['http://internal/v1/x?q']);
  });

  test.each<Record<string, string>>([
    { forwarded: 'host="internal' },
    { forwarded: 'host=b x;proto=https' },
    { forwarded: 'host="b/x"' },
    { forwarded: '=;;' },
    { forwarded: '' },
    { 'x-forwarded-port': '' },
    { 'x-forwarded-port': '-1' },
    { 'x-forwarded-port': '443443' },
    { 'x-forwarded-host': '' },
  ])('a trusted proxy’s %j · cannot be read · and is ignored', (fields) => {
    const headers = { host: ['internal'], ...Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, [v]])) };
    expect([...new Set(bases({ headers, from: PROXY }, '@target-uri'))]).toEqual(['http://internal/v1/x?q']);
  });

  test.each(['', 'javascript', 'ftp', 'https://x'])(
    'a trusted proxy’s X-Forwarded-Proto of %j · is passed over',
    (proto) => {
      expect(
        new Set(bases({ headers: { ...forwarded, 'x-forwarded-proto': [proto] }, from: PROXY }, '@scheme')),
      ).toEqual(new Set(['http']));
    },
  );
});
