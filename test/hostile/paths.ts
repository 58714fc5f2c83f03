// Request lines: paths that lead astray, methods and versions nobody speaks, and what is no HTTP at all.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { ABSOLUTE_TRICKS } from './absolute.ts';
import {
  BROKEN,
  bytesOf,
  HOST,
  JSON_TYPE,
  lengthOf,
  PATH,
  perhaps,
  REFUSED,
  signatureFields,
  stored,
  toBytes,
  type HeaderField,
} from './case.ts';
import { familyOf, withFields, type Parts, type Tricks } from './tricks.ts';

const PATHS = [
  '/v1/run-results/',
  '/v1/run-results?x=1',
  '/v1/run-results?__proto__[x]=1&constructor=2&a[b][c]=d',
  '/v1/run-results#x',
  '/V1/RUN-RESULTS',
  '/v1//run-results',
  '//v1/run-results',
  '/v1/./run-results',
  '/v1/x/../run-results',
  '/v1/%2e%2e/v1/run-results',
  '/v1/run%2Dresults',
  '/v1/run-results%00',
  '/v1/run-results%',
  '/v1/run-results%zz',
  '/v1/run-results;x=1',
  '/v1/run-results/%2e%2e/status',
  '/v1\\run-results',
  '/v1/run-results\u0000',
  '/v1/run-résults',
  '/v1/run-results%ff%fe',
  'http://bridge.example/v1/run-results',
  'http://other.example/v1/run-results?x',
  'https://user:pass@bridge.example:99999/v1/run-results',
  'http:///v1/run-results',
  'http://[::1/v1/run-results',
  'javascript:alert(1)',
  '*',
  '',
  'v1/run-results',
  '/',
  '/..',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/.env',
  '/.git/config',
  '/__proto__',
  '/constructor',
  '/v1/deliveries/',
  '/v1/deliveries/%00',
  '/v1/deliveries/..%2f..%2fstatus',
  '/v1/deliveries/%c0%ae%c0%ae',
  `/v1/deliveries/${'a'.repeat(1900)}`,
  `/${'a/'.repeat(5000)}`,
  `/v1/run-results?${'a=b&'.repeat(3000)}`,
] as const;
const METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'LINK',
  'M-SEARCH',
] as const;
const NO_METHODS = [
  'post',
  'FOO',
  'PO ST',
  'P\u0000ST',
  '',
  'POST\u000b',
  'ＰＯＳＴ',
  'CONNECT',
  'POSTPOSTPOST',
  '{',
] as const;
const VERSIONS = [
  'HTTP/0.9',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/9.9',
  'http/1.1',
  'HTTP/1',
  'HTTP/11',
  'HTTP/1.1 x',
  'RTSP/1.0',
  '',
] as const;
const WHOLES: readonly (Buffer | string)[] = [
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  Buffer.from('16030100a5010000a10303', 'hex'),
  'GET /livez\r\n\r\n',
  '\u0000\u0000\u0000\u0000',
  'HELO bridge.example\r\n',
  '*1\r\n$4\r\nPING\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  '\r\n\r\n\r\nx',
];

const asked = (p: Parts, method: string, path: string, version?: string) =>
  toBytes({
    method,
    path,
    ...(version !== undefined && { version }),
    headers: [HOST, JSON_TYPE, lengthOf(p.body), ...signedFor(p, method, path)],
    body: p.body,
  });

function signedFor({ body, run, dice }: Parts, method: string, path: string): HeaderField[] {
  return signatureFields({
    body,
    deviceId: run.deviceId,
    createdS: dice.nowS,
    method,
    path: path.replace(/[?#].*$/, ''),
  });
}

const NOWHERE = { ...REFUSED, statuses: [...REFUSED.statuses, 200] };

const TRICKS: Tricks = {
  'another path': (p) => ({ bytes: asked(p, 'POST', pick(p.dice.random, PATHS)), answers: [perhaps(p.run)] }),
  ...ABSOLUTE_TRICKS,
  'another path to read': (p) => ({
    bytes: toBytes({ method: 'GET', path: pick(p.dice.random, PATHS), headers: [HOST] }),
    answers: [NOWHERE],
  }),
  'another method': (p) => {
    const method = pick(p.dice.random, METHODS);
    return { bytes: asked(p, method, PATH), answers: [{ ...REFUSED, statuses: [405, 400] }] };
  },
  'no such method': (p) => ({
    bytes: asked(p, pick(p.dice.random, NO_METHODS), PATH),
    answers: [{ ...BROKEN, statuses: [...BROKEN.statuses, 405] }],
  }),
  'an override': (p) => ({
    bytes: toBytes({
      method: 'GET',
      headers: [...p.fields, lengthOf(p.body), ['X-HTTP-Method-Override', 'POST']],
      body: p.body,
    }),
    answers: [{ ...REFUSED, statuses: [405] }],
  }),
  'another version': (p) => ({
    bytes: asked(p, 'POST', PATH, pick(p.dice.random, VERSIONS)),
    answers: [perhaps(p.run)],
  }),
  'no HTTP': (p) => ({ bytes: Buffer.from(pick(p.dice.random, WHOLES as [string])), answers: [NOWHERE], then: 'cut' }),
  noise: (p) => ({
    bytes: bytesOf(p.dice.random, wholeNumber(p.dice.random, 1, 400)),
    answers: [NOWHERE],
    then: 'cut',
  }),
  'empty lines first': (p) => ({
    bytes: Buffer.concat([Buffer.from('\r\n\r\n'), withFields(p)]),
    answers: [stored(p.run)],
  }),
};

export const paths = familyOf('path', TRICKS);
