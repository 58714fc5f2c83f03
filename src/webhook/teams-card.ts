// An announcement as an Adaptive Card, in the envelope that webhooks of Microsoft Teams and Power Automate take.
import type { AnnouncementType } from '../domain/announcements/announcement.ts';
import type { WebhookBody } from './body.ts';

const TITLES: Record<AnnouncementType, { title: string; color: 'Attention' | 'Good' | 'Accent' }> = {
  'hold.began': { title: 'Held', color: 'Attention' },
  'hold.ended': { title: 'No longer held', color: 'Good' },
  'dead-letters.rising': { title: 'Dead letters are rising', color: 'Attention' },
  'backlog.full': { title: 'Backlog full: submissions are refused', color: 'Attention' },
  'backlog.room': { title: 'The backlog has room again', color: 'Good' },
  'durability.weak': { title: 'Durability is weak', color: 'Attention' },
  test: { title: 'Test', color: 'Accent' },
};

export function toTeamsCard(body: WebhookBody) {
  const { title, color } = TITLES[body.type];
  const facts = [
    ...(body.tenant === null ? [] : [{ title: 'Tenant', value: body.tenant }]),
    { title: 'Reason', value: body.reason },
    { title: 'Since', value: body.since },
    ...(body.count === undefined ? [] : [{ title: 'Count', value: String(body.count) }]),
  ];
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          msteams: { width: 'Full' },
          // Shown in notifications, and where cards cannot be.
          fallbackText: `runstate-bridge: ${title}`,
          body: [
            {
              type: 'TextBlock',
              size: 'Large',
              weight: 'Bolder',
              wrap: true,
              color,
              text: `runstate-bridge: ${title}`,
            },
            { type: 'FactSet', facts },
            toPlainText(body.detail),
            toPlainText(body.remedy),
          ],
          // Teams opens only whole addresses.
          ...(/^https?:/.test(body.link) && {
            actions: [{ type: 'Action.OpenUrl', title: 'Open the dashboard', url: body.link }],
          }),
        },
      },
    ],
  };
}

/** A text run, unlike a text block, takes no Markdown: what Graph or a device said must not become a link. */
const toPlainText = (text: string) => ({ type: 'RichTextBlock', inlines: [{ type: 'TextRun', text }] });
