// Looks at tenants, notes what changed since operators were last told, and leaves it to be announced.
import { isDeepStrictEqual } from 'node:util';
import { announcedRoom, decideChanges, isBacklogNews, type Announced } from '../../domain/announcements/changes.ts';
import { announceDurability } from '../../domain/announcements/durability.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { LeftAlone } from '../store/left-alone.ts';
import { describeWeakness, inspectRedis } from '../redis/health.ts';
import type { AnnouncedStore, Noted } from './announced.ts';
import type { ReadFacts, ReportedTenant } from './facts.ts';

/** `stored`: what Redis has. `backlog`: only what this process knows. */
export type Extent = 'stored' | 'backlog';

export type Reporter = {
  /** Another process that looks at the same time is no harm: one of them notes what changed. */
  look: (tenants: readonly ReportedTenant[], extent: Extent) => Promise<void>;
  lookAtService: () => Promise<void>;
};

/** Tenants looked at together. */
const SLICE = 50;

type ReporterParts = { redis: RedisConnection; announced: AnnouncedStore; readFacts: ReadFacts; clock: () => number };

/** A newer version announces what there is to say of its tenant, and so do the processes of the Redis that has it. */
function unlessLeftAlone(error: unknown): void {
  if (!(error instanceof LeftAlone)) throw error;
}

export function createReporter({ redis, announced, readFacts, clock }: ReporterParts): Reporter {
  /**
   * What was announced is read before what is: then whatever was noted meanwhile, by a process that saw later facts, is not
   * overwritten by earlier ones.
   */
  async function lookAt(tenant: ReportedTenant, before: Noted<Announced>, extent: Extent): Promise<void> {
    const { id, judgeBacklog } = tenant;
    const read = extent === 'stored' ? await readFacts(tenant, before.value) : null;
    const known = announcedRoom(before.value);
    const backlog = judgeBacklog?.(known);
    if (!read && (backlog === undefined || !isBacklogNews(known, backlog.room))) return;
    const now = read?.now ?? clock();
    const facts = { stored: read?.stored ?? null, backlog };
    const { announced: after, announcements } = decideChanges(before.value, facts, { tenant: id, now });
    if (announcements.length === 0 && isDeepStrictEqual(after, before.value)) return;
    // If another process was faster, it announces; the next look finds whatever it did not see.
    await announced.note(id, { before, after, announcements });
  }

  async function look(tenants: readonly ReportedTenant[], extent: Extent): Promise<void> {
    for (let from = 0; from < tenants.length; from += SLICE) {
      const slice = tenants.slice(from, from + SLICE);
      const before = await announced.ofTenants(slice.map(({ id }) => id));
      await Promise.all(
        slice.flatMap((tenant, index) => {
          const noted = before[index];
          return noted ? [lookAt(tenant, noted, extent).catch(unlessLeftAlone)] : [];
        }),
      );
    }
  }

  return {
    look,
    lookAtService: async () => {
      const before = await announced.ofService();
      const health = await inspectRedis(redis);
      const facts = { mode: health.durability, weakness: describeWeakness(health) };
      const { weakness, announcements } = announceDurability(before.value, facts, clock());
      if (announcements.length === 0 && isDeepStrictEqual(weakness, before.value)) return;
      await announced.note(null, { before, after: weakness, announcements });
    },
  };
}
