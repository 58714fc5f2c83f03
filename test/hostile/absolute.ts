// Addresses with a host in them, as proxies may send them: the same route under another name, or none.
import { pick } from '../../src/sandbox/random.ts';
import { lengthOf, REFUSED, stored, toBytes } from './case.ts';
import type { Tricks } from './tricks.ts';

/** Signed for the path they have. */
const ABSOLUTE = [
  'http://bridge.example/v1/run-results',
  'http://other.example:8080/v1/run-results?x=1',
  'HTTP://BRIDGE.EXAMPLE/v1/run-results',
  'https://user:pass@bridge.example/v1/run-results',
] as const;
const NOT_ABSOLUTE = [
  'http://bridge.example',
  'http://bridge.example?/v1/run-results',
  'http://bridge.example#/v1/run-results',
  'http:///v1/run-results',
  'http:/v1/run-results',
  'http://bridge.example:99999999/v1/run-results',
  'http://bridge.example/v1/x/../run-results',
  'http://bridge.example/v1/%2e/run-results',
  'http://bridge.example\\v1\\run-results',
  'x:/v1/run-results',
  '//bridge.example/v1/run-results',
  'bridge.example/v1/run-results',
  'bridge.example:80',
] as const;
export const ABSOLUTE_TRICKS: Tricks = {
  'an absolute address': (p) => ({
    bytes: toBytes({ path: pick(p.dice.random, ABSOLUTE), headers: [...p.fields, lengthOf(p.body)], body: p.body }),
    answers: [{ ...stored(p.run), requestId: p.dice.id }],
  }),
  'an absolute address of something else': (p) => ({
    bytes: toBytes({
      path: pick(p.dice.random, NOT_ABSOLUTE),
      headers: [...p.fields, lengthOf(p.body)],
      body: p.body,
    }),
    answers: [{ ...REFUSED, statuses: [400, 401, 404] }],
  }),
};
