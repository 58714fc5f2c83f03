// Runs the doctor's checks of the operators' webhook: sends a test where that is asked for.
import { randomUUID } from 'node:crypto';
import { openSend } from '../../api/announcements.ts';
import type { AlertConfig } from '../../config/alerts.ts';
import type { GraphConfig } from '../../config/graph.ts';
import { judgeAlerts, judgeAlertTest, judgeNoWebhook } from '../../doctor/alerts.ts';
import type { Finding } from '../../doctor/finding.ts';
import { toTest } from '../../domain/announcements/announcement.ts';

export type AlertsToCheck = {
  alerts: AlertConfig | null | undefined;
  proxy: GraphConfig['proxy'];
  /** Whether to send a test. */
  isTest: boolean;
};

export async function* examineAlerts({ alerts, proxy, isTest }: AlertsToCheck): AsyncGenerator<Finding> {
  yield* judgeAlerts(alerts ?? null);
  if (!isTest) return;
  if (!alerts) {
    yield judgeNoWebhook(alerts);
    return;
  }
  const send = await openSend(alerts, { proxy });
  const startedAt = performance.now();
  const sent = await send({ ...toTest(Date.now()), id: `msg_${randomUUID()}`, count: 1 });
  yield judgeAlertTest({ ...sent, tookMs: performance.now() - startedAt });
}
