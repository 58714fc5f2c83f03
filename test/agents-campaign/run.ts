// One run of the campaign: a device lives through its plan, everything is repaired, and the oracle judges.
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../../src/sandbox/random.ts';
import type { CampaignAgent, Options } from './agents.ts';
import { createCampaignDevice, type CampaignDevice, type Ended } from './device.ts';
import { judge, type Promised } from './oracle.ts';
import { createPlan, type Invocation, type Step } from './plan.ts';
import type { Stage } from './stage.ts';
import { openNetwork, type Network } from './way.ts';

export type RunReport = {
  seed: number;
  violations: string[];
  counts: { invocations: number; killed: number; kept: number; refused: number; diskFull: number; records: number };
  seconds: number;
};

const MOST_REPAIRS = 12;
const DELIVERED_WITHIN_MS = 60_000;
const SECRET = 'Geheim-4711';
const PASSWORD = `cctk --setuppwd=${SECRET}`;

type Run = {
  agent: CampaignAgent;
  stage: Stage;
  device: CampaignDevice;
  network: Network;
  promised: Promised[];
  violations: string[];
};

export async function runOnce(
  stage: Stage,
  { agent, seed, steps }: { agent: CampaignAgent; seed: number; steps: number },
): Promise<RunReport> {
  const begun = performance.now();
  const device = createCampaignDevice({ agent, seed, groupKey: stage.groupKey });
  const network = await openNetwork(stage.url, createRandom(seed));
  const run: Run = { agent, stage, device, network, promised: [], violations: [] };
  const counts = { invocations: 0, killed: 0, kept: 0, refused: 0, diskFull: 0, records: 0 };
  try {
    for (const [index, step] of createPlan(seed, steps).steps.entries()) {
      const ended = await playStep(run, step, index);
      for (const { code } of ended) {
        counts.invocations += 1;
        counts.killed += code === null ? 1 : 0;
        counts.kept += code === 75 ? 1 : 0;
        counts.diskFull += code === 73 ? 1 : 0;
      }
    }
    await repair(run);
    const records = await readRecords(run);
    const files = device.files();
    counts.records = records.length;
    counts.refused = files.filter(({ name }) => /^refused\/.*\.json$/.test(name)).length;
    run.violations.push(
      ...judge({ promised: run.promised, records, files: files.filter(({ name }) => !agent.stays.includes(name)) }),
    );
    run.violations.push(...stage.duplicates().map((name) => `${name}: created twice`));
    return { seed, violations: run.violations, counts, seconds: (performance.now() - begun) / 1000 };
  } finally {
    await network.close();
    device.close();
  }
}

async function playStep(run: Run, step: Step, index: number): Promise<Ended[]> {
  const { device, network, violations } = run;
  network.way = step.way;
  device.setClock(step.clockAheadS);
  device.fillDisk(step.freeBlocks);
  const ended = await Promise.all(step.invocations.map((invocation) => invoke(run, invocation)));
  device.fillDisk(null);
  const isCalm = step.invocations.length === 1 && ended.every(({ code }) => code !== null);
  violations.push(...findExposed(run, isCalm).map((text) => `step ${index}: ${text}`));
  return ended;
}

async function invoke({ device, network, promised, violations, stage }: Run, planned: Invocation): Promise<Ended> {
  const { action, runId, isPoison, isQuiet, waits, killAfterMs, commandMs } = planned;
  const what: Options = {
    ...(runId !== null && { configuration: stage.configurationId, 'policy-version': '4', 'run-id': runId, upn: runId }),
    ...(action === 'add' && { 'exit-code': '1', error: device.printedFile(runId ?? '', PASSWORD) }),
    ...(isPoison && { 'completed-at': 'yesterday' }),
  };
  const options: Options = {
    ...what,
    'device-name': device.deviceId,
    url: network.url,
    ...(isQuiet && { quiet: true as const }),
    ...(!waits && { 'no-wait': true as const }),
  };
  const script = `echo "${PASSWORD}"; /bin/sleep ${commandMs / 1000}; exit 3`;
  const command = action === 'run' ? ['sh', '-c', script] : [];
  const ended = await device.invoke({ action, options, command }, killAfterMs);
  if (runId !== null) promised.push({ runId, isPoison, code: ended.code });
  if (isQuiet && ended.printed !== '')
    violations.push(`--quiet printed ${JSON.stringify(ended.printed.slice(0, 200))}`);
  return ended;
}

/** What others could read, and passwords; after a calm invocation nothing is left of those that were killed before. */
function findExposed({ agent, device }: Run, isCalm: boolean): string[] {
  try {
    const within = agent.closesFiles ? [...device.files(), ...device.directories()] : device.directories().slice(0, 1);
    const open = within.filter(({ mode }) => (mode & 0o077) !== 0);
    const secret = device
      .files()
      .filter(({ text, name }) => text.includes(SECRET) && (isCalm || !name.startsWith('work.')));
    return [
      ...open.map(({ name, mode }) => `${name} can be read by others: ${mode.toString(8)}`),
      ...secret.map(({ name }) => `${name} has a password`),
    ];
  } catch (error) {
    // Killed before there was a spool.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** The network is open, the disk has room, and time passes until nothing is left to send. */
async function repair(run: Run): Promise<void> {
  const { device, network, violations } = run;
  network.way = 'open';
  device.fillDisk(null);
  for (let days = 0; days < MOST_REPAIRS; days += 1) {
    // Past what a wrong clock, or a server, has set as the next time to send.
    device.setClock(days * 86_400);
    device.ageFiles();
    const { code } = await device.invoke(
      { action: 'send', options: { url: network.url, 'no-wait': true }, command: [] },
      null,
    );
    if (code === 0) return;
  }
  violations.push(`something is left to send after ${MOST_REPAIRS} attempts`);
}

/** Once as many are there as are promised; waits a moment for more than that. */
async function readRecords({ stage, device, promised }: Run): Promise<string[]> {
  const settled = promised.filter(({ code, isPoison }) => !isPoison && (code === 0 || code === 75)).length;
  const until = Date.now() + DELIVERED_WITHIN_MS;
  while ((await stage.isBusy()) || stage.records(device.deviceId).length < settled) {
    if (Date.now() > until) break;
    await delay(200);
  }
  return stage.records(device.deviceId);
}
