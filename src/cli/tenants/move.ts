// `move`: takes all data of tenants to another Redis beside live traffic; can be interrupted, continued and cancelled.
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, parseConfig, type Config } from '../../config/config.ts';
import type { RedisConfig } from '../../config/redis.ts';
import { readTenants } from '../../config/tenants/read.ts';
import { DEFAULT_TENANT } from '../../config/tenants/tenant.ts';
import { TENANT_ID } from '../../config/tenants/schema.ts';
import { openRedis, type OpenRedis } from '../../queue/redis/open-redis.ts';
import { cancelMove, finishMove } from '../../queue/redis/move/end-move.ts';
import { findTopology } from '../../queue/redis/move/find-topology.ts';
import { moveTenant, type MoveEnded } from '../../queue/redis/move/move-tenant.ts';
import { MoveRefused, openEnds, type MoveRedis } from '../../queue/redis/move/open-ends.ts';
import { findTenants } from '../../queue/redis/move/scan-keys.ts';
import { EXIT } from '../exit.ts';
import { confirm } from '../operator/confirm.ts';
import { OperatorError } from '../operator/operator.ts';
import { print, printError, printJson } from '../out.ts';
import { createStopController } from '../stop-controller.ts';
import { describeRedis, toRedisConfig } from './move-address.ts';
import { checkTarget } from './move-checks.ts';
import { RUN_AGAIN, toOperatorError } from './move-errors.ts';
import { createMoveProgress, describeEnd, type Ended } from './move-progress.ts';

export type MoveFlags = {
  from?: string;
  fromPasswordFile?: string;
  to?: string;
  toPasswordFile?: string;
  tenant?: string;
  all?: true;
  prepare?: true;
  cancel?: true;
  finish?: true;
  yes?: true;
  json?: true;
};

/** Any valid one: the key is not used. */
const ANY_GROUP_KEY = Buffer.alloc(32).toString('base64');
const NAMED_AT_MOST = 10;
/** A Redis that does not answer for this long ends the run. */
const GONE_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 1000;

export async function move(flags: MoveFlags): Promise<void> {
  refuseWrongUse(flags);
  const config = readConfig();
  const { prefix } = config.redis;
  const given = {
    from: { option: '--from', passwordFile: flags.fromPasswordFile, variable: 'MOVE_FROM_PASSWORD', prefix },
    to: { option: '--to', passwordFile: flags.toPasswordFile, variable: 'MOVE_TO_PASSWORD', prefix },
  };
  const from =
    flags.from === undefined ? config.redis : await locate(toRedisConfig({ ...given.from, url: flags.from }));
  const to = flags.to === undefined ? null : await reach(locate(toRedisConfig({ ...given.to, url: flags.to })), flags);
  const stopping = createStopController();
  const ends: Opened[] = [];
  const keep = (opened: Opened) => {
    ends.push(opened);
    return opened;
  };
  const watching: (() => void)[] = [];
  try {
    const source = keep(await open(from));
    const target = to && keep(await reach(open(to), flags));
    watching.push(...ends.map((end) => watch(end, stopping)));
    const names = await tenantsOf(source, config, flags);
    if (!flags.cancel && !flags.finish && to) {
      // Once a move is under way the target has a part of the data, or all of it.
      const needsRoomForAll = flags.tenant === undefined && !(await isAnyUnderWay(names, source, describeRedis(to)));
      await refuseUnfit(from, to, needsRoomForAll);
    }
    await confirm(toQuestion(flags, names, { source, target }), flags.yes);
    const ended: TenantEnd[] = [];
    try {
      await Promise.race([moveAll(names, { source, target }, ended), untilAborted(stopping.signal)]);
    } finally {
      if (flags.json) printJson({ tenants: ended });
    }
    if (ended.some(({ kind }) => kind === 'refused')) process.exitCode = EXIT.refused;
  } catch (error) {
    throw toOperatorError(error, stopping.signal);
  } finally {
    for (const end of watching) end();
    stopping.abort();
    await Promise.all(ends.map(close));
  }

  /** One that is refused keeps no other from being moved. */
  async function moveAll(tenants: readonly string[], both: Both, ended: TenantEnd[]): Promise<void> {
    for (const tenant of tenants) {
      const end = await moveOne(tenant, both).catch(toRefused);
      if (end.kind === 'refused') printError(`${tenant}: ${end.reason}`);
      else if (!flags.json) print(`${tenant}: ${describeEnd(end, both)}`);
      ended.push({ tenant, ...end });
    }
  }

  async function moveOne(tenantId: string, { source, target }: Both): Promise<MoveEnded | Ended> {
    if (flags.cancel) return cancelMove({ source, target, tenantId });
    if (flags.finish) return { kind: 'finished', removed: await finishMove({ source, target, tenantId }) };
    if (!target) throw new OperatorError('name the other Redis with --to', EXIT.usage);
    const { attemptTimeoutMs } = config.delivery.policy;
    const events = createMoveProgress(tenantId);
    const parts = { source, target, tenantId, attemptTimeoutMs, signal: stopping.signal, events };
    return moveTenant(parts, flags.prepare === true);
  }
}

type Refused = { kind: 'refused'; reason: string };
type TenantEnd = { tenant: string } & (MoveEnded | Ended | Refused);

function toRefused(error: unknown): Refused {
  if (error instanceof MoveRefused) return { kind: 'refused', reason: error.message };
  throw error;
}

type Opened = MoveRedis & Pick<OpenRedis, 'close'>;

function refuseWrongUse({ to, tenant, all, prepare, cancel, finish }: MoveFlags): void {
  if ([prepare, cancel, finish].filter(Boolean).length > 1)
    throw new OperatorError('--prepare, --cancel and --finish exclude each other', EXIT.usage);
  if (to === undefined && !cancel && !finish) throw new OperatorError('name the other Redis with --to', EXIT.usage);
  if (tenant !== undefined && all) throw new OperatorError('--tenant and --all exclude each other', EXIT.usage);
  if (tenant !== undefined && !TENANT_ID.test(tenant))
    throw new OperatorError('a tenant’s id is 1 to 40 of a–z 0–9 -', EXIT.usage);
}

/** Of either kind of process: only Redis, its prefix and how long an attempt may take are needed. */
function readConfig(): Config {
  const { DEVICE_GROUP_KEYS: keys } = process.env;
  try {
    return parseConfig(
      { ...process.env, DEVICE_GROUP_KEYS: keys === undefined || keys === '' ? ANY_GROUP_KEY : keys },
      'api',
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new OperatorError(error.message, EXIT.config);
  }
}

async function locate(config: RedisConfig): Promise<RedisConfig> {
  const located = await findTopology(config);
  if (located) return located;
  throw new OperatorError(`${describeRedis(config)} does not answer`, EXIT.later);
}

/** A target that is gone for good does not keep a move from being cancelled. */
async function reach<T>(target: Promise<T>, { cancel }: MoveFlags): Promise<T> {
  return target.catch((error: unknown) => {
    if (!cancel || !(error instanceof OperatorError)) throw error;
    throw new OperatorError(
      `${error.message}. If it is gone, leave --to out: the move is cancelled without it`,
      EXIT.later,
    );
  });
}

async function open(config: RedisConfig): Promise<Opened> {
  const ignore = () => undefined;
  const events = { redisTrouble: ignore, waitingForRedis: ignore, durability: ignore };
  const redis = await openRedis({ ...config, minReplicas: 0 }, 'work', events);
  const name = describeRedis(config);
  if (redis.connection.status === 'ready') return { ...redis, name };
  redis.connection.disconnect();
  await redis.close();
  throw new OperatorError(`${name} does not answer`, EXIT.later);
}

async function tenantsOf(source: MoveRedis, config: Config, { tenant, all, finish }: MoveFlags): Promise<string[]> {
  const found = await findTenants(source.connection, source.prefix);
  if (found.length === 0)
    throw new OperatorError(`${source.name} has no data under the prefix ${source.prefix}`, EXIT.refused);
  if (tenant !== undefined) {
    if (found.includes(tenant)) return [tenant];
    throw new OperatorError(`${source.name} has no data of tenant ${tenant}`, EXIT.refused);
  }
  // Those that have none yet are closed as well: processes at both ends would take their first run results.
  if (all) return [...new Set([...found, ...(finish ? [] : await configuredTenants(config))])].sort();
  if (found.length === 1) return found;
  const names = [...found.slice(0, NAMED_AT_MOST), ...(found.length > NAMED_AT_MOST ? ['…'] : [])].join(', ');
  throw new OperatorError(
    `${found.length} tenants have data there: say --all, or --tenant with one of ${names}`,
    EXIT.usage,
  );
}

async function configuredTenants(config: Config): Promise<string[]> {
  if (config.tenantsFile === null) return [DEFAULT_TENANT];
  const { tenants, faults } = await readTenants(config.tenantsFile, config, 'worker');
  if (faults.length > 0) throw new OperatorError(`TENANTS_FILE: ${faults.join('; ')}`, EXIT.config);
  return tenants.map(({ id }) => id);
}

async function isAnyUnderWay(tenants: readonly string[], source: MoveRedis, to: string): Promise<boolean> {
  const moves = await Promise.all(tenants.map((id) => openEnds({ source, target: source }, id).from.read()));
  return moves.some((known) => known?.peer === to && !['begun', 'finished'].includes(known.state));
}

async function refuseUnfit(from: RedisConfig, to: RedisConfig, needsRoomForAll: boolean): Promise<void> {
  const findings = await checkTarget(from, to, needsRoomForAll);
  for (const { check, result, detail, remedy } of findings)
    printError(`${result}: ${check} of ${describeRedis(to)}: ${detail}${remedy === null ? '' : `. ${remedy}`}`);
  if (findings.some(({ result }) => result === 'failed'))
    throw new OperatorError('nothing was moved: the target is not fit', EXIT.failed);
}

type Both = { source: MoveRedis; target: MoveRedis | null };

function toQuestion(
  { cancel, finish, prepare }: MoveFlags,
  tenants: readonly string[],
  { source, target }: Both,
): string {
  const which = tenants.length === 1 ? `tenant ${tenants[0] ?? ''}` : `${tenants.length} tenants`;
  const to = target?.name ?? '';
  const copy = target ? `remove what was copied to ${to}` : 'leave what was copied where it is, closed';
  if (cancel) return `Give up moving ${which} away from ${source.name}, and ${copy}?`;
  if (finish) return `Remove the data of ${which} that moved away from ${source.name}, for good?`;
  if (prepare) return `Close ${which} at ${to}, until the data of ${source.name} has been moved there?`;
  return `Move ${which} from ${source.name} to ${to}? Submissions are refused for some seconds at the end.`;
}

/** @returns what ends the watching */
function watch({ connection, name }: MoveRedis, abort: AbortController): () => void {
  let readyAt = performance.now();
  const looking = setInterval(() => {
    if (connection.status === 'ready') readyAt = performance.now();
    else if (performance.now() - readyAt > GONE_AFTER_MS)
      abort.abort(new OperatorError(`${name} does not answer. ${RUN_AGAIN}`, EXIT.later));
  }, LOOK_EVERY_MS);
  return () => clearInterval(looking);
}

/** What is under way may not end while a Redis does not answer. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  // A run that can still end by itself gives its lock back.
  await delay(LOOK_EVERY_MS);
  throw signal.reason;
}

async function close(redis: Opened): Promise<void> {
  if (redis.connection.status !== 'ready') redis.connection.disconnect();
  await redis.close();
}
