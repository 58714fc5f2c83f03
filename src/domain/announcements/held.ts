// Announcements of holds: those in force compared with those that were announced.
import { DIRECTORY_REMEDIES, type DirectoryHold } from '../directory/directory-answer.ts';
import { configurationKey, remedyOfHold, summariseHolds, type Hold } from '../hold/hold.ts';
import { duration } from '../operations/outlook.ts';
import { shorten, type Announcement } from './announcement.ts';

/** A hold that was announced, until its end is. */
export type AnnouncedHold = { reason: string; since: number; where: string };

/** By reason and scope: which of several holds of one reason and scope an operator is shown makes no difference. */
export type AnnouncedHolds = Record<string, AnnouncedHold>;

export type HoldFacts = {
  holds: readonly Hold[];
  directoryHold: Pick<DirectoryHold, 'reason' | 'detail' | 'since'> | null;
};

type Standing = AnnouncedHold & { key: string; detail: string; remedy: string };

export type OfTenant = { tenant: string; now: number };

export function announceHolds(
  announced: AnnouncedHolds,
  facts: HoldFacts,
  { tenant, now }: OfTenant,
): { holds: AnnouncedHolds; announcements: Announcement[] } {
  const standing = toStanding(facts);
  const holds = Object.fromEntries(
    standing.map(({ key, reason, since, where }) => [key, announced[key] ?? { reason, since, where }]),
  );
  const began = standing
    .filter(({ key }) => !Object.hasOwn(announced, key))
    .map(({ reason, since, where, detail, remedy }): Announcement => {
      return { type: 'hold.began', tenant, reason, detail: shorten(`${where}: ${detail}`), remedy, since, at: now };
    });
  const ended = Object.entries(announced)
    .filter(([key]) => !Object.hasOwn(holds, key))
    .map(([, { reason, since, where }]): Announcement => {
      const detail = `${where}: held for ${duration(now - since)}, and no longer`;
      return { type: 'hold.ended', tenant, reason, detail, remedy: ENDED_REMEDY, since, at: now };
    });
  return { holds, announcements: [...ended, ...began] };
}

const ENDED_REMEDY = 'Nothing to do: what was kept back is being delivered.';

function toStanding({ holds, directoryHold }: HoldFacts): Standing[] {
  const ofGraph = summariseHolds(holds).map((hold): Standing => {
    const { reason, about, since, detail, hardwareConfigurationId } = hold;
    const scope = hardwareConfigurationId === null ? '*' : configurationKey(hardwareConfigurationId);
    const where =
      hardwareConfigurationId !== null
        ? `Hardware configuration ${hardwareConfigurationId}`
        : about === 'look'
          ? 'Lookups'
          : 'All deliveries';
    return { key: `${reason} ${scope}`, reason, since, where, detail, remedy: remedyOfHold(hold) };
  });
  if (!directoryHold) return ofGraph;
  const { reason, since, detail } = directoryHold;
  const ofDirectory = {
    key: `directory ${reason}`,
    reason,
    since,
    where: 'The device directory',
    detail: `${detail}. Known devices go on, new ones wait`,
    remedy: DIRECTORY_REMEDIES[reason],
  };
  return [...ofGraph, ofDirectory];
}
