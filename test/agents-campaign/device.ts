// One device of the campaign: its directory, clock, disk and spool, and invocations of its agent.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import type { Call, CampaignAgent } from './agents.ts';

/** `code` is null for an invocation that was killed. */
export type Ended = { code: number | null; printed: string };

export type SpoolFile = { name: string; text: string; mode: number };

export type CampaignDevice = {
  deviceId: string;
  directory: string;
  /** Whether its disk can be filled; a user who cannot mount one has none. */
  hasOwnDisk: boolean;
  invoke: (call: Call, killAfterMs: number | null) => Promise<Ended>;
  setClock: (aheadS: number) => void;
  /** Makes each file of the spool as old as if it were of yesterday. */
  ageFiles: () => void;
  /** Null makes room again. */
  fillDisk: (freeBlocks: number | null) => void;
  /** A file for `add` with what a tool printed. */
  printedFile: (name: string, text: string) => string;
  files: () => SpoolFile[];
  directories: () => { name: string; mode: number }[];
  close: () => void;
};

type DeviceOptions = { agent: CampaignAgent; seed: number; groupKey: Buffer };

export function createCampaignDevice({ agent, seed, groupKey }: DeviceOptions): CampaignDevice {
  const deviceId = `campaign-${process.pid}-${seed}`;
  const directory = mkdtempSync(join(tmpdir(), 'runstate-agents-'));
  const [disk, programs, clock] = ['disk', 'programs', 'clock'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const spool = join(disk, 'spool');
  mkdirSync(disk);
  mkdirSync(programs);
  const hasOwnDisk = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).status === 0;
  writeFileSync(join(directory, 'key'), deriveDeviceKey(groupKey, deviceId).toString('base64'));
  // The sh agent takes its time from `date` and waits with `sleep`, the PowerShell agent from the file; a week passes in a minute.
  const replace = (program: string, script: string) =>
    writeFileSync(join(programs, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  replace('date', `exec /bin/date -d "@$(($(/bin/date +%s) + $(cat '${clock}')))" "$@"`);
  replace('sleep', 'exec /bin/sleep 0.05');
  writeFileSync(clock, '0');

  const list = () => readdirSync(spool, { recursive: true, withFileTypes: true });
  return {
    deviceId,
    directory,
    hasOwnDisk,
    setClock: (aheadS) => writeFileSync(clock, `${aheadS}`),
    ageFiles: () => {
      const atS = Date.now() / 1000 - 86_400;
      for (const entry of list()) if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), atS, atS);
    },
    fillDisk: (freeBlocks) => {
      const filling = join(disk, 'filling');
      rmSync(filling, { force: true });
      if (freeBlocks === null || !hasOwnDisk) return;
      const { bfree, bsize } = statfsSync(disk);
      writeFileSync(filling, Buffer.alloc(Math.max(0, bfree - freeBlocks) * bsize));
    },
    invoke: async ({ options, ...call }, killAfterMs) => {
      const own = { spool, 'device-id': deviceId, 'key-file': join(directory, 'key') };
      const { program, args } = agent.toCommand({ ...call, options: { ...options, ...own } });
      const child = spawn(program, args, {
        env: { PATH: `${programs}:${process.env['PATH'] ?? ''}`, CAMPAIGN_CLOCK: clock },
        // A group of its own: killing it takes everything it started.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const printed = Promise.all([text(child.stdout), text(child.stderr)]);
      const timer = killAfterMs === null ? null : setTimeout(() => killGroup(child.pid), killAfterMs * agent.slowness);
      const [code] = (await once(child, 'close')) as [number | null];
      if (timer) clearTimeout(timer);
      return { code, printed: (await printed).join('') };
    },
    printedFile: (name, printed) => {
      const file = join(directory, `printed-${name}`);
      writeFileSync(file, printed);
      return file;
    },
    files: () =>
      list()
        .filter((entry) => entry.isFile())
        .map((entry) => {
          const path = join(entry.parentPath, entry.name);
          const name = path.slice(spool.length + 1);
          return { name, text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o777 };
        }),
    directories: () => [
      { name: '', mode: statSync(spool).mode & 0o777 },
      ...list()
        .filter((entry) => entry.isDirectory())
        .map((entry) => ({ name: entry.name, mode: statSync(join(entry.parentPath, entry.name)).mode & 0o777 })),
    ],
    close: () => {
      if (hasOwnDisk) spawnSync('umount', [disk]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It had ended.
  }
}
