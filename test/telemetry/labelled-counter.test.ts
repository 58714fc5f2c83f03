// A counter with labels: as Prometheus reads it, and the same as the client library writes it.
import { Counter, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createLabelledCounter } from '../../src/telemetry/labelled-counter.ts';

const DEFINITION = { name: 'answers_total', help: 'Answers by code.', labelNames: ['code', 'tenant'] as const };

test('series · begun and counted · are written as by the client library', async () => {
  const registry = new Registry();
  const theirs = new Counter({ ...DEFINITION, labelNames: ['code', 'tenant'], registers: [registry] });
  const ours = createLabelledCounter(DEFINITION);
  for (const counter of [theirs, ours]) {
    counter.inc({ code: '200', tenant: 'a' }, 0);
    counter.inc({ code: 'with "quotes", a \\ and\na line', tenant: 'b' });
    counter.inc({ code: '200', tenant: 'a' });
    counter.inc({ code: '200', tenant: 'b' }, 3);
  }
  expect(ours.render().trim()).toBe((await registry.metrics()).trim());
});

test('a counter without labels · has one series · once it is begun', () => {
  const counter = createLabelledCounter({ ...DEFINITION, labelNames: [] });
  expect(counter.render()).not.toContain('answers_total 0');
  counter.inc({}, 0);
  expect(counter.render()).toContain('\nanswers_total 0\n');
});
