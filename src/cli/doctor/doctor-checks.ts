// Runs the doctor's checks of the environment, Redis and Graph; yields each finding as it is made.
import { randomBytes } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { CannotStart } from '../../config/cannot-start.ts';
import type { RedisConfig } from '../../config/redis.ts';
import { describeSubject, type GraphConfig } from '../../config/graph.ts';
import { examineConfiguration, type Environment, type Scope } from '../../doctor/configuration.ts';
import { judgeDeviceKeys } from '../../doctor/device-keys.ts';
import { DEVICE_PERMISSION, isSameApp } from '../../doctor/directory.ts';
import { failed, ok, skipped, type Finding } from '../../doctor/finding.ts';
import { judgeConfiguration, judgeFacts, judgeGraph, judgeProbe, learnFromProbe } from '../../doctor/graph.ts';
import { judgeRedis } from '../../doctor/redis.ts';
import { judgeToken, type Expected } from '../../doctor/token.ts';
import { requestGraph, configurationUrl, obtainToken } from '../../graph/inspection/inspect.ts';
import { probeWrite } from '../../graph/inspection/write-probe.ts';
import { stillKnown, withLearned, type Learned } from '../../domain/operations/graph-facts.ts';
import { readGiven } from '../../config/variables.ts';
import { examineDirectory, examineRedis, tryEmbedded } from '../../queue/redis/inspect.ts';
import { addKeptFacts, readKeptFacts } from '../../queue/budget/kept-facts.ts';
import { findFileFaults } from '../../process/start-checks.ts';
import { examineAlerts } from './alert-checks.ts';
import { examineDeviceDirectory } from './directory-checks.ts';

export type Round = {
  scope: Scope;
  configurationId: string | null;
  probeConfigurationId: string | null;
  /** Whether to send a test to the operators' webhook. */
  alertTest?: boolean;
};

const clock = Date.now;

/** Examines everything it can; checks that depend on a failed one are skipped. */
export async function* examine(env: Environment, round: Round): AsyncGenerator<Finding> {
  const { findings, redis, graph, directory, ...told } = examineConfiguration(
    env,
    round.scope,
    getCACertificates('extra').length,
  );
  yield* findings;
  yield* await examineFiles(env, round.scope);
  if (round.scope !== 'worker') yield judgeDeviceKeys(env['DEVICE_GROUP_KEYS']);
  yield* examineAlerts({ ...told, isTest: round.alertTest === true });
  if (redis) yield* examineAnyRedis(redis);
  else yield skipped('redis', 'the configuration does not tell where it is');
  if (round.scope === 'api') yield skipped('graph', 'the API does not call Graph');
  else if (graph) {
    const isShared = directory !== null && isSameApp(directory.graph, graph);
    yield* examineGraph({ ...graph, alsoNeeded: isShared ? [DEVICE_PERMISSION] : [] }, redis, round);
    if (directory) yield* examineDeviceDirectory(directory.graph, graph);
  } else yield skipped('graph', 'the configuration does not tell where it is, or has no credential');
}

/** DATA_DIR has its own check. */
async function examineFiles(env: Environment, scope: Scope): Promise<Finding[]> {
  const { variables } = readGiven(env);
  const roles = scope === 'both' ? (['api', 'worker'] as const) : [scope];
  const faults = await Promise.all(roles.map((role) => findFileFaults(variables, role)));
  const all = faults.flat();
  if (all.length === 0) return [];
  return [failed('files', all.join('; '), 'Correct these variables, or the content of their files.')];
}

async function* examineAnyRedis(config: RedisConfig): AsyncGenerator<Finding> {
  const examined = await examineRedis(config, clock);
  if (config.kind !== 'embedded') yield* judgeRedis(examined);
  else if (examined.kind === 'unreachable') yield* examineEmbedded(config.directory);
  else {
    yield ok('redis-embedded', `a process runs one in ${config.directory}, and others join it`);
    yield* judgeRedis(examined);
  }
}

/** No server runs yet: checks whether the first process could start one. */
async function* examineEmbedded(directory: string): AsyncGenerator<Finding> {
  const check = 'redis-embedded';
  const { fault, waitingFor } = await examineDirectory(directory);
  if (fault !== null) {
    yield failed(check, `DATA_DIR (${directory}) ${fault}`, 'Name a directory of this user’s, or set REDIS_URL.');
    return;
  }
  if (waitingFor !== null) {
    yield failed(
      check,
      `one runs in ${directory} and does not answer: processes wait for ${waitingFor}`,
      'Loading ends by itself. Where it does not, look at the disk, and at redis.log beside the data.',
    );
    return;
  }
  try {
    const { startMs, examined } = await tryEmbedded(clock);
    const trial = `one in a temporary directory came up in ${Math.round(startMs)} ms`;
    yield ok(check, `REDIS_URL is not set and none runs: the first process will start one in ${directory}; ${trial}`);
    yield* judgeRedis(examined).filter(({ check: of }) => of === 'redis-version' || of === 'redis-durability');
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    yield failed(check, error.message, 'Install redis-server, or set REDIS_URL.');
  }
}

async function* examineGraph(
  config: GraphConfig & Expected,
  redis: RedisConfig | null,
  { configurationId, probeConfigurationId }: Round,
): AsyncGenerator<Finding> {
  const obtained = await obtainToken(config, clock);
  yield* judgeToken(obtained, config, clock());
  if (obtained.kind === 'refused') {
    yield skipped('graph', 'nothing can be asked without a token');
    return;
  }
  const get = (url: string) => requestGraph({ method: 'GET', url, token: obtained.value }, config, clock);
  yield* judgeGraph(await get(configurationUrl(config)), config.baseUrl);
  for (const id of new Set([configurationId, probeConfigurationId])) {
    if (id !== null) yield judgeConfiguration(await get(configurationUrl(config, id)), id);
  }
  let learned: Learned = {};
  if (probeConfigurationId !== null) {
    const deviceName = `runstate-bridge-doctor-${randomBytes(4).toString('hex')}`;
    const probed = await probeWrite({ config, hardwareConfigurationId: probeConfigurationId, deviceName, clock });
    yield judgeProbe(probed, deviceName, probeConfigurationId);
    learned = learnFromProbe(probed, clock());
  }
  const subject = describeSubject(config);
  if (redis && Object.keys(learned).length > 0) await addKeptFacts(redis, subject, learned);
  const kept = redis && (await readKeptFacts(redis, subject));
  yield judgeFacts(withLearned(kept && stillKnown(kept, clock()), learned), probeConfigurationId);
}
