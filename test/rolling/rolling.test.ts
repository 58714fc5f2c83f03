// An update and the way back under load, between the previous commit and this version: nobody notices.
import { expect, onTestFinished, test } from 'vitest';
import { earlierVersion, findCommit, presentVersion } from '../support/versions.ts';
import { runOnce } from './run.ts';

const commit = findCommit('HEAD~1');

test.skipIf(commit === null)(
  'processes replaced one by one under load · by this version and back by the last one · refuse, lose and double nothing',
  async () => {
    const older = earlierVersion(commit ?? '');
    onTestFinished(older.remove);
    const report = await runOnce({
      ...{ seed: 1, older: older.directory, newer: presentVersion, changes: 2, perSecond: 10 },
    });
    expect(report).toMatchObject({ violations: [], replaced: 6 });
    expect(report.delivered).toBeGreaterThan(20);
    expect(report.superseded).toBeGreaterThan(0);
    expect(report.dead).toBeGreaterThan(0);
  },
  180_000,
);
