// Announces what operators must know: notices changes, queues messages and sends them, all of it together with the other processes.
import type { RedisConnection } from '../redis/connection.ts';
import { createAnnouncementKeys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';
import { createAnnouncedStore } from './announced.ts';
import type { AnnouncementEvents } from './announcement-events.ts';
import { createReadFacts, type ReportedTenant } from './facts.ts';
import { COLLECT_MS, openOutbox } from './outbox.ts';
import { createReporter } from './reporter.ts';
import { createSender, type Send } from './sender.ts';

export type Announcer = {
  /** Something about this tenant may have changed: looks soon, rather than with the next round. */
  notice: (tenantId: string) => void;
  close: () => Promise<void>;
};

export type AnnouncerParts = {
  /** One whose commands wait for Redis to come back. */
  redis: RedisConnection;
  prefix: string;
  tenants: () => readonly ReportedTenant[];
  /** Whether this process accepts submissions, and so knows of the backlog. */
  accepts: boolean;
  send: Send;
  events: AnnouncementEvents;
  clock: () => number;
  random: () => number;
};

const ROUND_EVERY_MS = 500;
/** One process looks at all tenants this often; whichever comes first, so the death of one delays nothing. */
const TURN_MS = 1000;
/** Changes come in bursts, and one look sees them all. */
const NOTICED_AFTER_MS = 100;
const SERVICE_EVERY_MS = 10_000;
/** When what was just noted has been collected. */
const QUEUED_AFTER_MS = COLLECT_MS + 50;

export function openAnnouncer(parts: AnnouncerParts): Announcer {
  const { redis, events } = parts;
  const keys = createAnnouncementKeys(parts.prefix);
  const outbox = openOutbox(redis, keys, events.redisTrouble);
  const beginRound = scriptOf(redis, 'announcements/begin-round');
  const reporter = createReporter({
    ...parts,
    announced: createAnnouncedStore(redis, keys),
    readFacts: createReadFacts(redis),
  });
  const sender = createSender({ ...parts, keys, queue: outbox.queue });
  const noticed = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  let running: Promise<void> = Promise.resolve();
  let isRoundDue = true;
  let lookedAtServiceAt = -Infinity;

  /** One at a time; while Redis is not connected nothing is known. */
  function run(work: () => Promise<void>): Promise<void> {
    running = running.then(async () => {
      if (redis.status !== 'ready') return;
      await work().catch((error: unknown) =>
        events.redisTrouble(error instanceof Error ? error : new Error('announcing failed')),
      );
    });
    return running;
  }

  async function round(): Promise<void> {
    // A process that is still opening its tenants leaves the turn to others.
    if (parts.tenants().length === 0) return;
    const args = [TURN_MS, parts.accepts ? 1 : 0];
    const reply = await beginRound([keys.turn, keys.backlogTurn, keys.pending], args);
    const [turn, backlogTurn, waiting] = reply as [number, number, number];
    if (turn === 1) await lookAtAll();
    else if (backlogTurn === 1) await reporter.look(parts.tenants(), 'backlog');
    if (waiting > 0) await outbox.queueMessages();
  }

  async function lookAtAll(): Promise<void> {
    await reporter.look(parts.tenants(), 'stored');
    if (performance.now() - lookedAtServiceAt < SERVICE_EVERY_MS) return;
    lookedAtServiceAt = performance.now();
    await reporter.lookAtService();
  }

  function lookAtNoticed(): Promise<void> {
    const tenants = parts.tenants().filter(({ id }) => noticed.has(id));
    noticed.clear();
    return run(async () => {
      await reporter.look(tenants, 'stored');
      after(QUEUED_AFTER_MS, () => run(outbox.queueMessages));
    });
  }

  function after(ms: number, work: () => Promise<void>): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      void work();
    }, ms);
    timers.add(timer);
  }

  const rounds = setInterval(() => {
    if (!isRoundDue) return;
    isRoundDue = false;
    void run(round).finally(() => (isRoundDue = true));
  }, ROUND_EVERY_MS);

  return {
    notice: (tenantId) => {
      if (noticed.size === 0) after(NOTICED_AFTER_MS, lookAtNoticed);
      noticed.add(tenantId);
    },
    close: async () => {
      clearInterval(rounds);
      timers.forEach(clearTimeout);
      // Without Redis nothing would end by itself.
      if (redis.status === 'ready') await running;
      await sender.close();
      await outbox.close();
    },
  };
}
