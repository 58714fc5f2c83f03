// Announces to operators what they must know, in a process that is given the address of their webhook.
import type { AlertConfig } from '../config/alerts.ts';
import type { Config } from '../config/config.ts';
import type { GraphConfig } from '../config/graph.ts';
import { openAnnouncer, type AnnouncerParts } from '../queue/announcements/announcer.ts';
import type { Send } from '../queue/announcements/sender.ts';
import { connect, disconnect } from '../queue/redis/connection.ts';
import type { Events } from '../telemetry/events.ts';
import type { TenantTelemetry } from '../telemetry/telemetry.ts';
import type { Parts } from '../process/parts.ts';

export type Announcements = {
  /** A tenant's telemetry, whose events also have the tenant looked at. */
  noticing: (tenantId: string, telemetry: TenantTelemetry) => TenantTelemetry;
};

type Options = Pick<AnnouncerParts, 'tenants' | 'accepts' | 'random'> & { events: Events; parts: Parts };

/** The way of all requests that leave the network; what stays inside needs no proxy. */
export async function openSend(alerts: AlertConfig, { proxy }: Pick<GraphConfig, 'proxy'>): Promise<Send> {
  const [{ createSend, ANSWER_WITHIN_MS }, { createFetch }] = await Promise.all([
    import('../webhook/send.ts'),
    import('../graph/fetch.ts'),
  ]);
  const url = alerts.url.reveal();
  const post = createFetch(url, url.startsWith('https:') ? proxy : null, ANSWER_WITHIN_MS);
  return createSend(alerts, { post, clock: Date.now });
}

export async function openAnnouncements(
  config: Config,
  { events, parts, ...options }: Options,
): Promise<Announcements> {
  const { alerts, redis } = config;
  if (alerts === null) return { noticing: (_tenantId, telemetry) => telemetry };
  // Its commands wait for Redis, which those of an API must not.
  const connection = connect(redis, 'work', events.redisTrouble);
  parts.opened('redis for announcements', () => disconnect(connection));
  const announcer = openAnnouncer({
    ...options,
    redis: connection,
    prefix: redis.prefix,
    send: await openSend(alerts, config.graph),
    events,
    clock: Date.now,
  });
  parts.opened('announcements', announcer.close);
  return {
    noticing: (tenantId, telemetry) => {
      const notice = () => announcer.notice(tenantId);
      return { ...telemetry, events: alsoNoticing(telemetry.events, notice) };
    },
  };
}

/** These events may change what operators are to know. */
const alsoNoticing = (events: Events, notice: () => void): Events => ({
  ...events,
  held: after(events.held, notice),
  released: after(events.released, notice),
  dead: after(events.dead, notice),
  backlog: after(events.backlog, notice),
  directoryHeld: after(events.directoryHeld, notice),
  directoryReleased: after(events.directoryReleased, notice),
});

const after =
  <T extends unknown[]>(event: (...args: T) => void, notice: () => void) =>
  (...args: T): void => {
    event(...args);
    notice();
  };
