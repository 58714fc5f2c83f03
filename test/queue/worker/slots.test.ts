// The attempts of a process, shared between its tenants: nobody waits for a tenant that takes long, and none is left unused.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSlots, type Slot, type TenantSlots } from '../../../src/queue/worker/slots.ts';

const never = new AbortController().signal;

/** Takes slots until the tenant has to wait. @returns those it got */
async function takeAll(tenant: TenantSlots, most = 1000): Promise<Slot[]> {
  const taken: Slot[] = [];
  for (let number = 0; number < most; number += 1) {
    const slot = await tryToTake(tenant);
    if (!slot) return taken;
    taken.push(slot);
  }
  return taken;
}

/** A slot that is free now, or null. */
async function tryToTake(tenant: TenantSlots): Promise<Slot | null> {
  const leaving = new AbortController();
  const asked = tenant.take(leaving.signal).catch(() => null);
  await Promise.resolve();
  leaving.abort(new Error('nobody waits that long'));
  return asked;
}

test('a tenant that is alone · takes them all', async () => {
  const slots = createSlots(50);
  expect(await takeAll(slots.ofTenant('a'))).toHaveLength(50);
});

test('tenants whose attempts hang · leave as many free as each of them has · however many they are', async () => {
  const slots = createSlots(50);
  const [a, b, c] = ['a', 'b', 'c'].map((id) => slots.ofTenant(id)) as [TenantSlots, TenantSlots, TenantSlots];
  expect(await takeAll(a)).toHaveLength(25);
  expect((await takeAll(b)).length).toBe(13);
  expect((await takeAll(c)).length).toBe(6);
});

test('a slot that is released · goes to the tenant with the fewest · and not to the one that asked first', async () => {
  const slots = createSlots(4);
  const [a, b] = [slots.ofTenant('a'), slots.ofTenant('b')];
  const ofA = await takeAll(a);
  const ofB = await takeAll(b);
  expect([ofA.length, ofB.length]).toEqual([2, 1]);
  const order: string[] = [];
  void a.take(never).then(() => order.push('a'));
  void b.take(never).then(() => order.push('b'));
  ofB[0]?.release();
  await new Promise(setImmediate);
  expect(order[0]).toBe('b');
});

test('one that gives up · is passed over · and no slot is lost with it', async () => {
  const slots = createSlots(1);
  const tenant = slots.ofTenant('a');
  const [only] = await takeAll(tenant);
  const leaving = new AbortController();
  const left = tenant.take(leaving.signal);
  const next = tenant.take(never);
  leaving.abort(new Error('enough'));
  await expect(left).rejects.toThrow('enough');
  only?.release();
  only?.release();
  (await next).release();
  expect(await takeAll(tenant)).toHaveLength(1);
});

test('one of two tenants is closed · the other takes all · at once', async () => {
  const slots = createSlots(4);
  const [a, b] = [slots.ofTenant('a'), slots.ofTenant('b')];
  await takeAll(a);
  const waiting = [a.take(never), a.take(never)];
  b.close();
  await Promise.all(waiting);
});

type Step = { kind: 'take' | 'release' | 'give up'; tenant: number; which: number };
const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('take', 'take', 'release', 'give up'),
    tenant: fc.nat(3),
    which: fc.nat(20),
  }),
  { maxLength: 80 },
);

test('whatever is taken, released and given up · no slot is lost or given twice · and a waiting tenant without any gets the next', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), steps, async (total, script) => {
      const slots = createSlots(total);
      const tenants = [0, 1, 2, 3].map((number) => slots.ofTenant(String(number)));
      const held: Slot[][] = [[], [], [], []];
      const waiting: { tenant: number; leave: AbortController }[] = [];
      for (const { kind, tenant, which } of script) {
        if (kind === 'take') {
          const entry = { tenant, leave: new AbortController() };
          waiting.push(entry);
          const leaves = () => void waiting.splice(waiting.indexOf(entry), 1);
          tenants[tenant]?.take(entry.leave.signal).then((slot) => {
            held[tenant]?.push(slot);
            leaves();
          }, leaves);
        } else if (kind === 'release') {
          const of = held[tenant] ?? [];
          of.splice(which % Math.max(1, of.length), 1).forEach((slot) => slot.release());
        } else waiting[which % Math.max(1, waiting.length)]?.leave.abort(new Error('left'));
        await new Promise(setImmediate);
        const free = total - held.flat().length;
        expect(free).toBeGreaterThanOrEqual(0);
        // Nobody without a slot waits while one is free.
        if (free > 0) expect(waiting.filter((one) => held[one.tenant]?.length === 0)).toEqual([]);
      }
      for (const slot of held.flat()) slot.release();
      for (const { leave } of waiting) leave.abort(new Error('left'));
    }),
    { numRuns: 60 },
  );
});
