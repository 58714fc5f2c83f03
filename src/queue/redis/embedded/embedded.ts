// Embedded Redis: our own redis-server on a socket under DATA_DIR, one per directory, shared by its users, stopped with the last.
import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { claimDirectory, socketPath } from './directory.ts';
import { createServerCheck } from './server-check.ts';
import { shutDown } from './probe.ts';
import { usersLockPath } from './server.ts';
import { findFileLockProgram, openLockFile, tryLock } from './file-lock.ts';

/** How long start-up waits for Redis to answer; after that it continues, and callers get the reason. */
const START_WAITS_MS = 5000;
const POLL_MS = { first: 20, longest: 500 };
/** A long wait is reported repeatedly. */
const REPORTED = { afterMs: 1000, everyMs: 10_000 };
const SHUTDOWN_WITHIN_MS = 2000;

export type EmbeddedRedis = {
  /** Restarts the server if it is gone, and waits until it answers, however long that takes. */
  ensure: () => Promise<void>;
  /** What an answer is waiting for, in words; null if Redis answers. */
  explain: () => Promise<string | null>;
  /** Stops the server unless another process still uses it. */
  close: () => Promise<void>;
};

export type OnWait = (waitingFor: string, waitedMs: number) => void;

/**
 * Starts the embedded Redis of a directory, or joins the running one. Every write is fsynced before its reply.
 *
 * There is never more than one server per directory. It holds the directory's lock while it runs, and the kernel releases
 * the lock, so the process that gets it knows that there is no server. Timeouts would prove nothing: a server may be
 * stopped, wait for its disk, or load its files for minutes. Each process that uses the server also holds a shared lock;
 * once the kernel has released the last one, the server is stopped, so killed processes leave none behind.
 * @param onWait called with the reason while waiting
 * @throws CannotStart with a single-line message if it cannot run here
 */
export async function startEmbeddedRedis(directory: string, onWait: OnWait = () => undefined): Promise<EmbeddedRedis> {
  const path = claimDirectory(directory);
  const lockProgram = await findFileLockProgram();
  const users = openLockFile(usersLockPath(path));
  const { startIfMissing, explain } = createServerCheck(path, lockProgram);
  const closing = new AbortController();
  let ensuring: Promise<void> | null = null;

  async function untilReady(): Promise<void> {
    const wait = createWait(onWait, closing.signal);
    while (!(await tryLock(users, 'shared', lockProgram)))
      await wait('the embedded redis-server to end, which others left');
    for (let waitingFor = await startIfMissing(); waitingFor !== null; waitingFor = await startIfMissing())
      await wait(waitingFor);
  }
  const ensure = () =>
    (ensuring ??= untilReady()
      .catch((error: unknown) => {
        if (!closing.signal.aborted) throw error;
      })
      .finally(() => (ensuring = null)));

  const started = ensure();
  started.catch(() => undefined);
  try {
    await Promise.race([started, delay(START_WAITS_MS, undefined, { ref: false })]);
  } catch (error) {
    closeSync(users);
    throw error;
  }

  async function leave(): Promise<void> {
    closing.abort();
    await ensuring?.catch(() => undefined);
    // The last user stops it. If it does not react, it is stopped once the file is closed.
    if (await tryLock(users, 'exclusive', lockProgram)) await shutDown(socketPath(path), SHUTDOWN_WITHIN_MS);
    closeSync(users);
  }
  let leaving: Promise<void> | null = null;
  return { ensure, explain, close: () => (leaving ??= leave()) };
}

/** Creates a wait with growing intervals that reports its reason now and then. */
function createWait(tell: OnWait, signal: AbortSignal): (waitingFor: string) => Promise<void> {
  const since = performance.now();
  let pollMs = POLL_MS.first;
  let reported = { what: '', at: since };
  return async (waitingFor) => {
    const now = performance.now();
    const what = waitingFor.replaceAll(/\d+/g, '');
    const isNews = now - since > REPORTED.afterMs && (what !== reported.what || now - reported.at > REPORTED.everyMs);
    if (isNews) {
      reported = { what, at: now };
      tell(waitingFor, Math.round(now - since));
    }
    await delay(pollMs, undefined, { signal });
    pollMs = Math.min(pollMs * 1.5, POLL_MS.longest);
  };
}
