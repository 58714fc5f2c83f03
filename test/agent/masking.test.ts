// Passwords in what a tool printed: masked by the sh agent as by the service, before anything of a result is kept.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAgentDevice, ONE_SHELL, RUN, type AgentDevice } from '../support/agent.ts';
import { AWKS, toTexts } from '../support/agent-text.ts';
import { until } from '../support/until.ts';
import { ENCODINGS, MASKING } from '../support/vectors.ts';

const NOWHERE = 'http://127.0.0.1:9';
const SECRET = 'Geheim-2026';

/** Control characters are left out after masking. */
// eslint-disable-next-line no-control-regex -- these are what is left out
const LEFT_OUT = /^\ufeff|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
const clean = (text: string) => text.replaceAll(LEFT_OUT, '').toWellFormed();

/** Has all vectors; the others have some, since starting an awk for each takes its time. */
const ONE_AWK = AWKS.find(({ isMissing }) => !isMissing)?.command;

describe.each(AWKS)('$awk', ({ command, isMissing }) => {
  test.skipIf(isMissing)('texts · are masked · as the service masks them', { timeout: 60_000 }, () => {
    const vectors = command === ONE_AWK ? MASKING : MASKING.filter((_vector, index) => index % 8 === 0);
    const texts = toTexts(
      command,
      vectors.map(({ input }) => input.toWellFormed()),
    );
    expect(vectors.map(({ name }, index) => [name, texts[index]])).toEqual(
      vectors.map(({ name, output }) => [name, clean(output)]),
    );
  });

  test.skipIf(isMissing)('printed bytes · become · clean text', { timeout: 60_000 }, () => {
    const printed = ENCODINGS.texts
      .filter(({ name, codePage }) => codePage === undefined && !/UTF-16 .* with a byte/.test(name))
      .filter(({ name }) => !name.startsWith('UTF-16 with'));
    const texts = toTexts(
      command,
      printed.map(({ bytes }) => Buffer.from(bytes, 'base64')),
    );
    expect(printed.map(({ name }, index) => [name, texts[index]])).toEqual(
      printed.map(({ name, text }) => [name, text]),
    );
  });
});

/** Pieces that a search could be made to read again and again. */
const HOSTILE = [
  'a',
  ' ',
  '"',
  '\\',
  '--setuppwd ',
  'password=    ',
  '-Password @(',
  'psexec -p ',
  '%41',
  '\u001b[',
  'YWJj',
];

test('48 KiB of anything · are masked · within seconds', { timeout: 60_000 }, () => {
  const texts = HOSTILE.map((piece) => `${piece.repeat(49_152 / piece.length)}\n--setuppwd=${SECRET}\n`);
  const begun = performance.now();
  const masked = toTexts('awk', texts);
  expect(performance.now() - begun).toBeLessThan(HOSTILE.length * 2000);
  expect(masked.filter((text) => text.includes(SECRET))).toEqual([]);
});

describe('the agent', { timeout: 60_000 }, () => {
  let device: AgentDevice;
  beforeEach(() => (device = createAgentDevice(ONE_SHELL)));
  afterEach(() => device.close());

  const keptText = () => device.kept().map((name) => readFileSync(join(device.spool, name), 'utf8'));
  const isAnywhere = (text: string) =>
    readdirSync(device.spool, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.json$|(output|error)(\.(head|before|tail))?$/.test(name))
      .some((name) => readFileSync(join(device.spool, name), 'latin1').includes(text));

  test('a password that a tool prints · is nowhere in the spool · nor in what is cut', async () => {
    const file = join(device.directory, 'printed');
    // Once where the head ends, once where the tail begins.
    const fill = 'x\n'.repeat(20_000);
    const atHead = `${fill.slice(0, 24_576 - 14)}--setuppwd=${SECRET}\n`;
    const atTail = `-NewPassword \`\n  ${SECRET}`;
    writeFileSync(file, `${atHead}${fill}${fill}${atTail}${fill.slice(0, 24_576 - 5)}`);
    const script = `cat '${file}'; echo "SetBiosPassword('pap,${SECRET},n3w-Secret,ascii,us')" >&2; exit 3`;
    const ran = await device.run(['run', ...device.options(NOWHERE), ...RUN, '--no-wait', '--', 'sh', '-c', script]);
    expect(ran.code).toBe(75);
    const [kept = ''] = keptText();
    const { output, error } = JSON.parse(kept) as { output: string; error: string };
    expect(error).toBe("SetBiosPassword('pap,[masked],[masked],ascii,us')\n");
    expect(output).toMatch(/\n--setuppwd=\[masked\]\n\[\.\.\. \d+ bytes left out \.\.\.\]\n/);
    expect(kept).not.toMatch(/Geh|eim|2026"/);
    expect(isAnywhere(SECRET)).toBe(false);
  });

  test('an agent that is killed while its command runs · leaves raw output · until the next starts', async () => {
    const script = `echo "cctk --setuppwd=${SECRET}"; exec sleep 60`;
    const { kill, ended } = device.start(['run', ...device.options(NOWHERE), ...RUN, '--', 'sh', '-c', script]);
    await until('the command prints', () => existsSync(device.spool) && isAnywhere(SECRET), 20_000);
    kill();
    await ended;
    expect(isAnywhere(SECRET)).toBe(true);
    expect((await device.run(['send', ...device.options(NOWHERE)])).code).toBe(0);
    expect(readdirSync(device.spool)).toEqual(['refused']);
  });
});
