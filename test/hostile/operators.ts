// The routes that are not a device's: read, searched and ordered about by strangers, by devices and by an operator gone mad.
import { pick } from '../../src/sandbox/random.ts';
import {
  awkwardText,
  chance,
  HOST,
  lengthOf,
  REFUSED,
  requestIdOf,
  signatureFields,
  single,
  toBytes,
  type Case,
  type Dice,
  type Expected,
  type HeaderField,
} from './case.ts';

export const OPERATOR_TOKEN = 'an-operator-of-the-hostile-campaign-0123456789';

type Ask = readonly [method: string, path: string];

const CLOSED: readonly [Ask, ...Ask[]] = [
  ['GET', '/v1/status'],
  ['GET', '/v1/dead-letters'],
  ['GET', '/v1/summaries'],
  ['POST', '/v1/dead-letters/replay'],
  ['POST', '/v1/dead-letters/purge'],
  ['GET', '/v1/devices/revoked'],
  ['POST', '/v1/devices/dev-1/revoke'],
  ['GET', '/dashboard'],
  ['GET', '/dashboard/page.js'],
  ['GET', '/dashboard/overview.json'],
  ['GET', '/dashboard/search.json?text=x'],
  ['POST', '/dashboard/replay'],
  ['GET', '/dashboard/queues'],
  ['GET', '/dashboard/queues/api/queues'],
];
const CREDENTIALS = [
  '',
  'Bearer',
  'Bearer ',
  `Bearer ${OPERATOR_TOKEN}x`,
  `Bearer ${OPERATOR_TOKEN.slice(0, -1)}`,
  `Bearer ${OPERATOR_TOKEN.toUpperCase()}`,
  `Bearer  ${OPERATOR_TOKEN} ${OPERATOR_TOKEN}`,
  `Token ${OPERATOR_TOKEN}`,
  'Basic OjphOmI=',
  `Basic ${Buffer.from(`x:${OPERATOR_TOKEN}x`).toString('base64')}`,
  `Basic ${Buffer.from(OPERATOR_TOKEN).toString('base64')}`,
  'Basic \u0000',
  `Basic ${'A'.repeat(9000)}`,
  'Bearer \u00ff\u0000',
  'Bearer undefined',
  'Bearer eyJhbGciOiJub25lIn0.e30.',
] as const;
const QUERIES = [
  'limit=0',
  'limit=501',
  'limit=1e2',
  'limit=-1',
  'limit=5&limit=6',
  'limit[]=5',
  'cursor=x',
  `cursor=${'A'.repeat(257)}`,
  'cursor=9999999999999999999999_d',
  'cursor=1%00_d',
  'code=%00',
  'code=*&deviceId=*',
  'deviceId=%ff',
  'deviceId=a&deviceId=b',
  '__proto__=x&constructor=y',
  '__proto__[code]=x',
  'hardwareConfigurationId=%27%20or%201=1',
  'from=0000-01-01',
  'from=2026-02-30',
  'from=9999-12-31&to=0001-01-01',
  'to=9999-12-31',
  'to[]=2026-11-23',
  'limit=10001',
  'cursor=2026-11-23.others.x',
  'cursor=0000-99-99.others.x',
  'unknown=1',
  '&&&=&=',
  '%',
] as const;
const BODIES = [
  '',
  'null',
  '[]',
  '{}',
  '{"deliveryId":null}',
  '{"deliveryId":""}',
  `{"deliveryId":"${'x'.repeat(65)}"}`,
  '{"deliveryId":"d\\u0000\\r\\n*1"}',
  '{"deliveryId":"../counts"}',
  '{"deliveryId":{"$ne":1}}',
  '{"filter":{"__proto__":{"code":"x"}},"dryRun":true}',
  '{"filter":{"code":["a"]}}',
  '{"filter":[]}',
  '{"filter":{},"dryRun":"yes"}',
  '{"deliveryId":"d","filter":{}}',
  '{"filter":{"deviceId":"\\ud800"},"dryRun":true}',
  '['.repeat(5000),
  '{"filter":{"code":"x"}}x',
] as const;
const DELIVERIES = [
  'x',
  '%00',
  '..%2f..',
  'd%0d%0aX:%20y',
  '*',
  'd'.repeat(1800),
  '__proto__',
  'constructor',
  '%F0%9F%98%80',
  'a%20b',
  '%',
] as const;

const TEXTS = [
  'text=%00',
  'text=',
  'text=*',
  `text=${'x'.repeat(129)}`,
  'text=a&text=b',
  'text[]=x',
  'text=%F0%9F%98%80',
  'x=1',
] as const;
const DEVICES = ['%00', '..%2f', 'a%20b', '*', 'x'.repeat(129), '%', '__proto__%0d%0a', 'ü'] as const;
const PASSWORD: HeaderField = ['Authorization', `Basic ${Buffer.from(`x:${OPERATOR_TOKEN}`).toString('base64')}`];
const AUTHORIZED: HeaderField = ['Authorization', `Bearer ${OPERATOR_TOKEN}`];
const unauthorized: Expected = { ...REFUSED, statuses: [400, 401, 431] };

const get = (path: string, ...further: HeaderField[]) => toBytes({ method: 'GET', path, headers: [HOST, ...further] });

/** Somebody without the token: nothing but the open routes answers. */
function stranger({ random, id }: Dice): Case {
  const [method, path] = pick(random, CLOSED);
  const bytes = toBytes({
    method,
    path,
    headers: [
      HOST,
      requestIdOf(id),
      ['Authorization', pick(random, CREDENTIALS)],
      ['Content-Type', 'application/json'],
      ['Content-Length', '0'],
    ],
  });
  return { family: 'operators', name: 'stranger', steps: [{ bytes, answers: [unauthorized], then: 'end' }] };
}

function search({ random }: Dice): Case {
  if (chance(random, 0.3)) {
    const path = `/dashboard/search.json?${pick(random, TEXTS)}`;
    return single({
      family: 'operators',
      name: 'search by text',
      bytes: get(path, PASSWORD),
      expected: { ...REFUSED, statuses: [200, 400, 403, 422] },
    });
  }
  const query = `${pick(random, QUERIES)}&${pick(random, QUERIES)}`;
  const answer = { ...REFUSED, statuses: [200, 400, 422] };
  return single({
    family: 'operators',
    name: 'search',
    bytes: get(`${pick(random, ['/v1/dead-letters', '/v1/summaries'] as const)}?${query}`, AUTHORIZED),
    expected: answer,
  });
}

/** None of these may do anything: there are no dead letters, and none of the run results may go. */
function order({ random }: Dice): Case {
  const body = pick(random, BODIES);
  const path = pick(random, ['/v1/dead-letters/replay', '/v1/dead-letters/purge'] as const);
  const bytes = toBytes({
    path,
    headers: [HOST, AUTHORIZED, ['Content-Type', 'application/json'], lengthOf(body)],
    body,
  });
  return single({
    family: 'operators',
    name: 'order',
    bytes,
    expected: { ...REFUSED, statuses: [200, 400, 404, 422] },
  });
}

function read({ random, id, nowS }: Dice): Case {
  const path = `/v1/deliveries/${pick(random, DELIVERIES)}`;
  const signature = signatureFields({ method: 'GET', path, body: null, deviceId: `dev-${id}`, createdS: nowS });
  const who = pick(random, [
    [AUTHORIZED],
    signature,
    [],
    [['Authorization', awkwardHeader(random)] as HeaderField],
  ] as const);
  const bytes = get(path, requestIdOf(id), ...who);
  return {
    family: 'operators',
    name: 'read',
    steps: [{ bytes, answers: [{ ...REFUSED, statuses: [400, 401, 404] }], then: 'end' }],
  };
}

const awkwardHeader = (random: Dice['random']) => `Bearer ${encodeURIComponent(awkwardText(random, 9).toWellFormed())}`;

/** None of these is a device. */
function revoke({ random }: Dice): Case {
  const path = `/v1/devices/${pick(random, DEVICES)}/${pick(random, ['revoke', 'restore'] as const)}`;
  const bytes = toBytes({ path, headers: [HOST, AUTHORIZED, ['Content-Length', '0']] });
  return {
    family: 'operators',
    name: 'revoke',
    steps: [{ bytes, answers: [{ ...REFUSED, statuses: [400, 404, 422] }], then: 'end' }],
  };
}

const KINDS = [stranger, search, order, read, revoke] as const;

export const operators = (dice: Dice): Case => pick(dice.random, KINDS)(dice);
