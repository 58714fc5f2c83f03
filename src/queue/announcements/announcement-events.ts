// The events of announcing; telemetry implements them.
import type { Message } from '../../domain/announcements/announcement.ts';

export type AnnouncementFailed = { attempts: number; detail: string; isLast: boolean };

export type AnnouncementEvents = {
  /** The receiver took a message. */
  announced: (message: Message, attempts: number) => void;
  announcementFailed: (message: Message, failed: AnnouncementFailed) => void;
  redisTrouble: (error: Error) => void;
};
