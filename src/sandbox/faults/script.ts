// A fault script: how the next matching requests are answered, in order.
import { ScriptError, parseFault } from './fault.ts';
import type { Fault } from './fault.ts';
import { isMeantFor, parseTarget, targetWords } from './operation.ts';
import type { Operation, Target } from './operation.ts';

/** A line of a script that is still to happen. */
type Plan = { target: Target; steps: Fault[]; taken: number; count: number };

export type Script = ReturnType<typeof createScript>;

const shape = /^next (?:(\d{1,9}) )?([a-z]+) ?: ?(.+)$/i;

/**
 * Reads a script: lines (or parts between semicolons), each
 *
 *     line = "next" [ count ] target ":" fault { "," fault }
 *
 * e.g. `next 3 creates: 504 after the write, 429 with Retry-After 1.5, 201` or `next 2 lists: 503`. The target is one of
 * create, list, get, update, delete, write, read, request (any of Graph's), token, discovery, in the singular or plural.
 * Faults are taken in turn, from the first again when the count is higher than their number; without a count each is
 * taken once. Faults are described at `parseFault`. Throws a ScriptError that names the line and what is wrong with it.
 */
function parseScript(text: string): Plan[] {
  return text
    .split(/[;\n]/)
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseLine);
}

function parseLine(line: string): Plan {
  const [, digits, word = '', stepsText = ''] = shape.exec(line) ?? [];
  if (stepsText === '') throw new ScriptError(`"${line}": a line is "next 3 creates: fault, fault, …"`);
  const target = parseTarget(word.toLowerCase());
  if (target === undefined) throw new ScriptError(`"${word}" names no requests: say ${targetWords.join(', ')}`);
  const steps = stepsText.split(',').map(parseFault);
  const count = digits === undefined ? steps.length : Number(digits);
  if (count < steps.length) throw new ScriptError(`"${line}": ${steps.length} faults, but only for ${count} requests`);
  return { target, steps, taken: 0, count };
}

/** The lines still to happen. */
export function createScript() {
  let plans: Plan[] = [];
  return {
    add: (text: string): void => {
      plans.push(...parseScript(text));
    },
    /** What the next request of this operation meets, taken off the script. */
    take: (operation: Operation): Fault | undefined => {
      const plan = plans.find(({ target }) => isMeantFor(target, operation));
      if (plan === undefined) return undefined;
      const fault = plan.steps[plan.taken % plan.steps.length];
      plan.taken += 1;
      if (plan.taken === plan.count) plans = plans.filter((other) => other !== plan);
      return fault;
    },
    /** How many requests are still to meet a scripted answer. */
    remaining: (): number => plans.reduce((sum, plan) => sum + plan.count - plan.taken, 0),
    clear: (): void => {
      plans = [];
    },
  };
}
