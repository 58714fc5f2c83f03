// What a tool printed becomes short by masking after its middle had to be left out: that is said all the same.
import { expect, test } from 'vitest';
import { toReportedText } from '../../src/device/text/reported-text.ts';

test('a megabyte of long passwords · is short once they are masked · and says what is left out', () => {
  const text = toReportedText(`cctk --setuppwd=${'x'.repeat(2000)}\n`.repeat(600));
  expect(text.length).toBeLessThan(49_152);
  expect(text).toMatch(/^cctk --setuppwd=\[masked\]\n[^]*\n\[\.\.\. \d{6} bytes left out \.\.\.\]\n[^]*\[masked\]\n$/);
});
