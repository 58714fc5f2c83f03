// Whoever hangs up, at whatever byte and however: no process ends by it, neither the bridge's nor the sandbox.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { connect as connectSecurely } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { sweep } from '../../hostile/hang-ups.ts';
import { openStage } from '../../hostile/stage.ts';
import { freePort } from '../../support/free-port.ts';
import { exchange, openSocket } from '../../support/raw-http.ts';

const nowS = () => Math.floor(Date.now() / 1000);
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('every kind of request cut anywhere, by reset or half-close · at the API, with and without TLS, and at a worker · ends no process', async () => {
  await using stage = await openStage();
  const hungUp = await sweep(stage.doors, { step: 25, nowS: nowS(), onSent: () => undefined });
  expect(hungUp).toBeGreaterThan(2000);
  expect(stage.ended()).toEqual([]);
  for (const port of [stage.doors.api, stage.doors.health]) {
    expect(await exchange(port, 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatchObject({
      status: 200,
    });
  }
  expect(stage.lines().filter(({ level }) => level !== 'warn')).toEqual([]);
}, 60_000);

test('thousands of requests in one packet, none of whose answers is read · at every listener · ends no process', async () => {
  await using stage = await openStage();
  const { api, health, secure } = stage.doors;
  const sockets = await Promise.all([
    ...[api, api, health, health].map(openSocket),
    ...[secure, secure].map(async (port) => {
      const socket = connectSecurely({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      return socket.on('error', () => undefined);
    }),
  ]);
  for (const path of ['/metrics', '/openapi.json', '/livez']) {
    for (const socket of sockets) socket.pause().write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1500));
  }
  for (const port of [api, health]) {
    // Asked behind all of that.
    for (let time = 0; time < 3; time += 1) {
      const livez = await exchange(port, 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      expect(livez).toMatchObject({ status: 200 });
    }
  }
  for (const socket of sockets) socket.destroy();
  expect(stage.ended()).toEqual([]);
}, 60_000);

test('callers that hang up · at both listeners of the sandbox · ends it neither', async () => {
  const [port, controlPort] = [await freePort(), await freePort()];
  const args = ['src/cli/main.ts', 'sandbox', '--port', `${port}`, '--control-port', `${controlPort}`];
  const sandbox = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => sandbox.kill());
  await once(createInterface(sandbox.stdout), 'line');
  const doors = { api: controlPort, health: controlPort, secure: port, handshake: port };
  await sweep(doors, { step: 60, nowS: nowS(), onSent: () => undefined });
  expect(sandbox.exitCode).toBe(null);
  expect((await fetch(`http://127.0.0.1:${controlPort}/stats`)).status).toBe(200);
}, 60_000);
