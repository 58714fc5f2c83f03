// Checks the webhook that operators are told by: whether there is one, whether it is signed, and what it says to a test.
import type { AlertConfig } from '../config/alerts.ts';
import { failed, ok, skipped, warning, type Finding } from './finding.ts';

const CHECK = 'alert-webhook';

/** @param alerts null without an address: nobody is told, which is a choice */
export function judgeAlerts(alerts: AlertConfig | null): Finding[] {
  if (alerts === null) return [];
  if (alerts.format === 'teams') return [ok(CHECK, 'is set; it gets Adaptive Cards')];
  if (alerts.secret !== null) return [ok(CHECK, 'is set; what it gets is signed')];
  return [
    warning(
      CHECK,
      'is set, and what it gets is not signed: whoever knows the address can tell you anything',
      'Set ALERT_WEBHOOK_SECRET_FILE, and have the receiver verify signatures: docs/announcements.md says how.',
    ),
  ];
}

/** @param alerts undefined while the configuration has faults, which are reported elsewhere */
export const judgeNoWebhook = (alerts: null | undefined): Finding =>
  alerts === undefined
    ? skipped('alert-test', 'the configuration does not tell where to send it')
    : failed('alert-test', 'there is no webhook to send a test to', 'Set ALERT_WEBHOOK_URL.');

export type TestSent = { kind: 'taken' | 'failed'; detail: string; tookMs: number };

export function judgeAlertTest({ kind, detail, tookMs }: TestSent): Finding {
  if (kind === 'taken') {
    return ok('alert-test', `the webhook ${detail} in ${Math.round(tookMs)} ms: see that the test arrived`);
  }
  return failed('alert-test', `the webhook did not take the test: ${detail}`, remedyFor(detail));
}

function remedyFor(detail: string): string {
  if (detail.includes('redirects')) return 'Name the address that it redirects to.';
  if (/answered (401|403)/.test(detail))
    return 'Compare the secret, and the token in the address, with the receiver’s.';
  if (detail.startsWith('answered')) return 'Look at the receiver’s log: it takes a message by answering 2xx.';
  if (detail.startsWith('ALERT_')) return 'Correct that file.';
  return 'Check the address, DNS, proxy (HTTPS_PROXY, NO_PROXY) and firewall; for a certificate of your own authority set NODE_EXTRA_CA_CERTS.';
}
