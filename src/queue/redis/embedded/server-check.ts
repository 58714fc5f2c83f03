// Checks a directory's server: it is ready, must be waited for, or must be started by the process that gets its lock.
import { closeSync } from 'node:fs';
import { CannotStart } from '../../../config/cannot-start.ts';
import { socketPath } from './directory.ts';
import { probe, type Presence } from './probe.ts';
import { logPath, serverLockPath, startServer, type Server } from './server.ts';
import { openLockFile, tryLock, type FileLockProgram } from './file-lock.ts';

/** Backoff between restarts of a server that keeps exiting; it is reset once one stayed up for `forgottenMs`. */
const RESTART = { firstMs: 200, longestMs: 10_000, forgottenMs: 30_000 };

export type ServerCheck = {
  /**
   * Starts the server if there is none.
   * @returns what must still be waited for, in words; null if it is ready
   * @throws CannotStart if the server we started exited by itself
   */
  startIfMissing: () => Promise<string | null>;
  /** Only checks, without starting anything. */
  explain: () => Promise<string | null>;
};

export function createServerCheck(directory: string, lockProgram: FileLockProgram): ServerCheck {
  const socket = socketPath(directory);
  let own: Server | null = null;
  let failure: string | null = null;
  let restarts = 0;
  let startedAt = -Infinity;
  let notBefore = -Infinity;

  async function startIfMissing(): Promise<string | null> {
    const presence = await probe(socket);
    if (presence.kind === 'ready') failure = null;
    if (presence.kind !== 'nobody') return describePresence(presence);
    if (own?.state() === 'lives') return STARTING;
    if (own) await bury(own);
    if (performance.now() < notBefore) return describeNobody();
    return (await startUnlessHeld()) ? STARTING : ELSEWHERE;
  }

  async function startUnlessHeld(): Promise<boolean> {
    const lock = openLockFile(serverLockPath(directory));
    try {
      if (!(await tryLock(lock, 'exclusive', lockProgram))) return false;
      // A server started without the lock, by another version of this program, counts as well.
      if ((await probe(socket)).kind !== 'nobody') return false;
      own = await startServer(directory, lock, lockProgram);
    } finally {
      closeSync(lock);
    }
    const now = performance.now();
    restarts = now - startedAt < RESTART.forgottenMs ? restarts + 1 : 0;
    startedAt = now;
    notBefore = now + Math.min(RESTART.firstMs * 2 ** restarts, RESTART.longestMs);
    return true;
  }

  async function bury(server: Server): Promise<void> {
    own = null;
    const complaint = await server.complaint();
    failure = `it ended, and said last: ${complaint}`;
    if (server.state() === 'killed') return;
    throw new CannotStart(
      `${server.binary} does not come up; its log is ${logPath(directory)}, and says last: ${complaint}`,
    );
  }

  const describeNobody = () =>
    failure === null ? STARTING : `the embedded redis-server to be started again: ${failure}`;

  return {
    startIfMissing,
    explain: async () => {
      const presence = await probe(socket);
      return presence.kind === 'nobody' ? describeNobody() : describePresence(presence);
    },
  };
}

const STARTING = 'the embedded redis-server to listen';
const ELSEWHERE = 'the embedded redis-server of another process to listen, or to end';

/** What an answer is waiting for, in words; null if Redis answers. */
export function describePresence(presence: Exclude<Presence, { kind: 'nobody' }>): string | null {
  switch (presence.kind) {
    case 'ready':
      return null;
    case 'loading':
      return `the embedded redis-server to load its files${presence.percent === null ? '' : `, ${presence.percent} % so far`}`;
    case 'busy':
      return 'the embedded redis-server to end a script';
    case 'silent':
      return 'the embedded redis-server to answer: it lives, but is stopped or waits for its disk';
  }
}
