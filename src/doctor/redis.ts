// Checks that Redis keeps what a 202 promises.
import { isFull } from '../domain/operations/backlog.ts';
import type { ExaminedRedis, RedisFacts } from '../queue/redis/inspect.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

const OLDEST = [6, 2] as const;
/** A budget that lives on Redis's clock is read with the clock here. */
const CLOCK_WARNING_MS = 2000;
/** Every acceptance waits for one such write. */
const SLOW_WRITE_MS = 50;
const MEMORY_WARNING = 0.9;
/** Rewriting the append-only file can take as much memory again. */
const MACHINE_WARNING = 0.5;

const RECOMMENDED = 'Set appendonly yes, appendfsync always and maxmemory-policy noeviction.';

export function judgeRedis(examined: ExaminedRedis): Finding[] {
  if (examined.kind === 'unreachable') {
    const remedy =
      'Check that Redis runs, REDIS_URL (or REDIS_SENTINELS, REDIS_CLUSTER), its password, TLS and the way to it.';
    return [failed('redis', `does not answer: ${examined.detail}`, remedy)];
  }
  const { facts } = examined;
  return [
    ok('redis', `answers in ${ms(facts.pingMs)}`),
    judgeVersion(facts),
    judgeWrites(facts),
    judgeDurability(facts),
    judgeEviction(facts),
    judgeMemory(facts),
    judgeClock(facts),
  ];
}

function judgeVersion({ version, health }: RedisFacts): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (version === 'unknown' && health.refused !== null) {
    return warning('redis-version', `Redis refuses to tell: ${health.refused}`, 'See that it is Redis 6.2 or newer.');
  }
  const new_ = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  if (new_) return ok('redis-version', version);
  return failed('redis-version', `${version} is too old`, `Install Redis ${OLDEST.join('.')} or newer.`);
}

function judgeWrites({ role, write }: RedisFacts): Finding {
  const check = 'redis-writes';
  if ('error' in write) {
    const remedy =
      role === 'master'
        ? 'See what Redis says: a full disk, a missing right (scripts, the key prefix), or a cluster addressed as a single server.'
        : 'This server is a replica. Name the master, or all sentinels with REDIS_SENTINELS.';
    return failed(check, `a write by script is refused: ${write.error}`, remedy);
  }
  const detail = `a write by script takes ${ms(write.ms)}, until it is as durable as Redis is`;
  return write.ms < SLOW_WRITE_MS
    ? ok(check, detail)
    : warning(check, detail, 'Every acceptance waits as long: give Redis a disk that is good at fsync, near the API.');
}

function judgeDurability({ health: { durability, refused }, lastLogWriteFailed }: RedisFacts): Finding {
  const check = 'redis-durability';
  if (lastLogWriteFailed) {
    return failed(
      check,
      'Redis could not write its append-only file',
      'Look into Redis’s log; mostly its disk is full.',
    );
  }
  switch (durability) {
    case 'always':
      return ok(check, 'always: a write is fsynced before it is acknowledged');
    case 'none':
      return failed(check, 'there is no append-only file: a restart forgets accepted run results', RECOMMENDED);
    case 'everysec':
    case 'no':
      return warning(check, `appendfsync is ${durability}: a power cut takes what a 202 promised`, RECOMMENDED);
    case 'unknown':
      return warning(
        check,
        refused === null ? 'Redis does not tell its appendfsync' : `Redis refuses to tell its appendfsync: ${refused}`,
        'Where INFO and CONFIG are not allowed, see by other means that appendonly is yes and appendfsync always.',
      );
  }
}

function judgeEviction({ health: { maxmemoryPolicy, refused } }: RedisFacts): Finding {
  const check = 'redis-eviction';
  if (maxmemoryPolicy === 'unknown' && refused !== null) {
    const remedy = 'See by other means that maxmemory-policy is noeviction.';
    return warning(check, `Redis refuses to tell its maxmemory-policy: ${refused}`, remedy);
  }
  if (maxmemoryPolicy === 'noeviction') return ok(check, 'noeviction: a full Redis refuses and forgets nothing');
  if (maxmemoryPolicy.startsWith('allkeys')) {
    return failed(
      check,
      `maxmemory-policy ${maxmemoryPolicy} throws accepted run results away when memory is short`,
      RECOMMENDED,
    );
  }
  const detail = `maxmemory-policy is ${maxmemoryPolicy}: when memory is short, runs that were delivered are forgotten too early`;
  return warning(check, detail, RECOMMENDED);
}

function judgeMemory({ usedBytes, maxmemoryBytes, machineBytes, health }: RedisFacts): Finding {
  const check = 'redis-memory';
  if (maxmemoryBytes !== null) {
    const share = usedBytes / maxmemoryBytes;
    const detail = `${mb(usedBytes)} of ${mb(maxmemoryBytes)} are used (${Math.round(share * 100)} %)`;
    if (isFull(share)) return failed(check, `${detail}: submissions are refused`, 'Give Redis more memory.');
    if (share >= MEMORY_WARNING) return warning(check, `${detail}: nearly full`, 'Give Redis more memory.');
    return ok(check, detail);
  }
  if (usedBytes === 0 && health.refused !== null) {
    const remedy = 'See by other means that it does not fill up.';
    return warning(check, `Redis refuses to tell how full it is: ${health.refused}`, remedy);
  }
  const detail = `${mb(usedBytes)} are used, without a maxmemory`;
  if (machineBytes === null || usedBytes < machineBytes * MACHINE_WARNING) return ok(check, detail);
  return warning(
    check,
    `${detail}, of a machine of ${mb(machineBytes)}`,
    'Give the machine more memory; Redis needs room to rewrite its file.',
  );
}

function judgeClock({ clockAheadMs }: RedisFacts): Finding {
  const detail = `Redis’s clock is ${toSkew(clockAheadMs)} the one here`;
  return Math.abs(clockAheadMs) < CLOCK_WARNING_MS
    ? ok('redis-clock', detail)
    : warning('redis-clock', detail, 'Have both machines keep their clocks by NTP.');
}

/** How far one clock is from another, in words. */
export function toSkew(aheadMs: number): string {
  const away = Math.abs(aheadMs);
  if (away < 1) return 'level with';
  return `${away < 1000 ? `${Math.round(away)} ms` : `${(away / 1000).toFixed(1)} s`} ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
}

const ms = (duration: number) => `${duration.toFixed(1)} ms`;
const mb = (bytes: number) => `${(bytes / 1_048_576).toFixed(bytes < 104_857_600 ? 1 : 0)} MB`;
