// Sums up all findings: can this environment deliver, and is that proven?
import type { Scope } from './configuration.ts';
import { worst, type Finding } from './finding.ts';

/** What a passed check proves; checks without an entry prove nothing about access to Graph. */
const PROOFS: Record<string, string> = {
  'redis-writes': 'Redis takes writes',
  token: 'the app gets a token',
  'token-roles': 'the token has the permission',
  graph: 'Graph answers and can be read',
  'directory-device': 'devices can be read in the directory',
};

export function toVerdict(findings: readonly Finding[], scope: Scope): string[] {
  const result = worst(findings);
  if (result === 'failed') return ['This environment cannot deliver as it should: see what failed above.'];
  const warned = result === 'warning' ? ', with the warnings above' : '';
  if (scope === 'api') {
    return [`This environment can accept run results${warned}.`, 'Whether they can be delivered, --for worker tells.'];
  }
  const passed = (check: string) => findings.some((finding) => finding.check === check && finding.result === 'ok');
  if (passed('graph-creates')) return [`This environment can deliver${warned}.`];
  const proven = Object.entries(PROOFS).flatMap(([check, proof]) => (passed(check) ? [proof] : []));
  return [
    `Nothing failed${warned === '' ? '' : ' (see the warnings above)'}, but nothing is known to have been created yet.`,
    `Proven: ${proven.length === 0 ? 'nothing about the way to Graph' : proven.join(', ')}.`,
    'Not proven: that this tenant takes creates.',
    '--write-probe GUID settles it: it creates one record under that hardware configuration, and deletes it.',
  ];
}
