// Files that variables name: what is none is told at once, however it is made; what is one is read whole.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { readSettingFile } from '../../src/config/setting-file.ts';

let directory: string;
let socket: Server;
const file = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'setting-file-'));
  execFileSync('mkfifo', [file('pipe')]);
  socket = createServer().listen(file('socket'));
  await once(socket, 'listening');
  await mkdir(file('folder'));
  await writeFile(file('huge'), 'x'.repeat(1_048_577));
  await writeFile(file('largest'), 'x'.repeat(1_048_576));
  await writeFile(file('secret'), 'Sécret\n');
  await symlink(file('secret'), file('link'));
});
afterAll(async () => {
  socket.close();
  await rm(directory, { recursive: true });
});

test.each([
  ['a pipe nobody writes to', () => file('pipe'), /^no regular file/],
  ['a directory', () => file('folder'), /^a directory$/],
  ['a device without end', () => '/dev/zero', /^no regular file/],
  ['a device without anything', () => '/dev/null', /^no regular file/],
  ['a socket', () => file('socket'), /ENXIO/],
  ['more than 1 MiB', () => file('huge'), /^larger than 1 MiB$/],
  ['nothing', () => file('none'), /ENOENT/],
  ['a path below a file', () => file('secret/below'), /ENOTDIR/],
])('%s · read as a setting · is refused at once, also as a password', (_what, path, message) => {
  expect(() => readSettingFile(path())).toThrow(message);
  expect(() =>
    parseConfig({ REDIS_PASSWORD_FILE: path(), DEVICE_GROUP_KEYS: 'YWJjZGVmZ2hpamtsbW5vcA==' }, 'api'),
  ).toThrow(/REDIS_PASSWORD_FILE must name a regular file/);
});

test.each([
  ['a file', 'secret', 'Sécret\n'],
  ['a link to one, as secrets are mounted', 'link', 'Sécret\n'],
  ['one as large as any may be', 'largest', 'x'.repeat(1_048_576)],
])('%s · read as a setting · is read whole', (_what, name, text) => {
  expect(readSettingFile(file(name))).toBe(text);
});

test('standard input that is a pipe · named as a file · is refused', () => {
  const code = `import { readSettingFile } from './src/config/setting-file.ts';
    try { readSettingFile('/dev/stdin'); } catch (error) { console.log(error.message); }`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { input: 'secret' });
  expect(said.toString()).toMatch(/^no regular file|ENXIO/);
});
