// Response bodies about replays at a rate, as zod schemas, and how a replay is shown.
import { z } from 'zod';
import { REPLAY_STATES, type Replay } from '../../domain/replay/replay.ts';

const count = z.int().nonnegative();
const instant = z.iso.datetime();

export const replaySchema = z
  .object({
    id: z.string(),
    tenant: z.string(),
    filter: z.object({
      code: z.string().optional(),
      hardwareConfigurationId: z.string().optional(),
      deviceId: z.string().optional(),
    }),
    perSecond: z.number(),
    state: z.enum(REPLAY_STATES),
    matched: count.describe('The dead letters that matched when it began; it takes no others.'),
    replayed: count,
    skipped: count.describe('Those that were replayed or purged by someone else meanwhile, or cannot be read.'),
    startedAt: instant,
    endedAt: instant.nullable(),
    by: z.string().nullable().describe('The app whose Entra token started it; null for the operator token.'),
  })
  .meta({ id: 'Replay', description: 'A replay at a rate, which goes on in the background.' });

export const replaysSchema = z
  .object({ replays: z.array(replaySchema) })
  .meta({ id: 'Replays', description: 'The latest replays at a rate, newest first.' });

export const replayStartedSchema = z
  .object({ matched: count, replayed: count, replays: z.array(replaySchema) })
  .meta({ id: 'ReplayStarted', description: 'What matched, and a replay for each tenant in which anything did.' });

export type ReplayView = z.infer<typeof replaySchema>;
export type ReplaysView = z.infer<typeof replaysSchema>;
export type ReplayStarted = z.infer<typeof replayStartedSchema>;

export function toReplayView({ tenantId, startedAt, endedAt, ...replay }: Replay): ReplayView {
  return {
    ...replay,
    tenant: tenantId,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: endedAt === null ? null : new Date(endedAt).toISOString(),
  };
}
