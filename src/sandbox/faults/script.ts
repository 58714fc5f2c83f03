// A fault script: how the next matching requests are answered, in order.
import { ScriptError, parseFault } from './fault.ts';
import type { Fault } from './fault.ts';
import { isMeantFor, parseTarget, targetWords } from './operation.ts';
import type { Operation, Target } from './operation.ts';

/** A line of a script that has not been used up yet. */
type Plan = { target: Target; steps: Fault[]; taken: number; count: number };

export type Script = ReturnType<typeof createScript>;

const shape = /^next (?:(\d{1,9}) )?([a-z]+) ?: ?(.+)$/i;

/**
 * Parses a script: lines (or parts between semicolons), each
 *
 *     line = "next" [ count ] target ":" fault { "," fault }
 *
 * e.g. `next 3 creates: 504 after the write, 429 with Retry-After 1.5, 201` or `next 2 lists: 503`. The target is one of
 * create, list, get, update, delete, write, read, request (any of Graph's), token, discovery, singular or plural.
 * Faults are used in turn, repeatedly if the count is higher than their number; without a count each is used once. For the
 * syntax of faults see `parseFault`. Throws a ScriptError that quotes the line and says what is wrong.
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

/** The lines not used up yet. */
export function createScript() {
  let plans: Plan[] = [];
  return {
    add: (text: string): void => {
      plans.push(...parseScript(text));
    },
    /** Takes the fault for the next request of this operation from the script. */
    take: (operation: Operation): Fault | undefined => {
      const plan = plans.find(({ target }) => isMeantFor(target, operation));
      if (plan === undefined) return undefined;
      const fault = plan.steps[plan.taken % plan.steps.length];
      plan.taken += 1;
      if (plan.taken === plan.count) plans = plans.filter((other) => other !== plan);
      return fault;
    },
    /** How many scripted responses are left. */
    remaining: (): number => plans.reduce((sum, plan) => sum + plan.count - plan.taken, 0),
    clear: (): void => {
      plans = [];
    },
  };
}
