// A device that reports with the package's own client: its directory with the spool, and what it told.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createReporter,
  openSpool,
  type Reporter,
  type ReporterEvent,
  type ReporterOptions,
  type SpoolOptions,
  type DeviceIdentity,
} from '../../src/device/package.ts';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { CONFIGURATION_ID, GROUP_KEY } from './device.ts';

export const RAN = { hardwareConfigurationId: CONFIGURATION_ID, policyVersion: 4, exitCode: 0 };

const keyOf = (deviceId: string) => deriveDeviceKey(Buffer.from(GROUP_KEY, 'base64'), deviceId).toString('base64');

type Options = Pick<SpoolOptions, 'maxAgeH' | 'maxMb'> &
  Partial<Pick<ReporterOptions, 'clock' | 'random' | 'wait' | 'ca' | 'proxy'>> & { identity?: DeviceIdentity };

export type ReportingDevice = {
  deviceId: string;
  deviceKey: string;
  directory: string;
  spool: string;
  events: ReporterEvent[];
  /** How long it would have waited, in seconds. */
  waitedS: number[];
  /** Closed with the device. */
  reporter: (url: string, options?: Options) => Promise<Reporter>;
  kept: () => string[];
  refused: () => string[];
  read: (name: string) => string;
  /** A process of its own that keeps one result and sends it. */
  startProcess: (url: string, runId: string) => { kill: () => boolean; ended: Promise<unknown> };
  close: () => Promise<void>;
};

let devices = 0;

export function createReportingDevice(): ReportingDevice {
  const deviceId = `NODE-${process.pid}-${++devices}`;
  const deviceKey = keyOf(deviceId);
  const directory = mkdtempSync(join(tmpdir(), 'runstate-reporter-'));
  const spool = join(directory, 'spool');
  const open: Reporter[] = [];
  const events: ReporterEvent[] = [];
  const waitedS: number[] = [];
  const results = (path: string) => readdirSync(path).filter((name) => name.endsWith('.json'));
  return {
    deviceId,
    deviceKey,
    directory,
    spool,
    events,
    waitedS,
    reporter: async (url, { maxAgeH = 720, maxMb = 50, clock = Date.now, identity, ...options } = {}) => {
      const reporter = createReporter({
        url,
        spool: await openSpool({ directory: spool, maxAgeH, maxMb, clock }),
        ...(identity ?? { deviceId, deviceKey }),
        clock,
        proxy: '',
        onEvent: (event) => void events.push(event),
        wait: (ms) => Promise.resolve(void waitedS.push(ms / 1000)),
        ...options,
      });
      open.push(reporter);
      return reporter;
    },
    kept: () => results(spool),
    refused: () => results(join(spool, 'refused')),
    read: (name) => readFileSync(join(spool, name), 'utf8'),
    startProcess: (url, runId) => {
      const program = `
        import { createReporter, openSpool } from '${new URL('../../src/device/package.ts', import.meta.url).href}';
        const [url, directory, deviceId, deviceKey, run] = process.argv.slice(1);
        const reporter = createReporter({ url, spool: await openSpool({ directory }), deviceId, deviceKey });
        await reporter.add(JSON.parse(run));
        await reporter.send({ waits: false });
        await reporter.close();`;
      const run = JSON.stringify({ ...RAN, runId });
      const args = ['--input-type=module', '-e', program, url, spool, deviceId, deviceKey, run];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      return { kill: () => child.kill('SIGKILL'), ended: once(child, 'close') };
    },
    close: async () => {
      await Promise.all(open.map((reporter) => reporter.close()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
