// Random faults: how often each fault happens, per group of operations.
import { ScriptError, parseFault } from './fault.ts';
import type { Fault } from './fault.ts';
import { isMeantFor, parseTarget, targetWords } from './operation.ts';
import type { Operation, Target } from './operation.ts';
import type { Random } from '../random.ts';

/** For example `{ creates: { '504 after the write': 0.02, '429 with Retry-After 1': 0.05 }, tokens: { '503': 0.01 } }`. */
export type FaultRates = Record<string, Record<string, number>>;

export type ParsedRate = { target: Target; fault: Fault; rate: number };

/** Parses rates; faults are written as in a script, rates are from 0 to 1 with a sum of at most 1. */
export function parseFaultRates(rates: FaultRates): ParsedRate[] {
  return Object.entries(rates).flatMap(([word, faults]) => {
    const target = parseTarget(word);
    if (target === undefined) throw new ScriptError(`"${word}" names no requests: say ${targetWords.join(', ')}`);
    const sum = Object.values(faults).reduce((total, rate) => total + rate, 0);
    if (!(sum <= 1) || Object.values(faults).some((rate) => rate < 0)) {
      throw new ScriptError(`the rates of "${word}" must be from 0 to 1, and at most 1 together`);
    }
    return Object.entries(faults).map(([text, rate]) => ({ target, fault: parseFault(text), rate }));
  });
}

/** Decides at random whether a request meets a fault, and which. */
export function drawFault(rates: readonly ParsedRate[], operation: Operation, random: Random): Fault | undefined {
  const candidates = rates.filter(({ target }) => isMeantFor(target, operation));
  if (candidates.length === 0) return undefined;
  let thrown = random();
  return candidates.find(({ rate }) => (thrown -= rate) < 0)?.fault;
}
