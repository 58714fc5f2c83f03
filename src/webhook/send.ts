// Sends an announcement to the operators' webhook: one signed POST with a deadline; nothing of the response but its status counts.
import { Webhook } from 'standardwebhooks';
import { readSigningKeys, type AlertConfig } from '../config/alerts.ts';
import type { Message } from '../domain/announcements/announcement.ts';
import { toBody } from './body.ts';
import { toTeamsCard } from './teams-card.ts';

/** Posts, follows no redirect, and rejects with the reason if there is no response. */
export type Post = (
  url: string,
  request: {
    method: 'POST';
    headers: Record<string, string>;
    body: string;
    redirect: 'manual';
    signal: AbortSignal;
  },
) => Promise<Pick<Response, 'status' | 'body'>>;

/** What came of it. The detail has nothing of the address, which may contain a token, and nothing the receiver said. */
export type Outcome = { kind: 'taken'; detail: string } | { kind: 'failed'; detail: string };

export type SendParts = {
  post: Post;
  clock: () => number;
  /** Of one request, all of it. */
  withinMs?: number;
};

export const ANSWER_WITHIN_MS = 10_000;

/** Never throws. */
export function createSend(config: AlertConfig, { post, clock, withinMs = ANSWER_WITHIN_MS }: SendParts) {
  return async (message: Message): Promise<Outcome> => {
    const deadline = AbortSignal.timeout(withinMs);
    try {
      const content = toBody(message, config.linkBase);
      const body = JSON.stringify(config.format === 'teams' ? toTeamsCard(content) : content);
      const { status, body: unread } = await post(config.url.reveal(), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'runstate-bridge',
          ...sign(config, { id: message.id, at: new Date(clock()), body }),
        },
        body,
        redirect: 'manual',
        signal: deadline,
      });
      await unread?.cancel().catch(() => undefined);
      return status >= 200 && status < 300
        ? { kind: 'taken', detail: `answered ${status}` }
        : {
            kind: 'failed',
            detail: `answered ${status}${isRedirect(status) ? ', and redirects are not followed' : ''}`,
          };
    } catch (error) {
      return { kind: 'failed', detail: deadline.aborted ? `no answer within ${withinMs} ms` : reasonOf(error) };
    }
  };
}

const isRedirect = (status: number) => status >= 300 && status < 400;

type Signed = { id: string; at: Date; body: string };

/** The headers of Standard Webhooks; each key signs, so that receivers may have either while one replaces the other. */
function sign({ secret }: Pick<AlertConfig, 'secret'>, { id, at, body }: Signed): Record<string, string> {
  const keys = secret === null ? [] : readSigningKeys(secret);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    ...(keys.length > 0 && { 'webhook-signature': keys.map((key) => new Webhook(key).sign(id, at, body)).join(' ') }),
  };
}

/** A code rather than a message, which might quote the address. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it could not be sent';
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  if (typeof code === 'string') return `not reached: ${code}`;
  return error.message.startsWith('ALERT_WEBHOOK_SECRET_FILE') ? error.message : `not reached: ${cause.name}`;
}
