// A name for a process that no other ever has, also after a restart: its id, when it started, and the boot. The agents use the same.
import { readFileSync, statSync } from 'node:fs';
import { uptime } from 'node:os';

const DAY_MS = 86_400_000;

export function toProcessName(pid: number): string {
  const boot = readOr0('/proc/sys/kernel/random/boot_id', (text) => text.slice(0, 8));
  // The program's name comes before the last bracket and may contain anything.
  const started = readOr0(`/proc/${pid}/stat`, (text) => text.slice(text.lastIndexOf(') ') + 2).split(' ')[19]);
  return `${pid}.${started}.${boot}`;
}

function readOr0(path: string, read: (text: string) => string | undefined): string {
  try {
    return read(readFileSync(path, 'utf8')) ?? '0';
  } catch {
    return '0';
  }
}

/**
 * Where the system does not say when processes started, an id may be another process's by now: what it left decides, if that is
 * older than a day or than the system's start.
 * @param trace a file of that process
 */
export function isAlive(name: string, trace: string): boolean {
  const pid = Number(name.split('.')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !exists(pid) || toProcessName(pid) !== name) return false;
  return !name.endsWith('.0.0') || isRecent(trace);
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isRecent(path: string): boolean {
  try {
    const ageMs = Date.now() - statSync(path).mtimeMs;
    return ageMs < Math.min(DAY_MS, uptime() * 1000);
  } catch {
    return false;
  }
}
