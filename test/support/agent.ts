// Runs the agent for devices, src/agent/report-run.sh, as a process under each shell that is installed, and its bridge.
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { OPERATOR_TOKEN, startListeningApp, type TestAppOptions } from './app.ts';
import { CONFIGURATION_ID, GROUP_KEY } from './device.ts';
import { startTestRedis } from './redis.ts';
import { readRecord } from './stored.ts';

export const AGENT = 'src/agent/report-run.sh';

/** Whether a program is on the PATH. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
}

/** How each shell is called; tests of a missing one are skipped by name. */
export const SHELLS: { shell: string; command: string[]; isMissing: boolean }[] = [
  ['dash'],
  ['bash', '--posix'],
  ['busybox', 'sh'],
].map((command) => {
  const isMissing = command.slice(0, 1).some((program) => !isInstalled(program));
  const shell = command.join(' ');
  return { shell: isMissing ? `${shell} – skipped, it is not installed` : shell, command, isMissing };
});

/** For what does not depend on the shell. */
export const ONE_SHELL = SHELLS.find(({ isMissing }) => !isMissing)?.command ?? ['sh'];

export type Ran = { code: number | null; stdout: string; stderr: string };

/** One device: its directory with key and spool, removed by `close`. */
export type AgentDevice = {
  deviceId: string;
  directory: string;
  spool: string;
  /** Options of this device against a bridge. */
  options: (url: string) => string[];
  start: (args: string[], given?: Given) => { ended: Promise<Ran>; kill: () => boolean };
  run: (args: string[], given?: Given) => Promise<Ran>;
  /** Names of the results that wait. */
  kept: () => string[];
  refused: () => string[];
  /** Puts a program before those of the machine: its text, run by sh. */
  replace: (program: string, script: string) => void;
  close: () => void;
};

type Given = { input?: string | Buffer };

let devices = 0;

/** @param command what runs the agent's file */
export function createAgentDevice(command: string[], agent = AGENT): AgentDevice {
  const deviceId = `LAPTOP-${process.pid}-${++devices}`;
  const directory = mkdtempSync(join(tmpdir(), 'runstate-agent-'));
  const programs = join(directory, 'programs');
  const spool = join(directory, 'spool');
  const key = createHmac('sha256', Buffer.from(GROUP_KEY, 'base64')).update(deviceId).digest('base64');
  mkdirSync(programs);
  writeFileSync(join(directory, 'key'), `${key}\n`);
  const results = (path: string) => {
    try {
      return readdirSync(path).filter((name) => name.endsWith('.json'));
    } catch {
      return [];
    }
  };
  const start = (args: string[], { input = '' }: Given = {}) => {
    const [shell = 'sh', ...own] = command;
    const child = spawn(shell, [...own, agent, ...args], {
      env: { PATH: `${programs}:${process.env['PATH'] ?? ''}` },
      // A group of its own, so that killing it is like pulling the plug: its curl goes too.
      detached: true,
    });
    child.stdin.on('error', () => undefined).end(input);
    const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
    const ended = once(child, 'close').then(async ([code]): Promise<Ran> => ({
      code: code as number | null,
      stdout: await stdout,
      stderr: await stderr,
    }));
    return { ended, kill: () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL') };
  };
  return {
    deviceId,
    directory,
    spool,
    options: (url) => ['--url', url, '--spool', spool, '--device-id', deviceId, '--key-file', join(directory, 'key')],
    start,
    run: (args, given) => start(args, given).ended,
    kept: () => results(spool),
    refused: () => results(join(spool, 'refused')),
    replace: (program, script) => writeFileSync(join(programs, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 }),
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Options that describe a run. */
export const RUN = ['--configuration', CONFIGURATION_ID, '--policy-version', '4'];

export type AgentBridge = {
  url: string;
  port: number;
  /** The run results of a device as stored. */
  stored: (deviceId: string) => Promise<Record<string, unknown>[]>;
  /** As an operator, on a device. */
  operate: (deviceId: string, action: 'revoke' | 'restore') => Promise<void>;
  close: () => Promise<void>;
};

export async function startAgentBridge(options?: TestAppOptions): Promise<AgentBridge> {
  const redis = await startTestRedis();
  const world = await startListeningApp(redis, options);
  const url = world.tls ? `https://localhost:${world.port}` : `http://127.0.0.1:${world.port}`;
  return {
    url,
    port: world.port,
    stored: async (deviceId) => {
      const keys = await redis.client.keys(`runstate:{default}:d${'?'.repeat(22)}`);
      const records = await Promise.all(keys.map((key) => readRecord(redis.client, key.replace(/.*:/, ''))));
      return records.flatMap((record) => (record?.run?.['deviceId'] === deviceId ? [record.run] : []));
    },
    operate: async (deviceId, action) => {
      const headers = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
      const answer = await fetch(`${url}/v1/devices/${deviceId}/${action}`, { method: 'POST', headers });
      if (!answer.ok) throw new Error(`${action}: ${answer.status}`);
    },
    close: async () => {
      await world.close();
      await redis.close();
    },
  };
}

/** Something else than a bridge at its address; `answer` may be replaced. */
export async function startStranger(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const stranger = { answer, asked: 0 };
  const server = createServer((request, response) => {
    stranger.asked += 1;
    request.resume();
    stranger.answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(stranger, {
    url,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}
