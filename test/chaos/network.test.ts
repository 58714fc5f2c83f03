// The campaign's partitions: hosts on two sides do not reach each other until it ends, and then hear everything; others go on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { INHERITED } from '../support/environment.ts';
import { until } from '../support/until.ts';
import { comingFrom, nodeAddress, partyAddress } from './hosts.ts';
import { createNetwork, type Network } from './network.ts';

const NODE = nodeAddress(1);
const [API, WORKER] = [partyAddress('api'), partyAddress('worker-1')];
/** Within this an answer is there, or does not come. */
const WHILE_MS = 200;

let network: Network;
let port: number;
let heard: string[];
const server = createServer((socket) => {
  socket.setEncoding('utf8').on('error', () => undefined);
  socket.on('data', (text: string) => heard.push(text));
});
const sockets = new Set<Socket>();

beforeEach(async () => {
  heard = [];
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  network = createNetwork();
  await network.open(NODE, port);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await network.close();
  server.close();
});

function from(localAddress: string): Socket {
  const socket = connect({ host: NODE, port, localAddress }).on('error', () => undefined);
  sockets.add(socket);
  return socket;
}

test('two sides · what one says to the other waits · and arrives when the partition ends', async () => {
  const [api, worker] = [from(API), from(WORKER)];
  api.write('api 1 ');
  worker.write('worker 1 ');
  await until('both are heard', () => heard.length === 2);
  network.part([NODE, API]);
  const late = from(WORKER);
  for (const [socket, text] of [
    [api, 'api 2 '],
    [worker, 'worker 2 '],
    [late, 'worker 3 '],
  ] as const)
    socket.write(text);
  await until('its own side is heard', () => heard.includes('api 2 '));
  await delay(WHILE_MS);
  expect(heard.join('')).not.toMatch(/worker [23]/);
  network.heal();
  await until('all is heard', () => /worker 2/.test(heard.join('')) && /worker 3/.test(heard.join('')));
});

test('a process that comes from an address · is on its side · without knowing of it', async () => {
  network.part([NODE, API]);
  const say = `require('node:net').connect({ host: '${NODE}', port: ${port} }).write('hello')`;
  const started = [API, WORKER].map((address) =>
    spawn(process.execPath, ['--eval', say.replace('hello', address)], {
      env: { ...INHERITED, ...comingFrom(address) },
      stdio: 'ignore',
    }),
  );
  await until('one is heard', () => heard.length > 0, 10_000);
  await delay(WHILE_MS);
  expect(heard).toEqual([API]);
  network.heal();
  await until('the other one too', () => heard.length > 1, 10_000);
  for (const child of started) child.kill('SIGKILL');
});
