// Runs the doctor's checks of the device directory, which is read as a worker reads it.
import type { GraphConfig } from '../../config/graph.ts';
import { isSameApp, judgeDirectoryToken, judgeSampledDevice, sampleDevices } from '../../doctor/directory.ts';
import { ok, skipped, type Finding } from '../../doctor/finding.ts';
import { deviceUrl, devicesUrl } from '../../graph/devices.ts';
import { obtainToken, requestGraph } from '../../graph/inspection/inspect.ts';

/** Enough to find one with a key among those that were registered in some other way. */
const LOOKED_AT = 25;

const clock = Date.now;

/** @param directory Graph with the credential that asks about devices. @param worker with the one that creates records */
export async function* examineDeviceDirectory(directory: GraphConfig, worker: GraphConfig): AsyncGenerator<Finding> {
  const obtained = await obtainToken(directory, clock);
  yield* judgeDirectoryToken(obtained, directory, isSameApp(directory, worker));
  if (obtained.kind === 'refused') {
    yield skipped('directory', 'nothing can be asked without a token');
    return;
  }
  const get = (url: string) => requestGraph({ method: 'GET', url, token: obtained.value }, directory, clock);
  const listed = await get(devicesUrl(directory, LOOKED_AT));
  const sample = sampleDevices(listed);
  if (!listed.failure) yield ok('directory', `answers in ${Math.round(listed.tookMs)} ms`);
  if (sample.kind === 'none') yield sample.finding;
  else yield judgeSampledDevice(await get(deviceUrl(directory, sample.deviceId)), sample.deviceId);
}
