// `report --spool`: keeps the run result first, and sends everything that is kept.
import { createReporter, InvalidRun, openSpool } from '../device/package.ts';
import type { ReportedRun, Reporter, ReporterEvent } from '../device/package.ts';
import type { DeviceClientOptions } from '../device/device-client.ts';
import { EXIT } from './exit.ts';
import { printError, printJson } from './out.ts';

export type SpooledReport = {
  runResult: object;
  device: DeviceClientOptions;
  directory: string;
  retryForMs: number;
  /** Waits for the delivery's end, if that was asked for; returns the exit code. */
  whenStored: (deliveryId: string) => Promise<number>;
};

export async function reportSpooled({ runResult, device, directory, ...how }: SpooledReport): Promise<number> {
  const events: ReporterEvent[] = [];
  const onEvent = (event: ReporterEvent) => {
    events.push(event);
    const text = describe(event);
    if (text !== null) printError(text);
  };
  const spool = await openSpool({ directory }).catch((error: unknown) => cannotWrite(directory, error));
  if (typeof spool === 'number') return spool;
  const reporter = createReporter({ ...device, url: device.baseUrl, spool, onEvent });
  try {
    const runId = await reporter.add(runResult as ReportedRun);
    const left = await send(reporter, how.retryForMs);
    if (events.some(({ type }) => type === 'refused')) return EXIT.refused;
    const own = events.find((event) => event.type === 'stored' && event.runId === runId);
    if (own?.type !== 'stored') return EXIT.later;
    printJson({ deliveryId: own.deliveryId, runId, duplicate: own.duplicate });
    const code = await how.whenStored(own.deliveryId);
    return left === 0 ? code : EXIT.later;
  } catch (error) {
    if (!(error instanceof InvalidRun)) return cannotWrite(directory, error);
    printError(error.message);
    return EXIT.refused;
  } finally {
    await reporter.close();
  }
}

/** @returns how many are left */
async function send(reporter: Reporter, retryForMs: number): Promise<number> {
  if (retryForMs === 0) return (await reporter.send({ waits: false })).left;
  const signal = AbortSignal.timeout(retryForMs);
  try {
    return (await reporter.sendAll({ waits: false, signal })).left;
  } catch (error) {
    if (!signal.aborted) throw error;
    return 1;
  }
}

function cannotWrite(directory: string, error: unknown): number {
  if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  printError(`cannot write the spool ${directory}: ${(error as Error).message}`);
  return EXIT.spool;
}

function describe(event: ReporterEvent): string | null {
  switch (event.type) {
    case 'stored':
      return null;
    case 'refused':
      return `refused for good: ${event.code}, see refused/${event.file}.answer in the spool`;
    case 'dropped':
      return `dropped ${event.file}: too old, or beyond the spool's size`;
    case 'kept':
      return `kept, to be sent later: ${event.reason}`;
    case 'clock-differs':
      return `the clock differs from the server's by ${event.byS} s`;
  }
}
