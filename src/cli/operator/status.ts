// `status`: shows the status of a bridge, once or live until Ctrl-C.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorFlags } from './operator.ts';
import { print, printJson, redraw } from '../out.ts';
import { EXIT } from '../exit.ts';
import { EXIT_OF, levelOf, readBridgeStatus, type BridgeStatus } from './bridge-status.ts';
import { toLine, toScreen } from './status-text.ts';

export type StatusFlags = OperatorFlags & { json?: true; watch?: true };

const LOOK_EVERY_MS = 1000;

/** Prints the status and sets the exit code; watching ends with Ctrl-C and code 0. */
export async function showStatus(flags: StatusFlags): Promise<void> {
  if (flags.watch) {
    await watch(flags);
    process.exitCode = EXIT.ok;
    return;
  }
  const bridge = await readBridgeStatus(flags);
  if (flags.json) printJson(toJson(bridge));
  else print(...toScreen(bridge, flags.url));
  process.exitCode = EXIT_OF[levelOf(bridge)];
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
  let lastLine: string | null = null;
  while (!stopping.signal.aborted) {
    const bridge = await readBridgeStatus(flags);
    const line = toLine(bridge);
    if (live) {
      const screen = toScreen(bridge, flags.url);
      redraw([...screen, '', `${now()}, every second; Ctrl-C ends it.`], lastLine === null);
    } else if (line !== lastLine) {
      if (flags.json) printJson({ at: now(), ...toJson(bridge) }, 0);
      else print(`${now()}  ${line}`);
    }
    lastLine = line;
    await delay(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
  }
}

const now = () => new Date().toISOString();

function toJson(bridge: BridgeStatus): object {
  const level = levelOf(bridge);
  return bridge.kind === 'answers'
    ? { level, readiness: bridge.readiness, status: bridge.status }
    : { level, why: bridge.why };
}
