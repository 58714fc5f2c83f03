// `status`: how the bridge is – once, or live until Ctrl-C.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorFlags } from './operator.ts';
import { print } from './out.ts';
import { EXIT } from './exit.ts';
import { EXIT_OF, levelOf, readSituation, type Situation } from './situation.ts';
import { toLine, toScreen } from './status-text.ts';

export type StatusFlags = OperatorFlags & { json?: true; watch?: true };

const LOOK_EVERY_MS = 1000;
/** Cursor home, then everything below it gone: redraws without flicker. */
const REDRAW = '\u001B[H\u001B[J';
const CLEAR = '\u001B[2J';

/** Prints it and tells by the exit code; watching ends with Ctrl-C and 0. */
export async function showStatus(flags: StatusFlags): Promise<void> {
  if (flags.watch) {
    await watch(flags);
    process.exitCode = EXIT.ok;
    return;
  }
  const situation = await readSituation(flags);
  print(flags.json ? JSON.stringify(toJson(situation), null, 2) : toScreen(situation, flags.url));
  process.exitCode = EXIT_OF[levelOf(situation)];
}

async function watch(flags: StatusFlags): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    void once(process, signal, { signal: stopping.signal }).then(
      () => stopping.abort(),
      () => undefined,
    );
  }
  const live = process.stdout.isTTY && !flags.json;
  if (live) process.stdout.write(CLEAR);
  let told = '';
  while (!stopping.signal.aborted) {
    const situation = await readSituation(flags);
    if (live) {
      process.stdout.write(`${REDRAW}${toScreen(situation, flags.url)}\n\n${now()}, every second; Ctrl-C ends it.\n`);
    } else {
      const line = toLine(situation);
      if (line !== told) print(flags.json ? JSON.stringify({ at: now(), ...toJson(situation) }) : `${now()}  ${line}`);
      told = line;
    }
    await delay(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
  }
}

const now = () => new Date().toISOString();

function toJson(situation: Situation): object {
  const level = levelOf(situation);
  return situation.kind === 'away'
    ? { level, why: situation.why }
    : { level, readiness: situation.readiness, status: situation.status };
}
