// `device silent --expected FILE`: which devices of a list never reported, and which have been silent.
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { deviceIdSchema } from '../../../domain/submission/run-result.ts';
import { expectedDevicesSchema, type ExpectedDevicesView } from '../../../http/response/response-schemas.ts';
import { EXIT } from '../../exit.ts';
import { print, printJson } from '../../out.ts';
import { operate, OperatorError } from '../operator.ts';
import type { SilentFlags } from './reports.ts';

/** As many as the bridge takes in one question. */
const ASKED_AT_ONCE = 1000;
const FAULTS_SHOWN = 5;
/** The first line of a list that another tool wrote. */
const HEADING = /^(?:\w+ )*device[ _-]?(?:id|name)?$/i;

export async function findMissing(file: string, flags: SilentFlags): Promise<void> {
  if (flags.format !== undefined || flags.limit !== undefined) {
    throw new OperatorError('--expected goes with neither --format nor --limit', EXIT.usage);
  }
  const expected = parseExpected(await read(file), file);
  const missing: ExpectedDevicesView = { neverReported: [], silent: [] };
  for (let from = 0; from < expected.length; from += ASKED_AT_ONCE) {
    const deviceIds = expected.slice(from, from + ASKED_AT_ONCE);
    const found = await operate(flags, '/v1/devices/expected', {
      schema: expectedDevicesSchema,
      body: { deviceIds, hardwareConfigurationId: flags.configuration, silentForH: flags.for },
    });
    missing.neverReported.push(...found.neverReported);
    missing.silent.push(...found.silent);
  }
  if (flags.json) printJson(missing);
  else print(...toText(missing, expected.length, flags.for));
}

function toText({ neverReported, silent }: ExpectedDevicesView, expected: number, hours: number): string[] {
  return [
    `${neverReported.length} of ${expected} expected devices never reported${neverReported.length > 0 ? ':' : '.'}`,
    ...neverReported.map((deviceId) => `  ${deviceId}`),
    `${silent.length} reported before, but not within ${hours} h${silent.length > 0 ? ':' : '.'}`,
    ...silent.map(({ deviceId, reportedAt }) => `  ${deviceId}  ${reportedAt}`),
  ];
}

async function read(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new OperatorError(`${file} cannot be read: ${error instanceof Error ? error.message : ''}`, EXIT.usage);
  }
}

/**
 * One device id a line, or CSV with the id first; empty lines and those that begin with # are left out.
 * @throws OperatorError naming the lines that are no device id, or if there is none at all
 */
export function parseExpected(content: string, file: string): string[] {
  const cells = content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({ id: toFirstCell(line), line: index + 1 }))
    .filter(({ id, line }) => id !== '' && !id.startsWith('#') && !(line === 1 && HEADING.test(id)));
  const faults = cells.filter(({ id }) => !deviceIdSchema.safeParse(id).success);
  if (faults.length > 0) {
    const lines = faults.slice(0, FAULTS_SHOWN).map(({ line }) => line);
    const others = faults.length > FAULTS_SHOWN ? ` and ${faults.length - FAULTS_SHOWN} more` : '';
    throw new OperatorError(
      `${file}: no device id in line ${lines.join(', ')}${others}; it is 1 to 128 of A–Z a–z 0–9 . _ -`,
      EXIT.usage,
    );
  }
  if (cells.length === 0) throw new OperatorError(`${file} has no device id`, EXIT.usage);
  return [...new Set(cells.map(({ id }) => id))];
}

const toFirstCell = (line: string): string => (/^\s*"?([^",;\t]*)/.exec(line)?.[1] ?? '').trim();
