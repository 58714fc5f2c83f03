// Splits the machine: the server alone on the first core, everything else on the second; and measures the use of each.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { freePort } from '../../test/support/free-port.ts';

export type Service = { port: number; pid: number; stop: () => Promise<void> };

/** The unit of /proc/PID/stat. */
const TICK_US = 10_000;

/** Idle threshold as a share of one core, and how long to wait for it. */
const CALM_SHARE = 0.3;
const CALM_WITHIN_MS = 10_000;

/** Moves this process and all its children to the second core. @returns whether cores can be chosen */
export function leaveFirstCore(): boolean {
  if (availableParallelism() < 2) return false;
  try {
    execFileSync('taskset', ['-a', '-cp', '1', String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Starts a service on the first core, discards its log, and waits until it listens. */
export async function startService(
  main: string,
  environment: Record<string, string>,
  pinned: boolean,
): Promise<Service> {
  const port = await freePort();
  const flags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
  const command = [...(pinned ? ['taskset', '-c', '0'] : []), process.execPath, ...flags, main];
  const child: ChildProcess = spawn(command[0] ?? '', command.slice(1), {
    env: {
      ...{ PATH: process.env['PATH'], NODE_ENV: 'production', HOST: '127.0.0.1' },
      ...{ PORT: String(port), WORKER_PORT: String(port), ...environment },
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`${main} ended with ${child.exitCode}`);
    await delay(50);
  }
  return {
    port,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(forced);
    },
  };
}

/** Processor time used so far by a process and by those it started and that still run. */
export function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const own = (Number(fields[11]) + Number(fields[12])) * TICK_US;
  return childrenOf(pid).reduce((sum, child) => sum + cpuUs(child), own);
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** Processor time used by the whole machine so far, all but idle time. */
export function machineCpuUs(): number {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = ticks;
  return (user + nice + system + irq + softirq + steal) * TICK_US;
}

/** Waits, for a limited time, for a second in which the machine is nearly idle. */
export async function untilCalm(): Promise<void> {
  const giveUpAt = performance.now() + CALM_WITHIN_MS;
  while (performance.now() < giveUpAt) {
    const before = machineCpuUs();
    await delay(1000);
    if (machineCpuUs() - before < CALM_SHARE * 1e6) return;
  }
}

/** Of a process and those it started. */
export function rssBytes(pid: number): number {
  const own = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  return childrenOf(pid).reduce((sum, child) => sum + rssBytes(child), own);
}

export async function redisUsed(redis: Redis): Promise<{ cpuUs: number; bytes: number }> {
  const info = await redis.info();
  const read = (field: string) => Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return { cpuUs: (read('used_cpu_user') + read('used_cpu_sys')) * 1e6, bytes: read('used_memory') };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
