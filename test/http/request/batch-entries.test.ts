// The entries of a batch: read one after the other, with a turn for others in between where there is much to look through.
import { expect, test } from 'vitest';
import { readEntries } from '../../../src/http/request/batch-entries.ts';
import { DEVICE_ID, runResult } from '../../support/device.ts';

const submitter = { kind: 'device' as const, tenantId: 'default', deviceId: DEVICE_ID, contentDigest: null };
const parts = { isRevoked: () => false, maxBodyBytes: 262_144 };

async function turnsDuring(entries: { json: unknown }[]): Promise<number> {
  let turns = 0;
  let over = false;
  const count = () => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  const read = await readEntries(entries, submitter, parts);
  over = true;
  expect(read.map((entry) => 'run' in entry && entry.run.output)).toEqual(
    entries.map(({ json }) => (json as { output?: string }).output),
  );
  return turns;
}

test('entries with long texts · are read in turns with whatever else there is to do', async () => {
  const long = { json: runResult({ output: 'Self test passed\n'.repeat(15_000) }) };
  expect(await turnsDuring(Array.from({ length: 5 }, () => long))).toBeGreaterThanOrEqual(4);
});

test('entries with short texts · are read at once', async () => {
  const short = { json: runResult({ output: 'done' }) };
  expect(await turnsDuring(Array.from({ length: 100 }, () => short))).toBe(0);
});
