// A finding: one check, its result, detail and remedy.

export type Result = 'ok' | 'warning' | 'failed' | 'skipped';

export type Finding = { check: string; result: Result; detail: string; remedy: string | null };

export const ok = (check: string, detail: string): Finding => ({ check, result: 'ok', detail, remedy: null });
export const skipped = (check: string, detail: string): Finding => ({ check, result: 'skipped', detail, remedy: null });
export const warning = (check: string, detail: string, remedy: string): Finding => ({
  check,
  result: 'warning',
  detail,
  remedy,
});
export const failed = (check: string, detail: string, remedy: string): Finding => ({
  check,
  result: 'failed',
  detail,
  remedy,
});

const FROM_BEST = ['skipped', 'ok', 'warning', 'failed'] as const satisfies readonly Result[];

/** The worst result among findings; skipped checks do not count. */
export const worst = (findings: readonly Finding[]): Result =>
  findings.reduce<Result>(
    (before, { result }) => (FROM_BEST.indexOf(result) > FROM_BEST.indexOf(before) ? result : before),
    'ok',
  );
