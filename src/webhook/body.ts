// The body of a webhook: an announcement as JSON, in the contracted members.
import type { Message } from '../domain/announcements/announcement.ts';

export type WebhookBody = {
  type: Message['type'];
  tenant: string | null;
  reason: string;
  detail: string;
  remedy: string;
  since: string;
  at: string;
  /** The dashboard; without a known origin only its path. */
  link: string;
  /** If it stands for several. */
  count?: number;
};

export function toBody(message: Message, linkBase: string): WebhookBody {
  const { type, tenant, reason, detail, remedy, since, at, count } = message;
  const query = tenant === null ? '' : `?${new URLSearchParams({ tenant }).toString()}`;
  return {
    type,
    tenant,
    reason,
    detail,
    remedy,
    since: new Date(since).toISOString(),
    at: new Date(at).toISOString(),
    link: `${linkBase}/dashboard${query}`,
    ...(count > 1 && { count }),
  };
}
