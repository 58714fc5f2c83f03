// Reports runs for one device: keeps each in a spool, signs it, and sends it until the bridge has stored it.
import { readFileSync } from 'node:fs';
import { hostname, release, type } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkIdentity, type DeviceIdentity } from './identity.ts';
import { toRunResult, type ReportedRun } from './reported-run.ts';
import { connect, type ConnectionOptions } from './sending/connect.ts';
import { createPost } from './sending/post.ts';
import { sendKept } from './sending/send-kept.ts';
import { decideTurn } from './sending/wait.ts';
import type { Spool } from './spool/spool.ts';

/** All that a reporter tells while it works. */
export type ReporterEvent =
  | { type: 'stored'; runId: string; deliveryId: string; duplicate: boolean }
  /** For good: it is in `refused` in the spool, with the answer beside it. */
  | { type: 'refused'; runId: string; code: string; file: string }
  /** Older than the spool's age, or beyond its size. */
  | { type: 'dropped'; file: string }
  | { type: 'kept'; reason: string; retryAt: Date }
  /** By how much the server's clock is ahead; requests are signed with its time. */
  | { type: 'clock-differs'; byS: number };

export type ReporterOptions = {
  /** The bridge, with its base path if it has one. */
  url: string;
  spool: Spool;
  /** The device's tenant, where the bridge serves several. */
  tenant?: string;
  /** Without it, the host's name. */
  deviceName?: string;
  osVersion?: string;
  onEvent?: (event: ReporterEvent) => void;
  clock?: () => number;
  /** A number in [0, 1), like Math.random. */
  random?: () => number;
  /** Replaces the timer. */
  wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
} & DeviceIdentity &
  ConnectionOptions;

export type SendOptions = {
  /** False sends at once, also after failures; `Retry-After` is obeyed all the same. */
  waits?: boolean;
  signal?: AbortSignal;
};

export type SendSummary = {
  /** How many wait. 0: everything is stored, or refused for good. */
  left: number;
  stored: number;
  refused: number;
  /** Null if nothing is left, or if another process sends from this spool. */
  retryAt: Date | null;
};

export type Reporter = {
  deviceId: string;
  /**
   * Keeps a run; once this resolves it is on the disk.
   * @returns the run's id
   * @throws InvalidRun if the bridge would never accept it, or the file system's error if it cannot be written
   */
  add: (run: ReportedRun) => Promise<string>;
  /** Sends what is kept, once: it ends when nothing is left or the bridge cannot take it now. Rejects if the signal aborts. */
  send: (options?: SendOptions) => Promise<SendSummary>;
  /** Sends until nothing is left, waiting in between as long as it takes. Rejects if the signal aborts. */
  sendAll: (options?: SendOptions) => Promise<SendSummary>;
  close: () => Promise<void>;
};

const REQUEST_TIMEOUT_MS = 120_000;
const LOCK_TRIES = 6;
/** While another process sends. */
const LOOK_AGAIN_MS = 60_000;

/** @throws TypeError if the URL or the identity cannot be used */
export function createReporter(options: ReporterOptions): Reporter {
  const { spool, tenant, onEvent = () => undefined, clock = Date.now, random = Math.random } = options;
  const wait = options.wait ?? ((ms, signal) => sleep(ms, undefined, signal && { signal }));
  const baseUrl = checkUrl(options.url);
  const identity = checkIdentity(options);
  const deviceName = options.deviceName ?? hostname();
  const osVersion = options.osVersion ?? readOsVersion();
  const connection = connect(options);

  async function sendHolding({ waits = true, signal }: SendOptions): Promise<SendSummary> {
    const counts = { stored: 0, refused: 0 };
    const notBefore = await spool.notBefore.read();
    const turn = decideTurn(notBefore, { nowS: clock() / 1000, waits, random });
    if (turn.kind === 'not-yet') {
      return { left: await spool.count(), ...counts, retryAt: new Date(notBefore.atS * 1000) };
    }
    if (turn.afterS > 0) await wait(turn.afterS * 1000, signal);
    const device = { baseUrl, ...identity, ...(tenant !== undefined && { tenant }), ...(signal && { signal }) };
    const post = createPost(
      { ...device, fetch: connection.fetch, now: clock, requestTimeoutMs: REQUEST_TIMEOUT_MS },
      (byS) => onEvent({ type: 'clock-differs', byS }),
    );
    const events = {
      stored: (runId: string, deliveryId: string, duplicate: boolean) => {
        counts.stored += 1;
        onEvent({ type: 'stored', runId, deliveryId, duplicate });
      },
      refused: (runId: string, code: string, file: string) => {
        counts.refused += 1;
        onEvent({ type: 'refused', runId, code, file });
      },
    };
    const stopped = await sendKept({ spool, post, events, clock, random }, notBefore.backoffS);
    const retryAt = stopped ? new Date(stopped.notBefore.atS * 1000) : null;
    if (stopped && retryAt) onEvent({ type: 'kept', reason: stopped.reason, retryAt });
    return { left: await spool.count(), ...counts, retryAt };
  }

  async function send(given: SendOptions = {}): Promise<SendSummary> {
    for (const file of await spool.prune()) onEvent({ type: 'dropped', file });
    const nothing = { stored: 0, refused: 0, retryAt: null };
    for (let tries = 0; tries < LOCK_TRIES; tries += 1) {
      const left = await spool.count();
      if (left === 0) return { left, ...nothing };
      const release = await spool.lock();
      if (release) return await sendHolding(given).finally(release);
      await wait(1000 + random() * 1000, given.signal);
    }
    return { left: await spool.count(), ...nothing };
  }

  return {
    deviceId: identity.deviceId,
    add: async (run) => {
      const defaults = { deviceId: identity.deviceId, deviceName, osVersion, nowMs: clock() };
      const { runId, line } = toRunResult(run, defaults);
      await spool.keep(runId, line);
      return runId;
    },
    send,
    sendAll: async (given = {}) => {
      const all = { stored: 0, refused: 0 };
      for (;;) {
        const { left, stored, refused, retryAt } = await send(given);
        all.stored += stored;
        all.refused += refused;
        if (left === 0) return { left, ...all, retryAt };
        await wait(retryAt ? Math.max(0, retryAt.getTime() - clock()) : LOOK_AGAIN_MS, given.signal);
      }
    },
    close: async () => {
      await connection.close();
      await spool.close();
    },
  };
}

function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new TypeError('the url must say where the bridge is, with http:// or https:// and no query');
  }
  return url.href;
}

/** As the system calls itself; what is longer than Graph takes is cut. */
function readOsVersion(): string {
  let name: string | undefined;
  try {
    name = /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    // Not a Linux.
  }
  return (name ?? `${type()} ${release()}`).slice(0, 64);
}
