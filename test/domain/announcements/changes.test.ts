// What operators are told: from what is and what they were told already, each change once.
import { describe, expect, test } from 'vitest';
import type { Announcement } from '../../../src/domain/announcements/announcement.ts';
import {
  announcedRoom,
  decideChanges,
  NOTHING_ANNOUNCED,
  type Announced,
  type TenantFacts,
} from '../../../src/domain/announcements/changes.ts';
import { announceDurability } from '../../../src/domain/announcements/durability.ts';
import { remedyOfHold, type Hold } from '../../../src/domain/hold/hold.ts';
import { ROOM_FOR_ALL, type BacklogState } from '../../../src/domain/operations/backlog.ts';
import { ONE, OTHER } from '../../support/hold.ts';

const NOW = 1_764_000_000_000;
const HOUR = 3_600_000;

const hold = (members: Partial<Hold> = {}): Hold => ({
  reason: 'forbidden',
  about: 'create',
  hardwareConfigurationId: null,
  since: NOW - 1000,
  detail: 'Graph said 403',
  probes: 0,
  probeAt: NOW,
  tryOthersAt: NOW,
  probe: null,
  begunBy: null,
  ...members,
});
type Stored = NonNullable<TenantFacts['stored']>;
const stored = (members: Partial<Stored> = {}): TenantFacts => ({
  stored: {
    holds: [],
    directoryHold: null,
    deaths: { latestAt: null, latestCode: null, recent: 0, kept: 0 },
    ...members,
  },
  backlog: undefined,
});
const backlog = (state: TenantFacts['backlog']): TenantFacts => ({
  stored: null,
  backlog: state,
});

/** Looks at one set of facts after the other. @returns what was announced at each look */
function look(...steps: [facts: TenantFacts, now: number][]): Announcement[][] {
  let announced: Announced = NOTHING_ANNOUNCED;
  return steps.map(([facts, now]) => {
    // What Redis keeps is JSON.
    const before = JSON.parse(JSON.stringify(announced)) as Announced;
    const changes = decideChanges(before, facts, { tenant: 'contoso', now });
    ({ announced } = changes);
    return changes.announcements;
  });
}
const typesOf = (looks: Announcement[][]) => looks.map((one) => one.map(({ type, reason }) => `${type} ${reason}`));

describe('a hold', () => {
  test('that begins and ends · is announced once each · with cause, remedy and times', () => {
    const held = stored({ holds: [hold()] });
    const [began, again, ended, after] = look(
      [held, NOW],
      [held, NOW + 1],
      [stored(), NOW + 200_000],
      [stored(), NOW + HOUR],
    );
    expect(began).toEqual([
      {
        type: 'hold.began',
        tenant: 'contoso',
        reason: 'forbidden',
        detail: 'All deliveries: Graph said 403',
        remedy: remedyOfHold(hold()),
        since: NOW - 1000,
        at: NOW,
      },
    ]);
    expect(ended).toEqual([
      {
        type: 'hold.ended',
        tenant: 'contoso',
        reason: 'forbidden',
        detail: 'All deliveries: held for 3 min, and no longer',
        remedy: 'Nothing to do: what was kept back is being delivered.',
        since: NOW - 1000,
        at: NOW + 200_000,
      },
    ]);
    expect([again, after]).toEqual([[], []]);
  });

  test('of one configuration · names it · and is no news while the tenant is held for the same reason', () => {
    const [one, other] = [ONE, OTHER].map((id) => hold({ hardwareConfigurationId: id }));
    const looks = look(
      [stored({ holds: [hold(), ...(one ? [one] : [])] }), NOW],
      [stored({ holds: one && other ? [one, other] : [] }), NOW + 1],
    );
    expect(typesOf(looks)).toEqual([
      ['hold.began forbidden'],
      ['hold.ended forbidden', 'hold.began forbidden', 'hold.began forbidden'],
    ]);
    expect(looks[1]?.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^All deliveries: held for/),
      `Hardware configuration ${ONE}: Graph said 403`,
      `Hardware configuration ${OTHER}: Graph said 403`,
    ]);
  });

  test.each<[string, Partial<Hold>]>([
    ['whose detail or probes change', { detail: 'Graph said 403 again', probes: 4, since: NOW + 5 }],
    ['of another operation', { about: 'look' }],
  ])('%s · is the same one · since its beginning', (_what, members) => {
    const looks = look(
      [stored({ holds: [hold()] }), NOW],
      [stored({ holds: [hold(members)] }), NOW + 9],
      [stored(), NOW + 10],
    );
    expect(typesOf(looks)).toEqual([['hold.began forbidden'], [], ['hold.ended forbidden']]);
    expect(looks[2]?.[0]?.since).toBe(NOW - 1000);
  });

  test('for another reason · is another one', () => {
    const looks = look(
      [stored({ holds: [hold()] }), NOW],
      [stored({ holds: [hold({ reason: 'all-rejected' })] }), NOW + 9],
    );
    expect(typesOf(looks)[1]).toEqual(['hold.ended forbidden', 'hold.began all-rejected']);
  });

  test('of the device directory · is announced as well', () => {
    const directoryHold = { reason: 'refused', detail: 'Graph said 403', since: NOW } as const;
    const looks = look([stored({ directoryHold }), NOW], [stored(), NOW + 60_000]);
    expect(typesOf(looks)).toEqual([['hold.began refused'], ['hold.ended refused']]);
    expect(looks[0]?.[0]?.detail).toBe('The device directory: Graph said 403. Known devices go on, new ones wait');
  });

  test('with an endless error · is told in brief', () => {
    const [began] = look([stored({ holds: [hold({ detail: '😀'.repeat(5000) })] }), NOW]);
    expect(began?.[0]?.detail.length).toBeLessThan(1600);
  });
});

describe('dead letters', () => {
  const died = (latestAt: number, recent: number) =>
    stored({ deaths: { latestAt, latestCode: 'graph-404', recent, kept: recent + 7 } });

  test('the first · is announced · with its code and remedy', () => {
    const [first] = look([died(NOW - 5, 1), NOW]);
    expect(first).toEqual([
      {
        type: 'dead-letters.rising',
        tenant: 'contoso',
        reason: 'graph-404',
        detail: '1 delivery was given up, the latest for graph-404; 8 dead letters are kept in all',
        remedy: expect.stringContaining('hardware configuration does not exist') as string,
        since: NOW - 5,
        at: NOW,
      },
    ]);
  });

  test('further ones · are announced when they have become very many · and not each', () => {
    const counts = [1, 2, 99, 100, 101, 9999, 12_000, 50_000];
    const looks = look(
      ...counts.map((count, minute): [TenantFacts, number] => [
        died(NOW + minute * 60_000, count),
        NOW + minute * 60_000,
      ]),
    );
    expect(looks.map((one) => one.length)).toEqual([1, 0, 0, 1, 0, 0, 1, 0]);
    expect(looks[6]?.[0]).toMatchObject({ since: NOW, detail: expect.stringMatching(/^12000 deliveries/) as string });
  });

  test('one after a quiet hour · is news again', () => {
    const later = NOW + 2 * HOUR;
    expect(typesOf(look([died(NOW, 1), NOW], [died(NOW, 1), NOW + HOUR + 1], [died(later, 1), later]))).toEqual([
      ['dead-letters.rising graph-404'],
      [],
      ['dead-letters.rising graph-404'],
    ]);
  });

  test('old ones · are no news', () => {
    expect(typesOf(look([died(NOW - 2 * HOUR, 0), NOW]))).toEqual([[]]);
  });
});

describe('the backlog', () => {
  const full = (reason: string): BacklogState => ({ room: 'none', reason });
  const nearlyFull: BacklogState = { room: 'failures', reason: '11 MiB wait' };

  test('full and with room again · is announced once each · and by those that know', () => {
    const looks = look(
      [backlog(ROOM_FOR_ALL), NOW],
      [backlog(full('12 MiB wait')), NOW + 1],
      [backlog(full('13 MiB wait')), NOW + 2],
      [backlog(undefined), NOW + 3],
      [stored(), NOW + 4],
      [backlog(ROOM_FOR_ALL), NOW + 5],
    );
    expect(typesOf(looks)).toEqual([[], ['backlog.full backlog-full'], [], [], [], ['backlog.room backlog-full']]);
    expect(looks[1]?.[0]).toMatchObject({ detail: 'Submissions are refused with 429: 12 MiB wait', since: NOW + 1 });
    expect(looks[5]?.[0]).toMatchObject({ since: NOW + 1, at: NOW + 5 });
  });

  test('room for failed runs alone · is announced with who is refused · and again only when all are', () => {
    const looks = look(
      [backlog(nearlyFull), NOW],
      [backlog(nearlyFull), NOW + 1],
      [backlog(full('12 MiB wait')), NOW + 2],
      [backlog(nearlyFull), NOW + 3],
      [backlog(full('12 MiB wait')), NOW + 4],
      [backlog(ROOM_FOR_ALL), NOW + 5],
    );
    const announced = 'backlog.full backlog-full';
    expect(typesOf(looks)).toEqual([[announced], [], [announced], [], [], ['backlog.room backlog-full']]);
    expect(looks.flat().map(({ detail, since }) => [detail, since])).toEqual([
      ['Submissions are refused with 429, except those of failed runs (fail, scriptError): 11 MiB wait', NOW],
      ['Submissions are refused with 429: 12 MiB wait', NOW],
      ['There is room again: submissions are accepted', NOW],
    ]);
  });

  test('what an earlier version announced · counts as full · until there is room', () => {
    const before = { ...NOTHING_ANNOUNCED, backlogFull: { since: NOW } };
    expect(announcedRoom(before)).toBe('none');
    const of = { tenant: 'contoso', now: NOW + 1 };
    expect(decideChanges(before, backlog(full('12 MiB wait')), of).announcements).toEqual([]);
    expect(decideChanges(before, backlog(ROOM_FOR_ALL), of).announcements).toMatchObject([{ type: 'backlog.room' }]);
  });
});

describe('durability', () => {
  const weak = { mode: 'everysec', weakness: 'durability is everysec: set appendfsync always' };
  const strong = { mode: 'always', weakness: null };

  test('that is weak · is announced once · of no tenant', () => {
    const first = announceDurability(null, weak, NOW);
    expect(first.announcements).toMatchObject([
      { type: 'durability.weak', tenant: null, reason: 'everysec', since: NOW },
    ]);
    expect(announceDurability(first.weakness, weak, NOW + HOUR).announcements).toEqual([]);
  });

  test('that comes and goes, as where the nodes of a cluster differ · is not announced each time', () => {
    let noted = announceDurability(null, weak, NOW).weakness;
    for (const [facts, now] of [[strong, NOW + 10_000] as const, [weak, NOW + 70_000] as const]) {
      const next = announceDurability(noted, facts, now);
      expect(next.announcements).toEqual([]);
      noted = next.weakness;
    }
    expect(noted).toEqual({ since: NOW, seenAt: NOW + 70_000 });
    const restored = announceDurability(noted, strong, NOW + 2 * HOUR).weakness;
    expect(announceDurability(restored, weak, NOW + 3 * HOUR).announcements).toHaveLength(1);
  });
});
