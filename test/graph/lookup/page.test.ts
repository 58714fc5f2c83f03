// A page of a listing: whatever a service sends, its records are read and the way on is one to Graph, or none.
import { describe, expect, test } from 'vitest';
import { readPage } from '../../../src/graph/lookup/page.ts';
import { fc } from '../../support/properties.ts';

const URL_READ = 'https://graph.example/beta/deviceManagement/hardwareConfigurations/1/deviceRunStates?$filter=x';
const PATH = '/beta/deviceManagement/hardwareConfigurations/1/deviceRunStates';
const page = (json: unknown) => readPage(json, URL_READ);
const nextOf = (link: unknown, context?: unknown) =>
  page({ value: [], '@odata.nextLink': link, ...(context !== undefined && { '@odata.context': context }) });

test('what is no record among the records · is passed over · and members of the wrong type with it', () => {
  const value = [
    null,
    7,
    'text',
    [],
    [{}],
    {},
    true,
    { id: 'a', internalVersion: 4 },
    { id: 5, deviceName: {}, upn: [] },
  ];
  expect(page({ value })).toEqual({ records: [{}, { id: 'a', internalVersion: 4 }, {}], next: null, unread: null });
});

test.each([
  ['4', 4],
  [4, 4],
  ['four', undefined],
  [null, undefined],
  [{}, undefined],
  ['', undefined],
])('a version · written as %j · is read as %j', (internalVersion, read) => {
  expect(page({ value: [{ internalVersion }] })?.records[0]?.internalVersion).toBe(read);
});

describe('the next page', () => {
  test.each<[how: string, link: string, context: unknown, path: string]>([
    ['absolute', `https://graph.example${PATH}?$skiptoken=a`, undefined, `${PATH}?$skiptoken=a`],
    ['absolute, host in capitals and port named', `https://GRAPH.example:443${PATH}?s=a`, undefined, `${PATH}?s=a`],
    ['absolute, another path of Graph', 'https://graph.example/beta/other?s=a', undefined, '/beta/other?s=a'],
    ['relative to the host', `${PATH}?s=a`, undefined, `${PATH}?s=a`],
    ['relative to the request', 'deviceRunStates?s=a', undefined, `${PATH}?s=a`],
    ['a query alone', '?s=a', undefined, `${PATH}?s=a`],
    [
      'relative to the context',
      'deviceManagement/hardwareConfigurations/1/deviceRunStates?s=a',
      'https://graph.example/beta/$metadata#deviceManagement',
      `${PATH}?s=a`,
    ],
    ['relative to a context that is relative', 'other?s=a', '/beta/$metadata#x', '/beta/other?s=a'],
    ['a query, beside a context', '?s=a', 'https://graph.example/beta/$metadata#x', `${PATH}?s=a`],
    ['relative, beside a context elsewhere', '?s=a', 'https://graph.microsoft.com/beta/$metadata#x', `${PATH}?s=a`],
    ['relative, beside a context that is none', 'deviceRunStates?s=a', { no: 1 }, `${PATH}?s=a`],
    ['without the host’s scheme', `//graph.example${PATH}?s=a`, undefined, `${PATH}?s=a`],
    ['with dots', `../1/deviceRunStates?s=a`, undefined, `${PATH}?s=a`],
    ['with a fragment', '?s=a#b', undefined, `${PATH}?s=a`],
  ])('%s · is found', (_how, link, context, path) => {
    expect(nextOf(link, context)).toMatchObject({ next: `https://graph.example${path}`, unread: null });
  });

  test.each<[how: string, link: unknown]>([
    ['on another host', 'https://evil.example/beta'],
    ['on another host, by its scheme’s absence', '//evil.example/beta'],
    ['on another host, by backslashes', '\\\\evil.example\\beta'],
    ['on a host that begins like it', 'https://graph.example.evil.example/beta'],
    ['on another port', `https://graph.example:8443${PATH}`],
    ['without encryption', `http://graph.example${PATH}`],
    ['with credentials', `https://user:password@graph.example${PATH}`],
    ['a script', 'javascript:alert(1)'],
    ['no address', 'https://'],
    ['a number', 7],
    ['a list', ['?s=a']],
    ['an object', { href: '?s=a' }],
    ['true', true],
    ['of great length', `?s=${'a'.repeat(10_000)}`],
  ])('%s · is not gone to · and what is behind it is unread', (_how, link) => {
    expect(nextOf(link)).toEqual({ records: [], next: null, unread: expect.any(String) as string });
  });

  test.each([undefined, null, ''])('%j · is none', (link) => {
    expect(nextOf(link)).toEqual({ records: [], next: null, unread: null });
  });

  test('in the short spelling · is one too', () => {
    expect(page({ value: [], '@nextLink': '?s=a' })).toMatchObject({ next: `https://graph.example${PATH}?s=a` });
  });
});

test.each([undefined, null, {}, 'text', 7])(
  'a list that is none · %j · ends the listing, or is passed over',
  (value) => {
    expect(page({ value })).toBeNull();
    expect(page({ value, '@odata.nextLink': '?s=a' })).toMatchObject({
      records: [],
      next: `https://graph.example${PATH}?s=a`,
      unread: expect.any(String) as string,
    });
  },
);

test.each([null, 7, 'text', [], [1], true])('no page · %j', (json) => {
  expect(page(json)).toBeNull();
});

test('anything · is read without throwing · and leads nowhere but to Graph', () => {
  const json = fc.oneof(
    fc.anything(),
    fc.record({
      value: fc.anything(),
      '@odata.nextLink': fc.oneof(fc.anything(), fc.webUrl()),
      '@odata.context': fc.anything(),
    }),
  );
  fc.assert(
    fc.property(json, (any) => {
      const read = page(any);
      if (read?.next) expect(new URL(read.next).origin).toBe('https://graph.example');
      for (const record of read?.records ?? []) {
        expect(record.id === undefined || typeof record.id === 'string').toBe(true);
      }
    }),
  );
});
