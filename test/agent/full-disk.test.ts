// A disk that is full at any point of keeping a result: 73 and nothing of it, or all of it.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createAgentDevice, ONE_SHELL, RUN, type AgentDevice } from '../support/agent.ts';
import { canMount, fillDisk, makeRoom, mountSmallDisk, unmount } from '../support/small-disk.ts';

const NOWHERE = 'http://127.0.0.1:9';
const OUTPUT = 'SecureBoot: Enabled\n'.repeat(600);

let device: AgentDevice;
afterEach(() => {
  unmount(device.spool);
  device.close();
});

const titled = canMount ? 'a full disk' : 'a full disk – skipped, this user cannot mount one';
test.skipIf(!canMount)(
  `${titled} · is 73 · and nothing of a result is kept but all of it`,
  { timeout: 120_000 },
  async () => {
    device = createAgentDevice(ONE_SHELL);
    mkdirSync(device.spool);
    expect(mountSmallDisk(device.spool)).toBe(true);
    const file = join(device.directory, 'printed');
    writeFileSync(file, OUTPUT);
    const add = ['add', ...device.options(NOWHERE), ...RUN, '--exit-code', '0', '--output', file, '--no-wait'];
    const codes = [];
    for (const blocks of [0, 1, 2, 3, 4, 5, 6, 7, 9]) {
      fillDisk(device.spool, blocks);
      const { code } = await device.run(add);
      codes.push(code);
      expect(device.kept()).toHaveLength(code === 73 ? 0 : 1);
      for (const name of device.kept()) {
        expect(JSON.parse(readFileSync(join(device.spool, name), 'utf8'))).toMatchObject({ output: OUTPUT });
        rmSync(join(device.spool, name));
      }
      makeRoom(device.spool);
      rmSync(join(device.spool, 'not-before'), { force: true });
      expect(readdirSync(device.spool)).toEqual(['refused']);
    }
    expect(new Set(codes)).toEqual(new Set([73, 75]));
  },
);
