// SPOOL/not-before: an instant, the backoff of the latest failure, and who chose the instant. Kept in a file, so that a restart forgets nothing.
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_FAILURE, type NotBefore } from '../sending/wait.ts';
import { writeSynced } from './write-synced.ts';

const FORM = /^(\d{1,10}) (\d{1,10})(?: (agent|server))?\s*$/;
const FILE = 'not-before';

export async function readNotBefore(directory: string): Promise<NotBefore> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => '');
  const [, at, backoff, chosenBy] = FORM.exec(text) ?? [];
  if (at === undefined) return NO_FAILURE;
  return { atS: Number(at), backoffS: Number(backoff), chosenBy: chosenBy === 'server' ? 'server' : 'agent' };
}

/** @param work where it is written before it is moved to its place */
export async function writeNotBefore(directory: string, work: string, notBefore: NotBefore): Promise<void> {
  const { atS, backoffS, chosenBy } = notBefore;
  await writeSynced(join(work, FILE), `${atS} ${backoffS} ${chosenBy}\n`);
  await rename(join(work, FILE), join(directory, FILE));
}

export async function forgetNotBefore(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true });
}
